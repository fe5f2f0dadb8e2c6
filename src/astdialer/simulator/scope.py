"""What can be rehearsed. Brings no arrays: the command line knows it before it rehearses."""

from __future__ import annotations

from astdialer.domain.settings import Mode

#: Modes in which calls are for agents who are rung last.
MODES = (Mode.PROGRESSIVE, Mode.POWER, Mode.PREDICTIVE)
#: Most days of a rehearsal.
MOST_DAYS = 30
