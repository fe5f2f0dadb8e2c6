"""``astdialer rehearse``."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import ceil
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from astdialer.cli.context import clock, config, local_time, with_store
from astdialer.cli.output import emit_record, json_option, print_table, say
from astdialer.domain.abandonment import Tally
from astdialer.domain.errors import AstdialerError, Conflict
from astdialer.domain.settings import Mode
from astdialer.domain.trunk import Trunk
from astdialer.engine.outset import Outset, outset
from astdialer.simulator.scope import MODES, MOST_DAYS
from astdialer.store import SqliteStore

if TYPE_CHECKING:  # they bring arrays, which commands do without until they rehearse
    from astdialer.simulator.day import Day
    from astdialer.simulator.history import History
    from astdialer.simulator.rehearsal import Figures, Plan

#: A chart is not wider than that where nobody says how wide the terminal is.
WIDTH = 100
#: What held dialing back is told from this share of the time on.
OFTEN = 0.05

Number = TypeVar("Number", int, float)


def _laws(function: Any) -> Any:
    options = (
        click.option("--answer-rate", type=click.FloatRange(0.1, 100), help="Percent of the calls that people answer."),
        click.option("--talk", "talk_s", type=click.FloatRange(1, 7200), help="Mean seconds of a talk."),
        click.option("--ring", "ring_s", type=click.FloatRange(0.5, 600), help="Mean seconds to a person's answer."),
        click.option(
            "--machines", type=click.FloatRange(0, 100), help="Percent of the other calls that machines take."
        ),
        click.option("--attempts", type=click.FloatRange(1, 100), help="Calls that a contact takes, on average."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command()
@click.argument("campaign")
@click.option("--agents", type=click.IntRange(1, 1000), help="How many; else those who are logged in to the queue.")
@click.option(
    "--base", type=click.IntRange(1), help="Contacts in the list; else the campaign's that are left, or no end."
)
@click.option(
    "--hours", type=click.FloatRange(0.25, 24), default=8.0, show_default=True, help="How long a day is dialed."
)
@click.option("--days", type=click.IntRange(1, MOST_DAYS), default=3, show_default=True, help="How many days.")
@click.option(
    "--mode",
    "modes",
    type=click.Choice([mode.value for mode in MODES]),
    multiple=True,
    help="This mode in place of the campaign's own. Repeatable: a column for each.",
)
@click.option("--from-history", is_flag=True, help="Callers and talks as in the campaign's own records.")
@_laws
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Other days by chance.")
@click.option("--png", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Draw a picture as well.")
@json_option
def rehearse(
    campaign: str,
    modes: tuple[str, ...],
    from_history: bool,
    png: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Simulate days of CAMPAIGN: how busy agents are, who is abandoned, how long people wait, how many lines it takes,
    and when the list is done. Calls nobody and changes nothing.

    It dials in virtual time by the code that the engine runs, with the campaign's settings, its trunks' limits, and
    callers as recorded (--from-history), as you say, or as usual; what is reckoned with is printed. A predictive
    campaign is shown beside progressive.
    """
    _check_place(png)
    started, recorded = _read(campaign, from_history=from_history)
    shown = _modes(started, modes, from_history=from_history)
    subject = _subject(started, recorded, given)
    rehearsed = _run(subject.plan, shown)
    if as_json:
        emit_record(_as_json(subject, rehearsed), as_json=True)
    else:
        _show(subject, rehearsed)
    if png:
        _draw(png, subject, rehearsed)


def _check_place(png: Path | None) -> None:
    """Better now than after a minute of reckoning."""
    if png and not png.parent.is_dir():
        raise click.BadParameter(f"there is no directory {png.parent}", param_hint="--png")


# --- what it starts from ---------------------------------------------------------------------------------------------


