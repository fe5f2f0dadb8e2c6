"""``astdialer doctor``."""

import click


@click.command()
def doctor() -> None:
    """Check."""
