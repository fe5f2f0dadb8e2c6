# shellcheck shell=bash
# Makes everything ready that the demo and the tests need: Python, ffmpeg, the virtual environment, Asterisk.
# Sourced by scripts/demo and scripts/test, which then call `setup` (the command) or `setup dev` (with the checks'
# tools). Speaks on stderr only, and is quick when all is there. As root it installs what is missing with apt-get;
# else it says which command would.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
export HOME="${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}"

tell() { printf '%s\n' "$*" >&2; }

fail() {
  tell "astdialer: $*"
  exit 1
}

setup() { # setup [dev]
  install_system_packages
  make_venv
  install_python_packages "${1:-}"
  provide_ffmpeg
  fetch_asterisk
}

# The newest supported Python that can make a virtual environment, on stdout; nothing when there is none.
find_python() {
  local name
  for name in python3.13 python3.12 python3.11 python3; do
    if "$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
      >/dev/null 2>&1; then
      command -v "$name"
      return
    fi
  done
}

# Names of the distribution's packages for what this machine lacks.
missing_packages() {
  if [ -z "$(find_python)" ] && [ ! -x "$VENV/bin/python" ]; then
    if apt-cache show python3.11-venv >/dev/null 2>&1; then
      echo python3.11 python3.11-venv
    else
      echo python3 python3-venv
    fi
  fi
  command -v ffmpeg >/dev/null 2>&1 || [ -x "$VENV/bin/ffmpeg" ] || echo ffmpeg
  [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ] || echo ca-certificates
}

install_system_packages() {
  local missing
  if [ -z "$(missing_packages)" ]; then return; fi
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    tell "Updating the list of packages …"
    quietly apt-get -q update
    missing="$(missing_packages | xargs)"
    tell "Installing $missing …"
    # shellcheck disable=SC2086 # one word per package
    DEBIAN_FRONTEND=noninteractive quietly apt-get -q -y install --no-install-recommends $missing
  elif [ -z "$(find_python)" ] && [ ! -x "$VENV/bin/python" ]; then
    fail "Python 3.11, 3.12 or 3.13 with venv is needed. As root: apt-get install $(missing_packages | xargs)"
  fi
}

# Runs a command; shows what it said only when it fails.
quietly() {
  local said
  if ! said="$("$@" 2>&1)"; then
    tell "$said"
    fail "this did not work: $*"
  fi
}

make_venv() {
  local python
  if "$VENV/bin/python" -c '' >/dev/null 2>&1; then return; fi
  python="$(find_python)"
  [ -n "$python" ] || fail "Python 3.11, 3.12 or 3.13 with venv is needed, and was not found on PATH."
  tell "Making the virtual environment .venv with $("$python" -V) …"
  quietly "$python" -m venv --clear "$VENV"
}

# Installs the project, unless nothing that decides about its packages has changed since.
install_python_packages() { # install_python_packages [dev]
  local stamp="$VENV/.installed-${1:-run}" now
  now="$({ cat "$ROOT/pyproject.toml" "$ROOT/constraints.txt" 2>/dev/null || true; } | cksum) $ROOT"
  if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$now" ]; then return; fi
  tell "Installing the Python packages …"
  quietly "$VENV/bin/python" -m pip install -q --disable-pip-version-check 'pip>=25.1'
  local arguments=(-e "$ROOT")
  if [ -n "${1:-}" ]; then arguments+=(--group "$ROOT/pyproject.toml:$1"); fi
  if [ -e "$ROOT/constraints.txt" ]; then arguments+=(-c "$ROOT/constraints.txt"); fi
  quietly "$VENV/bin/python" -m pip install -q --disable-pip-version-check "${arguments[@]}"
  echo "$now" >"$stamp"
}

# Recordings are converted by ffmpeg. Without root, one comes as a Python package.
provide_ffmpeg() {
  export PATH="$VENV/bin:$PATH"
  if ! command -v ffmpeg >/dev/null 2>&1; then
    tell "Getting ffmpeg as a Python package (as root, apt-get install ffmpeg would do the same) …"
    quietly "$VENV/bin/python" -m pip install -q --disable-pip-version-check imageio-ffmpeg
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
