"""The results of the pacing benchmark as lines, and as the tables of docs/reference/benchmarks.md."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pacing_figures import Figures
from pacing_gates import Gate
from pacing_ways import OWN
from scenarios import SCENARIOS

from astdialer.simulator.interval import half_width

_BOUND = "the bound"
_DETAILS = (
    "scenario",
    "agents",
    "days",
    "abandoned, %",
    "blocks above",
    "talk, %",
    "idle s per connect (90 %)",
    "wait s (95 %)",
    "waited over 0.5 s, %",
    "worst 100 answers, %",
    "most in a row",
    "calls per connect",
    "under way at most, first day / later",
    "ms per decision",
)


def line(r: Figures) -> str:
    """One row for the terminal."""
    tuned = "" if math.isnan(r.value) else f" at {r.value:.3g}"
    above = f"{r.days_above}/{r.days} above, worst {max(r.rates):.2f} %"
    return (
        f"{r.scenario} | {r.agents} | {r.way}{tuned} | {r.utilisation:.2f} ± {r.half_width:.2f} | "
        f"{r.abandoned:.2f} ± {half_width(r.rates):.2f} % | {above} | "
        f"wait {r.wait_s:.2f} s | idle {r.idle_s:.0f} s | under way {r.first_most} first, {r.usual_most:.0f} later | "
        f"{r.ms_per_decision:.2f} ms | {r.took_s:.0f} s"
    )


def gate_line(gate: Gate) -> str:
    """One row for the terminal."""
    verdict = "met" if gate.met else "NOT MET"
    return f"{verdict}: {gate.says}: {gate.found:.2f}, {_needed(gate)}, by {gate.margin:+.2f}"


def markdown(results: Sequence[Figures], bounds: Mapping[int, float], gates: Iterable[Gate]) -> str:
    """All tables."""
    groups: dict[str, list[str]] = {}
    for scenario in dict.fromkeys(r.scenario for r in results):
        groups.setdefault(scenario.split()[0], []).append(scenario)
    parts = [_group(results, group, scenarios, bounds) for group, scenarios in groups.items()]
    parts += [_details([r for r in results if r.way == OWN]), _gates(gates)]
    return "\n\n".join(parts) + "\n"


def _group(results: Sequence[Figures], group: str, scenarios: Sequence[str], bounds: Mapping[int, float]) -> str:
    of_it = [r for r in results if r.scenario in scenarios]
    sizes = sorted({r.agents for r in of_it})
    rows: list[list[str]] = []
    for scenario in scenarios:
        cells = {(r.way, r.agents): _cell(r) for r in of_it if r.scenario == scenario}
        if scenario == "S10 exponential":
            cells |= {(_BOUND, agents): f"{bounds[agents]:.1f}" for agents in sizes if agents in bounds}
        for way in dict.fromkeys(way for way, _ in cells):
            rows.append([scenario, way, *(cells.get((way, agents), "–") for agents in sizes)])
    says = [f"- {scenario}: {SCENARIOS[scenario].says}." for scenario in scenarios]
    title = "Variants" if group == "V" else group
    table = _table(["scenario", "way", *(f"{agents} agents" for agents in sizes)], rows)
    return "\n".join([f"### {title}", "", *says, "", *table])


def _cell(r: Figures) -> str:
    interval = "" if math.isnan(r.half_width) else f" ± {r.half_width:.1f}"
    return f"{r.utilisation:.1f}{interval} ({r.abandoned:.2f} %, {r.days_above}/{r.days})"


def _details(own: Sequence[Figures]) -> str:
    rows = [
        [
            r.scenario,
            str(r.agents),
            str(r.days),
            f"{r.abandoned:.2f} ± {_number(half_width(r.rates), 2)}",
            f"{r.blocks_above}/{len(r.blocks)}",
            f"{r.talk_share:.1f}",
            f"{r.idle_s:.1f} ({r.idle_p90_s:.0f})",
            f"{r.wait_s:.2f} ({r.wait_p95_s:.2f})",
            f"{r.waited_share:.1f}",
            f"{r.worst_hundred:.0f}",
            str(r.most_in_a_row),
            f"{r.calls_per_connect:.1f}",
            f"{r.first_most} / {_number(r.usual_most)}",
            f"{r.ms_per_decision:.2f}",
        ]
        for r in own
    ]
    return "\n".join(["### astdialer in detail", "", *_table(_DETAILS, rows)])


def _gates(gates: Iterable[Gate]) -> str:
    rows = [
        [gate.says, f"{gate.found:.2f}", _needed(gate), f"{'met' if gate.met else '**not met**'}, {gate.margin:+.2f}"]
        for gate in gates
    ]
    return "\n".join(["### Gates", "", *_table(["gate", "found", "needed", ""], rows)])


def _needed(gate: Gate) -> str:
    return f"{'at least' if gate.at_least else 'at most'} {gate.needed:g}"


def _number(value: float, places: int = 0) -> str:
    return "–" if math.isnan(value) else f"{value:.{places}f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(cells)} |"
