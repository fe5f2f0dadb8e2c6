"""Rehearsals to look at: charts of a terminal, and the same as a PNG file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from astdialer.simulator.rehearsal import Figures, Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROWS = 4
_BLOCKS = " ▁▂▃▄▅▆▇█"
_GAP = "   "
#: Told apart without colours too (Okabe and Ito 2008).
_COLOURS = ("#0072B2", "#D55E00", "#009E73")
_LINES = ("-", "--", "-.")


# --- on a terminal ---------------------------------------------------------------------------------------------------


def charts(rehearsed: Sequence[Figures], width: int) -> str:
    """Of each mode the share of busy agents and of abandoned people over the hours; side by side as far as it fits."""
    top = _top([figures.limit for figures in rehearsed], [s.abandoned for f in rehearsed for s in f.steps])
    drawn = [_of_mode(figures, top) for figures in rehearsed if figures.steps]
    rows, row = [], drawn[:0]
    for chart in drawn:
        if row and sum(_wide(one) + len(_GAP) for one in row) + _wide(chart) > width:
            rows.append(row)
            row = []
        row = [*row, chart]
    return "\n\n".join(_beside(row) for row in (*rows, row) if row)


def _of_mode(figures: Figures, top: float) -> list[str]:
    name, steps = figures.mode.value, figures.steps
    return [
        *chart(f"{name}: agents busy, %", [step.busy for step in steps], 1.0, steps),
        "",
        *chart(f"{name}: abandoned so far that day, %", [step.abandoned for step in steps], top, steps),
    ]


def _top(limits: Sequence[float], shares: Sequence[float]) -> float:
    """The end of the scale: the limit is on one of its lines."""
    step = max(limits) / (_ROWS - 1)
    return _ROWS * step * max(1, -(-max(shares, default=0.0) // (_ROWS * step)))


def chart(title: str, shares: Sequence[float], top: float, steps: Sequence[Step]) -> list[str]:
    """Columns of blocks, with the hours below."""
    lines = [title]
    for row in range(_ROWS, 0, -1):
        cells = (_cell(share / top * _ROWS - (row - 1)) for share in shares)
        lines.append(f"{100 * top * row / _ROWS:5.3g} ┤{''.join(cells)}")
    return [*lines, f"    0 └{'─' * len(shares)}", _hours(steps)]


def _cell(filled: float) -> str:
    """A block; what is more than nothing can be seen."""
    return _BLOCKS[max(1, min(8, round(8 * filled)))] if filled > 0 else " "


def _hours(steps: Sequence[Step]) -> str:
    """Each whole hour below its column, as far as there is room; without any, the end."""
    line, free = [" "] * (len(steps) + 6), 0
    whole = [at for at, step in enumerate(steps, 1) if abs(step.hour - round(step.hour)) < 1e-9]
    for at in whole or [len(steps)]:
        label = f"{steps[at - 1].hour:.2g}"
        if at > free:
            line[at : at + len(label)] = label
            free = at + len(label)
    return " " * 6 + "".join(line).rstrip() + " h"


def _wide(chart_lines: Sequence[str]) -> int:
    return max(map(len, chart_lines))


def _beside(drawn: Sequence[Sequence[str]]) -> str:
    widths = [_wide(chart_lines) for chart_lines in drawn]
    lines = zip_longest(*drawn, fillvalue="")
    padded = (_GAP.join(f"{cell:<{n}}" for cell, n in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded)


# --- as a file -------------------------------------------------------------------------------------------------------


def write_png(path: Path, title: str, rehearsed: Sequence[Figures]) -> None:
    """Both charts one above the other, all modes in each. Raises OSError."""
    # It takes a second, which only pictures should cost.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.5), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display
    figure.suptitle(title, parse_math=False)
    busy, abandoned = figure.subplots(2, 1, sharex=True)
    _draw(busy, rehearsed, lambda step: step.busy)
    busy.set(ylabel="agents busy, %", ylim=(-2, 102))
    _draw(abandoned, rehearsed, lambda step: step.abandoned)
    limit = 100 * rehearsed[0].limit
    abandoned.axhline(limit, color="black", linewidth=1, linestyle=":", label="limit of abandoned people")
    highest = max([limit, *(100 * step.abandoned for figures in rehearsed for step in figures.steps)])
    abandoned.set(ylabel="abandoned so far that day, %", xlabel="hours", ylim=(-highest / 25, highest * 1.1))
    figure.legend(handles=abandoned.get_lines(), loc="outside lower center", ncols=len(rehearsed) + 1, frameon=False)
    figure.savefig(path, format="png", dpi=120)


def _draw(axes: Axes, rehearsed: Sequence[Figures], share: Callable[[Step], float]) -> None:
    for figures, colour, line in zip(rehearsed, _COLOURS, _LINES, strict=False):
        hours, shares = [step.hour for step in figures.steps], [100 * share(step) for step in figures.steps]
        axes.plot(hours, shares, color=colour, linestyle=line, label=figures.mode.value)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
