"""`python -m astdialer.lab`: make an Asterisk ready before the first `lab up`. Exit code 69 if none can be had."""

import sys

from astdialer.lab.errors import LabError
from astdialer.lab.fetch import asterisk


def main() -> int:
    """Fetch, saying on stderr what is done."""
    try:
        asterisk(_to_stderr)
    except LabError as error:
        _to_stderr(str(error))
        return 69
    except KeyboardInterrupt:
        _to_stderr("interrupted")
        return 130
    return 0


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
