"""A worker process: jobs on stdin, replies on stdout, one JSON object a line. Started by `pool`.

It ends, with whatever it runs, as soon as its stdin ends: that is how it notices that its parent is gone.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
from typing import BinaryIO, NoReturn

from astdialer.records.job import Job, Reply
from astdialer.records.transcode import TranscodeFailed, perform

_NICENESS = 10  # calls on the same machine come first


def main() -> NoReturn:
    """Work until stdin ends."""
    requests, replies = _take_pipes()
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # `_end` must not reach those who started us
    os.nice(_NICENESS)
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(requests, lines), daemon=True).start()
    while True:
        replies.write(_answer(lines.get()).to_line())
        replies.flush()


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Our stdin and stdout, out of the reach of ffmpeg, which reads the one, and of print, which spoils the other."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nothing, standard)
    os.close(nothing)
    return requests, replies


def _read(requests: BinaryIO, lines: queue.SimpleQueue[bytes]) -> None:
    for line in requests:
        lines.put(line)
    _end()


def _answer(line: bytes) -> Reply:
    try:
        return Reply(duration_s=perform(Job.from_line(line)))
    except TranscodeFailed as error:
        return Reply(error=str(error))
    except Exception as error:  # whatever pydub comes up with is the pool's to hear, not the worker's end
        return Reply(error=f"{type(error).__name__}: {error}")


def _end() -> NoReturn:
    os.killpg(os.getpgrp(), signal.SIGKILL)  # ffmpeg too; what it leaves is a temporary file
    raise SystemExit


if __name__ == "__main__":
    main()