def _read(name: str, *, from_history: bool) -> tuple[Outset, History | None]:
    async def read(store: SqliteStore) -> tuple[Outset, History | None]:
        started = await outset(store, clock, config().engine.zone, name)
        return started, await _history(store, started) if from_history else None

    return with_store(read)


async def _history(store: SqliteStore, started: Outset) -> History:
    from astdialer.simulator.history import MOST_ATTEMPTS, history

    campaign = started.campaign
    rows = [row async for row in store.cdrs({"campaign": campaign.name}, MOST_ATTEMPTS)]
    return history(campaign.name, rows, plays_to_machines=bool(campaign.settings.message))


def _modes(started: Outset, wanted: Sequence[str], *, from_history: bool) -> list[Mode]:
    """Each once. Raises Conflict for campaigns that have no such mode."""
    name, own = started.campaign.name, started.campaign.settings.mode
    if own is Mode.BROADCAST and from_history:
        raise Conflict(f"{name} is a broadcast: its records tell nothing of agents. Leave out --from-history")
    if wanted:
        return [Mode(mode) for mode in dict.fromkeys(wanted)]
    if own not in MODES:
        raise Conflict(f"{name} is {own.value}: {_WHY_NOT[own]}. To see it in another mode, say --mode {_CHOICE}")
    return [own, Mode.PROGRESSIVE] if own is Mode.PREDICTIVE else [own]


_CHOICE = ", ".join(mode.value for mode in MODES[:-1]) + f" or {MODES[-1].value}"
_WHY_NOT = {
    Mode.BROADCAST: "it calls for no agents, so there is nothing to rehearse",
    Mode.AGENT_FIRST: "every call has its agent before anybody is dialed, so nobody waits or is abandoned",
    Mode.PREVIEW: "agents decide when to call, so there is nothing to rehearse",
}


@dataclasses.dataclass(frozen=True, slots=True)
class _Subject:
    """What is rehearsed."""

    started: Outset
    recorded: History | None
    contacts: int | None  #: None: the list does not end
    plan: Plan

    @property
    def title(self) -> str:
        """In a line."""
        plan = self.plan
        base = "a list without end" if self.contacts is None else f"{self.contacts} contacts"
        days = "1 day" if plan.days == 1 else f"{plan.days} days"
        return f"{self.started.campaign.name}: {plan.agents} agents, {days} of {plan.hours:g} h, {base}"


def _subject(started: Outset, recorded: History | None, given: Mapping[str, Any]) -> _Subject:
    from astdialer.simulator.callers import Stated, callers
    from astdialer.simulator.rehearsal import Plan

    settings = started.campaign.settings
    who = callers(settings, Stated(**{f.name: given[f.name] for f in dataclasses.fields(Stated)}), recorded)
    contacts = given["base"] or started.contacts or None
    plan = Plan(
        settings=settings,
        callers=who,
        agents=given["agents"] or _logged_in(started),
        hours=given["hours"],
        days=given["days"],
        seed=given["seed"],
        calls=round(contacts * who.attempts) if contacts else None,
        lines=_lines(started)[0],
        calls_per_second=_rate(started)[0],
        block=started.block if recorded else Tally(),
        learned=started.learned if recorded else None,
    )
    return _Subject(started, recorded, contacts, plan)


def _lines(started: Outset) -> tuple[int, str]:
    """How many calls there can be at a time but for the campaign's own limit, and what says so."""
    engine = (config().engine.max_calls, "[engine] max_calls")
    return min(engine, *_of_trunks(started, lambda trunk: trunk.max_calls), key=itemgetter(0))


def _rate(started: Outset) -> tuple[float, str]:
    """How many calls may begin in a second, and what says so."""
    engine = (config().engine.calls_per_second, "[engine] calls_per_second")
    own = (started.campaign.settings.calls_per_second or engine[0], "calls_per_second")
    return min(engine, own, *_of_trunks(started, lambda trunk: trunk.calls_per_second), key=itemgetter(0))


