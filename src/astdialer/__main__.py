"""``python -m astdialer``."""

from astdialer.cli.main import main

main()
