"""Seconds of recording converted per second: our pool against plain ffmpeg run by xargs, on the same files.

    python benchmarks/convert.py [--files 200] [--seconds 60] [--workers N] [--rounds 3] [--json]

Both run with the same niceness and the same number of processes, in turns, on fresh copies of the files. Ours also
checks each MP3, forces it to disk, renames it and removes the GSM; xargs only encodes. Needs sox and ffmpeg.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from astdialer.config import Records
from astdialer.ports import Converted, Recording
from astdialer.records.files import RecordingFiles

DATE = "20170620"
NICENESS = 10  # that of our workers
ENCODE = 'ffmpeg -nostdin -hide_banner -loglevel error -y -f gsm -i "$1" -b:a 16k -f mp3 "${1%.gsm}.mp3"'


def main() -> None:
    """Measure and print."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="astdialer-bench-", dir=options.directory) as name:
        result = measure(Path(name), options)
    print(json.dumps(result, indent=2) if options.json else _text(result))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60, help="length of each recording")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", help="where to work; default: the system's temporary directory")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def measure(directory: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Both, in turns; speeds are seconds of audio per second of wall time."""
    model = _recording(directory / "model.gsm", options.seconds)
    ways: dict[str, Callable[[Path, int], None]] = {"astdialer": _ours, "xargs_ffmpeg": _xargs}
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(options.rounds):
        for name in sorted(ways, reverse=bool(turn % 2)):  # neither always finds the warmer machine
            wall, processor = _timed(ways[name], directory / name, model, options)
            speeds[name].append(options.files * options.seconds / wall)
            costs[name].append(processor / options.files / options.seconds * 3600)
    median = {name: round(statistics.median(values), 1) for name, values in speeds.items()}
    return {
        "files": options.files,
        "seconds_each": options.seconds,
        "workers": options.workers,
        "audio_seconds_per_second": median,
        "cpu_seconds_per_hour_of_audio": {name: round(statistics.median(values), 1) for name, values in costs.items()},
        "rounds": {name: [round(value, 1) for value in values] for name, values in speeds.items()},
        "astdialer_to_xargs": round(median["astdialer"] / median["xargs_ffmpeg"], 3),
        "machine": {"cpus": os.cpu_count(), "load_after": os.getloadavg()[0], "python": platform.python_version()},
    }


def _recording(path: Path, seconds: int) -> Path:
    """Noise in the band and rhythm of speech: silence or a pure tone would encode faster than a call does."""
    synth = ["synth", str(seconds), "pinknoise", "band", "-n", "1200", "1500", "tremolo", "4", "90", "vol", "0.8"]
    subprocess.run(["sox", "-D", "-R", "-n", "-r", "8000", "-c", "1", path, *synth], check=True)
    then = time.time() - 3600
    os.utime(path, (then, then))
    return path


def _timed(
    way: Callable[[Path, int], None], root: Path, model: Path, options: argparse.Namespace
) -> tuple[float, float]:
    """Wall and processor seconds."""
    folder = root / DATE
    folder.mkdir(parents=True)
    for number in range(options.files):
        shutil.copy2(model, folder / f"{number}.gsm")
    os.sync()
    began, spent = time.perf_counter(), _processor_s()
    way(root, options.workers)
    taken = time.perf_counter() - began, _processor_s() - spent
    made = [path for path in folder.glob("*.mp3") if path.stat().st_size > 1000]
    assert len(made) == options.files, f"{len(made)} of {options.files} converted"
    shutil.rmtree(root)
    return taken


def _processor_s() -> float:
    """Processor time of this process and of all that it started and that has ended, seconds."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _ours(root: Path, workers: int) -> None:
    async def convert() -> None:
        async with RecordingFiles(Records(directory=str(root), workers=workers)) as files:
            guids = [path.stem for path in (root / DATE).glob("*.gsm")]
            done = await asyncio.gather(*(files.convert(Recording(attempt_id=guid, date=DATE)) for guid in guids))
            assert all(isinstance(one, Converted) for one in done)

    asyncio.run(convert())


def _xargs(root: Path, workers: int) -> None:
    names = "\0".join(str(path) for path in (root / DATE).glob("*.gsm"))
    xargs = ["nice", "-n", str(NICENESS), "xargs", "-0", "-n", "1", "-P", str(workers), "sh", "-c", ENCODE, "-"]
    subprocess.run(xargs, input=names, text=True, check=True)


def _text(result: dict[str, Any]) -> str:
    lines = [f"{result['files']} recordings of {result['seconds_each']} s, {result['workers']} at a time"]
    for name, speed in result["audio_seconds_per_second"].items():
        lines.append(f"{name:<14}{speed:>8.0f} s of audio per second   {result['rounds'][name]}")
        lines.append(f"{'':<14}{result['cpu_seconds_per_hour_of_audio'][name]:>8.1f} s of processor per hour of audio")
    lines.append(f"astdialer / xargs: {result['astdialer_to_xargs']:.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