def _of_trunks(started: Outset, limit: Callable[[Trunk], Number]) -> list[tuple[Number, str]]:
    """What the trunks allow together; nothing where there are none yet."""
    names = " + ".join(trunk.name for trunk in started.trunks)
    return [(sum(map(limit, started.trunks)), names)] if names else []


def _logged_in(started: Outset) -> int:
    """Raises Conflict when nobody is, or nobody knows."""
    if started.agents:
        return started.agents
    queue = started.campaign.settings.queue
    why = "the engine is not running" if started.agents is None else f"no agent is logged in to the queue {queue!r}"
    raise Conflict(f"how many agents are there? {why}: say --agents N")


# --- the days --------------------------------------------------------------------------------------------------------


def _run(plan: Plan, modes: Sequence[Mode]) -> list[Figures]:
    from astdialer.simulator.rehearsal import rehearse as rehearse_days

    with _progress(plan, modes) as watch:
        return rehearse_days(plan, modes, watch)


@contextmanager
def _progress(plan: Plan, modes: Sequence[Mode]) -> Iterator[Callable[[Mode, Day], None]]:
    """On a terminal, how far it is; a list that ends sooner makes a day shorter."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    day_s = plan.hours * 3600
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task, begun = progress.add_task("", total=len(modes) * plan.days * day_s), 0

        def watch(mode: Mode, day: Day) -> None:
            nonlocal begun
            begun += day.now == 0
            words = f"{mode.value}, day {(begun - 1) % plan.days + 1} of {plan.days}"
            progress.update(task, description=words, completed=(begun - 1) * day_s + day.now)

        yield watch


# --- what comes of it ------------------------------------------------------------------------------------------------


def _show(subject: _Subject, rehearsed: Sequence[Figures]) -> None:
    from astdialer.simulator.picture import charts

    click.echo(f"{subject.title}\n")
    print_table(_reckoned_with(subject), ("reckoned_with", "value", "from"))
    click.echo()
    rows = [_row(name, words, rehearsed) for name, words in _FIGURES.items()]
    modes = [figures.mode.value for figures in rehearsed]
    print_table([row for row in rows if any(row[mode] != "-" for mode in modes)], ("to_expect", *modes))
    click.echo()
    for figures in rehearsed:
        click.echo(_held_back(figures))
    drawn = charts(rehearsed, shutil.get_terminal_size((WIDTH, 24)).columns)
    if drawn:
        click.echo(f"\n{drawn}")
    if len(rehearsed) == 1:
        say("\nto compare modes: --mode progressive --mode predictive")


def _reckoned_with(subject: _Subject) -> Iterator[dict[str, str]]:
    if subject.recorded:
        since, until = ((local_time(at) or "")[:10] for at in (subject.recorded.since, subject.recorded.until))
        yield _reckoned("records", f"{subject.recorded.attempts} calls, {since} to {until}", "cdr")
    for one in subject.plan.callers.assumptions:
        yield _reckoned(one.name, one.words, one.source)
    yield from _from_settings(subject)


def _from_settings(subject: _Subject) -> list[dict[str, str]]:
    plan, settings = subject.plan, subject.plan.settings
    lines, by = min((settings.max_calls, "max_calls"), _lines(subject.started), key=itemgetter(0))
    return [
        _reckoned("wrap-up", f"{settings.wrap_up_s} s", "wrap_up_s"),
        _reckoned("people wait", f"{settings.agent_wait_s} s at most", "agent_wait_s"),
        _reckoned("lines", f"{lines}, talks included", by),
        _reckoned("calls per second", f"{plan.calls_per_second:g}", _rate(subject.started)[1]),
        *_so_far(plan),
    ]


def _so_far(plan: Plan) -> Iterator[dict[str, str]]:
    """What predictive pacing begins with."""
    if plan.learned:
        yield _reckoned("pacing", f"knows {plan.learned.get('count', 0)} answers", "learned by the engine")
    else:
        yield _reckoned("pacing", "knows nothing yet", "learns from the first call on")
    if plan.block.answered:
        words = f"{plan.block.abandoned:g} of {plan.block.answered:g} people abandoned so far"
        yield _reckoned("the law's window", words, "abandonment_profile")


def _reckoned(name: str, value: str, source: str) -> dict[str, str]:
    return {"reckoned_with": name, "value": value, "from": source}


def _row(name: str, words: Callable[[Figures], str | None], rehearsed: Sequence[Figures]) -> dict[str, str]:
    return {"to_expect": name} | {figures.mode.value: words(figures) or "-" for figures in rehearsed}


def _abandoned(f: Figures) -> str:
    if f.abandoned_low is None or f.abandoned_high is None:
        return f"{f.abandoned:.2%}"
    return f"{f.abandoned:.2%} ({f.abandoned_low:.2%} to {f.abandoned_high:.2%})"


def _held_back(f: Figures) -> str:
    """What kept it from placing more calls, if it often did."""
    often = [f"{limit} ({share:.0%} of the time)" for limit, share in f.binds.items() if share >= OFTEN]
    return f"{f.mode.value} was held back by: {'; '.join(often) or 'nothing for long'}"


def _finish(f: Figures) -> str | None:
    if f.hours_to_finish is not None:
        return f"{f.hours_to_finish:.1f} h"
    return f"{ceil(10 * f.days_to_finish) / 10:g} days" if f.days_to_finish else None


def _number(value: float | None, form: str) -> str | None:
    return None if value is None else form.format(value)


#: The rows of the table; those that say nothing are left out.
_FIGURES: Mapping[str, Callable[[Any], str | None]] = {
    "agents busy": lambda f: f"{f.busy:.1%}",
    "people abandoned (95% interval)": _abandoned,
    "days above the limit": lambda f: f"{f.days_above_limit} of {f.days} above {100 * f.limit:.3g}%",
    "wait for an agent, mean": lambda f: _number(f.wait_mean_s, "{:.2f} s"),
    "wait for an agent, 95% within": lambda f: _number(f.wait_p95_s, "{:.2f} s"),
    "lines at most": lambda f: str(f.lines_most),
    "lines on average": lambda f: f"{f.lines_mean:.1f}",
    "calls for a talk": lambda f: _number(f.calls_per_talk, "{:.1f}"),
    "talks of an agent in an hour": lambda f: f"{f.talks_per_agent_hour:.1f}",
    "the list takes": _finish,
    "contacts left after a day": lambda f: f"{f.contacts_left}" if f.contacts_left else None,
}


def _as_json(subject: _Subject, rehearsed: Sequence[Figures]) -> dict[str, Any]:
    plan, recorded = subject.plan, subject.recorded
    found = {
        "campaign": subject.started.campaign.name,
        "agents": plan.agents,
        "days": plan.days,
        "hours": plan.hours,
        "contacts": subject.contacts,
        "calls": plan.calls,
        "seed": plan.seed,
        "lines": min(plan.settings.max_calls, plan.lines),
        "calls_per_second": plan.calls_per_second,
        "history": {k: getattr(recorded, k) for k in ("attempts", "since", "until")} if recorded else None,
        "reckoned_with": [dataclasses.asdict(one) for one in plan.callers.assumptions],
        "modes": [dataclasses.asdict(figures) for figures in rehearsed],
    }
    rounded: dict[str, Any] = _rounded(found)
    return rounded


def _rounded(value: Any) -> Any:
    """More digits than that would be noise."""
    if isinstance(value, Mapping):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def _draw(png: Path, subject: _Subject, rehearsed: Sequence[Figures]) -> None:
    from astdialer.simulator.picture import write_png

    try:
        write_png(png, subject.title, rehearsed)
    except OSError as error:
        raise AstdialerError(f"{png}: {error.strerror or error}") from None
    say(f"{png} is written")
