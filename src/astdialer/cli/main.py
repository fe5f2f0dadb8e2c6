"""The ``astdialer`` command: global flags, the nouns, and how errors end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from astdialer import logs
from astdialer.cli import (
    agent,
    blacklist,
    calendar,
    callerid,
    campaign,
    cdr,
    contact,
    demo,
    doctor,
    explain,
    lab,
    outcome,
    records,
    rehearse,
    route,
    serve,
    stats,
    task,
    token,
    top,
    trunk,
    upload,
    webhook,
)
from astdialer.cli.context import Invocation
from astdialer.cli.output import Exit, say
from astdialer.config import ConfigError
from astdialer.domain.errors import AstdialerError, Unavailable


class Commands(click.Group):
    """A group whose commands end with a sentence and an exit code, never with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            self._end(error, Exit.CONFIG)
        except Unavailable as error:
            self._end(error, Exit.UNAVAILABLE)
        except AstdialerError as error:
            self._end(error, Exit.FAILURE)
        except KeyboardInterrupt:
            self._end("interrupted", Exit.INTERRUPTED)
        except BrokenPipeError:
            sys.stderr.close()  # the reader of our output went away
            sys.exit(Exit.OK)

    def _end(self, error: object, code: Exit) -> None:
        say(f"astdialer: {error}")
        sys.exit(code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", "file", type=click.Path(path_type=Path), help="Configuration file. [env: ASTDIALER_CONFIG]")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="A setting that outranks files and environment, such as ami.host=192.0.2.10. Repeatable.",
)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", help="What to log."
)
@click.option("--log-json", is_flag=True, help="Log one JSON object a line.")
@click.version_option(package_name="astdialer")
@click.pass_context
def cli(ctx: click.Context, file: Path | None, overrides: tuple[str, ...], log_level: str, log_json: bool) -> None:
    """The outbound dialer for people who run their own Asterisk.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 69 Asterisk, store or engine unavailable, 75 try again later,
    78 bad configuration, 130 interrupted.
    """
    logs.set_up(level=log_level if ctx.invoked_subcommand == "serve" else "warning", as_json=log_json)
    ctx.obj = Invocation(file, _overrides(overrides))


def _overrides(texts: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for text, (key, _, value) in zip(texts, pairs, strict=True):
        if "." not in key or not value:
            raise click.BadParameter(f"{text!r}: expected SECTION.KEY=VALUE, such as ami.host=192.0.2.10")
    return {key: value for key, _, value in pairs}


for command in (
    serve.serve,
    campaign.campaign,
    upload.upload,
    contact.contact,
    task.task,
    outcome.outcome,
    agent.agent,
    trunk.trunk,
    route.route,
    callerid.callerid,
    calendar.calendar,
    stats.stats,
    blacklist.blacklist,
    cdr.cdr,
    records.records,
    token.token,
    webhook.webhook,
    rehearse.rehearse,
    doctor.doctor,
    top.top,
    lab.lab,
):
    cli.add_command(command)

lab.lab.add_command(demo.demo)
contact.contact.add_command(explain.contact_explain)


def main() -> None:
    """Entry point."""
    cli(prog_name="astdialer")
