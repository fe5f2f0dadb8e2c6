"""Reading Asterisk's configuration files with pyst2.

pyst2 0.5.1 reads only ``[name]`` and ``key = value``: it dies of ``#include``, of ``[name](+)`` and ``[name](!)``, of
comment blocks and of text that is not UTF-8, and it keeps the blank before a value. What it can't read is taken care
of here, before it sees the lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from asterisk.config import Config as PystConfig

MOST_INCLUDES = 16  #: how deep files may include each other; Asterisk's own limit is 10

Settings = dict[str, str]

_SEMICOLON = "\x1f"  # in place of \;, at which pyst2 would end the value
_HEADER = re.compile(r"\[([^\]]*)\]\s*(?:\(([^)]*)\))?")
_INCLUDE = re.compile(r"#\s*(include|tryinclude)\s+(.*)")


class Unreadable(Exception):
    """The file, or one that it includes, can't be read. The message names it."""


class _Lines(PystConfig):  # type: ignore[misc]  # pyst2 has no types
    """pyst2's parser over lines that are in memory."""

    def __init__(self, name: str, lines: Sequence[str]) -> None:
        self._given = list(lines)
        super().__init__(name)

    def load(self) -> None:
        """Called by pyst2 in place of opening the file."""
        self.raw_lines = self._given


def sections(path: Path) -> Mapping[str, Settings]:
    """Every section with its settings as Asterisk has them: included files, templates and ``(+)`` resolved.

    The last value of a key counts. Templates themselves are left out. Raises Unreadable.
    """
    plain: list[str] = []
    options: list[list[str]] = []
    for line in _lines(path, path.parent, MOST_INCLUDES):
        if header := _HEADER.match(line):
            options.append([part.strip() for part in (header[2] or "").split(",") if part.strip()])
            plain.append(f"[{header[1].strip()}]")
        elif "=" in line and not line.startswith("#"):
            plain.append(line.replace("\\;", _SEMICOLON))
    return _resolved(_Lines(str(path), plain).categories, options)


def _resolved(categories: Sequence[Any], options: Sequence[Sequence[str]]) -> Mapping[str, Settings]:
    found: dict[str, Settings] = {}
    templates: set[str] = set()
    for category, words in zip(categories, options, strict=True):
        _check_parents(category.name, words, found)
        settings: Settings = dict(found.get(category.name, {})) if "+" in words else {}
        for parent in words:
            settings |= found.get(parent, {})
        settings |= {item.name: item.value.strip().replace(_SEMICOLON, ";") for item in category.items}
        found[category.name] = settings
        if "!" in words:
            templates.add(category.name)
    return {name: settings for name, settings in found.items() if name not in templates}


def _check_parents(name: str, words: Sequence[str], found: Mapping[str, Settings]) -> None:
    """Asterisk says "Category addition requested, but category does not exist" and refuses the file."""
    wanted = [name if word == "+" else word for word in words if word != "!"]
    if missing := [parent for parent in wanted if parent not in found]:
        raise Unreadable(
            f"[{name}]({','.join(words)}) builds on [{missing[0]}], which is not above it; Asterisk refuses the file"
        )


def _lines(path: Path, etc: Path, deep: int) -> Iterator[str]:
    """The lines of a file and of those it includes, without comments."""
    if deep == 0:
        raise Unreadable(f"{path}: files include each other without end")
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    for line in _without_comments(text):
        if include := _INCLUDE.match(line):
            for each in _included(include[2].strip().strip('"<>'), etc, optional=include[1] == "tryinclude"):
                yield from _lines(each, etc, deep - 1)
        else:
            yield line


def _included(name: str, etc: Path, *, optional: bool) -> Sequence[Path]:
    """The files that an #include names; it may have wildcards."""
    place = Path(name) if name.startswith("/") else etc / name
    if found := sorted(Path("/").glob(str(place.absolute()).lstrip("/"))):
        return found
    if optional or any(mark in name for mark in "*?["):
        return []
    raise Unreadable(f"{place}: included, but no such file")


def _without_comments(text: str) -> Iterator[str]:
    """Lines that say something. ``;--`` to ``--;`` is a comment of many lines, ``\\;`` is a semicolon."""
    text = re.sub(r"(?<!\\);--(?!-).*?--;", "", text, flags=re.DOTALL)
    for raw in text.splitlines():
        line = re.split(r"(?<!\\);", raw, maxsplit=1)[0].strip()
        if line:
            yield line
