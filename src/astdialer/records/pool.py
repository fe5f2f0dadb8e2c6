"""A bounded pool of worker processes. A hang or crash in one costs its job and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from types import TracebackType
from typing import Self

from astdialer.domain.errors import Unavailable
from astdialer.records.job import Job, Reply

_COMMAND = (sys.executable, "-P", "-W", "ignore", "-m", "astdialer.records.worker")
_KILL_S = 5.0  # longest wait for a killed process to be gone


class ConversionFailed(Unavailable):
    """The converter failed; the source is as it was."""

    code = "conversion_failed"


class WorkerPool:
    """Up to ``workers`` processes, started when first needed; ``timeout_s`` is the longest time for one job."""

    def __init__(self, *, workers: int, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(workers)
        self._idle: list[Process] = []
        self._all: set[Process] = set()
        self._is_open = False

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers there are; each is a process group of its own."""
        return sorted(worker.pid for worker in self._all)

    async def __aenter__(self) -> Self:
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End every worker, idle or not; what they were at fails with ConversionFailed."""
        self._is_open = False
        await asyncio.gather(*(self._end(worker) for worker in tuple(self._all)))

    async def run(self, job: Job) -> float:
        """Do a job; returns the target's duration in seconds. Raises ConversionFailed."""
        async with self._slots:
            worker = await self._worker()
            is_sound = False
            try:
                reply = await self._ask(worker, job)
                is_sound = True
            finally:  # a worker that is late, gone or left by a cancelled caller is of no more use
                if is_sound and self._is_open:
                    self._idle.append(worker)
                else:
                    await asyncio.shield(self._end(worker))
        if reply.error:
            raise ConversionFailed(reply.error)
        return reply.duration_s

    async def _worker(self) -> Process:
        if not self._is_open:
            raise ConversionFailed("the converter is stopped")
        while self._idle:
            worker = self._idle.pop()
            if worker.returncode is None:
                return worker
            await self._end(worker)
        worker = await asyncio.create_subprocess_exec(
            *_COMMAND, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
        )
        self._all.add(worker)
        return worker

    async def _ask(self, worker: Process, job: Job) -> Reply:
        assert worker.stdin
        assert worker.stdout
        try:
            async with asyncio.timeout(self._timeout_s):
                worker.stdin.write(job.to_line())
                await worker.stdin.drain()
                line = await worker.stdout.readline()
        except TimeoutError:
            raise ConversionFailed(
                f"{job.source}: not done within {self._timeout_s:g} s ([records] timeout_s)"
            ) from None
        except ConnectionError:
            line = b""
        if not line.endswith(b"\n"):
            raise ConversionFailed(f"{job.source}: the worker process ended in the middle")
        return Reply.from_line(line)

    async def _end(self, worker: Process) -> None:
        """Kill a worker and what it runs, and wait until it is gone."""
        self._all.discard(worker)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.pid, signal.SIGKILL)  # the group outlives a dead worker as long as its ffmpeg lives
        if worker.stdin:
            worker.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_KILL_S):
                await worker.wait()
