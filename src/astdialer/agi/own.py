"""An administrator's own AGI scripts: NAME.py in a folder, with ``async def run(session)``."""

from __future__ import annotations

import inspect
import logging
import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from astdialer.agi.session import Script
from astdialer.config import ConfigError

_NAME = re.compile(r"[a-z0-9_-]+")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OwnScripts:
    """What was found: route → script, and name → what is wrong with it."""

    routes: Mapping[str, Script]
    broken: Mapping[str, str]


class _Broken(Exception):
    """A file can't be a script."""


def load_folder(folder: Path, *, reserved: Collection[str]) -> OwnScripts:
    """Run every NAME.py of the folder once. A broken one is logged and left out; ConfigError if there is no folder."""
    if not folder.is_dir():
        raise ConfigError(f"[agi] scripts = {str(folder)!r}: expected an existing folder")
    routes: dict[str, Script] = {}
    broken: dict[str, str] = {}
    for file in sorted(folder.glob("*.py")):
        try:
            routes[file.stem] = _load(file, reserved)
        except _Broken as error:
            broken[file.stem] = str(error)
            logger.error("agi.own_script_broken", extra={"file": str(file), "error": str(error)})
        except (Exception, SystemExit) as error:
            broken[file.stem] = f"{type(error).__name__}: {error}"
            logger.exception("agi.own_script_broken", extra={"file": str(file), "error": broken[file.stem]})
    return OwnScripts(routes, broken)


def _load(file: Path, reserved: Collection[str]) -> Script:
    if not _NAME.fullmatch(file.stem):
        raise _Broken("its name may have the characters a-z 0-9 _ - only")
    if file.stem in reserved:
        raise _Broken("astdialer has a script of this name")
    run: Script | None = getattr(_import(file), "run", None)
    if not inspect.iscoroutinefunction(run):
        raise _Broken("it has no  async def run(session)")
    return run


def _import(file: Path) -> object:
    name = f"astdialer_agi_script_{file.stem}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise _Broken("Python can't load it")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
