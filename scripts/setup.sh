# shellcheck shell=bash
# Makes everything ready that the demo and the tests need: Python, ffmpeg, the virtual environment, Asterisk.
# Sourced by scripts/demo and scripts/test, which then call `setup` (the command) or `setup dev` (with the checks'
# tools). Speaks on stderr only, and is quick when all is there. As root it installs what is missing with apt-get;
# else it says which command would.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
export HOME="${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}"

# What Python has compiled is kept, whatever the environment says: the tests run hundreds of commands, and each would
# compile all of it anew.
unset PYTHONDONTWRITEBYTECODE

tell() { printf '%s\n' "$*" >&2; }

fail() {
  tell "astdialer: $*"
  exit 1
}

setup() { # setup [dev]
  trap 'tell "astdialer: interrupted"; exit 130' INT
  lock_setup
  install_system_packages "${1:-}"
  make_venv
  install_python_packages "${1:-}"
  provide_ffmpeg
  fetch_asterisk
  exec 8<&-
  trap - INT
}

# One set-up of a work tree at a time. The lock is on the directory itself and ends with this process.
lock_setup() {
  exec 8<"$ROOT"
  if command -v flock >/dev/null 2>&1 && ! flock -n 8; then
    tell "Another set-up of $ROOT is under way; waiting for it …"
    flock 8 || true
  fi
}

# A Python that can make a virtual environment, on stdout: the newest that is tested, else a newer one; nothing when
# there is none.
find_python() {
  local name
  for name in python3.13 python3.12 python3.11 python3; do
    if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$name"
      return
    fi
  done
}

have_venv() {
  "$VENV/bin/python" -c 'import pip' >/dev/null 2>&1 && [ "$(cat "$VENV/.made-for" 2>/dev/null)" = "$ROOT" ]
}

# Names of the distribution's packages for what this machine lacks.
missing_packages() { # missing_packages [dev]
  if ! have_venv && [ -z "$(find_python)" ]; then
    if apt-cache show python3.11-venv >/dev/null 2>&1; then
      echo python3.11 python3.11-venv
    else
      echo python3 python3-venv
    fi
  fi
  command -v ffmpeg >/dev/null 2>&1 || [ -x "$VENV/bin/ffmpeg" ] || echo ffmpeg
  [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ] || echo ca-certificates
  if [ -n "${1:-}" ]; then
    command -v sox >/dev/null 2>&1 || echo sox
    command -v openssl >/dev/null 2>&1 || echo openssl
  fi
}

install_system_packages() { # install_system_packages [dev]
  local missing said
  missing="$(missing_packages "$@" | xargs)"
  if [ -z "$missing" ]; then return; fi
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    tell "Updating the list of packages …"
    # One bad source among many makes this fail; whether it was one that counts shows below.
    said="$(apt-get -q update 2>&1)" || tell "Warning: apt-get update did not succeed:
$(grep -E '^[EW]:' <<<"$said" || true)"
    missing="$(missing_packages "$@" | xargs)"
    tell "Installing $missing …"
    # shellcheck disable=SC2086 # one word per package
    DEBIAN_FRONTEND=noninteractive quietly "As root: apt-get update; apt-get install $missing" \
      apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends $missing
  elif [ -n "${1:-}" ]; then
    tell "Warning: without all of these some tests are skipped. As root: apt-get install $missing"
  fi
}

# Runs a command; shows what it said, and the remedy, only when it fails.
quietly() { # quietly REMEDY COMMAND...
  local said remedy="$1"
  shift
  if ! said="$("$@" 2>&1)"; then
    tell "$said"
    fail "this did not work: $*
$remedy"
  fi
}

make_venv() {
  local python
  if have_venv; then return; fi
  python="$(find_python)"
  [ -n "$python" ] || fail "Python 3.11 or newer with venv is needed, and was not found on PATH.
$(python_remedy)"
  tell "Making the virtual environment .venv with $("$python" -V) …"
  quietly "Is the disk or /tmp full, or $ROOT not yours to write to?" "$python" -m venv --clear "$VENV"
  echo "$ROOT" >"$VENV/.made-for"
}

python_remedy() {
  if command -v apt-get >/dev/null 2>&1; then
    echo "As root: apt-get update; apt-get install $(missing_packages | xargs)"
  else
    echo "Install it with the system's package manager."
  fi
}

# Installs the project, unless nothing that decides about its packages has changed since.
install_python_packages() { # install_python_packages [dev]
  local stamp="$VENV/.installed-${1:-run}" now
  now="$(cat "$ROOT/pyproject.toml" "$ROOT/constraints.txt" | cksum) $ROOT"
  if [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then return; fi
  tell "Installing the Python packages …"
  pip_install pip
  local arguments=(-e "$ROOT")
  if [ -n "${1:-}" ]; then arguments+=(--group "$ROOT/pyproject.toml:$1"); fi
  pip_install --build-constraint "$ROOT/constraints.txt" "${arguments[@]}"
  echo "$now" >"$stamp"
}

pip_install() {
  quietly "Can a Python package index be reached from here, and is there room on the disk? If both: rm -r $VENV" \
    "$VENV/bin/python" -m pip install -q --disable-pip-version-check -c "$ROOT/constraints.txt" "$@"
}

# Recordings are converted by ffmpeg. Without root, one comes as a Python package.
provide_ffmpeg() {
  export PATH="$VENV/bin:$PATH"
  if ! command -v ffmpeg >/dev/null 2>&1; then
    tell "Getting ffmpeg as a Python package (as root, apt-get install ffmpeg would do the same) …"
    pip_install imageio-ffmpeg
    ln -sf "$("$VENV/bin/python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')" "$VENV/bin/ffmpeg"
  fi
  if ! ffmpeg_can 'codecs' 'D.A.* gsm ' || ! ffmpeg_can 'encoders' 'A.* libmp3lame '; then
    tell "Warning: $(command -v ffmpeg) cannot turn GSM into MP3; recordings will stay GSM. Remedy: apt-get install ffmpeg"
  fi
}

ffmpeg_can() { # ffmpeg_can LIST PATTERN
  local list
  list="$(ffmpeg -hide_banner "-$1" 2>/dev/null)" || return 1
  grep -q -- "$2" <<<"$list"
}

fetch_asterisk() {
  "$VENV/bin/python" -m astdialer.lab || exit 69
}
