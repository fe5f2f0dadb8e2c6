"""The formats of a base: which field of a row means what. Pure; docs/reference/base-formats.md describes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from astdialer.domain import base_fields
from astdialer.domain.base_fields import Alternative, InvalidField, short
from astdialer.domain.contact import DEFAULT_PRIORITY
from astdialer.domain.names import NAME
from astdialer.upload.errors import RowError, UploadError
from astdialer.upload.instants import zone_name

MAX_PARAMS = 60
NATIVE = "campaign;number;params;alternatives;priority;agentphone"

_AGENTPHONE = re.compile(r"[A-Za-z0-9_@/-]{1,80}")
_PRIORITY = re.compile(r"[0-9]{1,6}")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]+")


def _fold(word: str) -> str:
    """For comparing header words: small letters, no accents, one underscore between words."""
    decomposed = unicodedata.normalize("NFKD", word.strip().lower())
    letters = "".join(c for c in decomposed if not unicodedata.combining(c))
    return re.sub(r"[\W_]+", "_", letters).strip("_")


#: Words of header lines, folded by _fold, and the field that they stand for.
_WORDS = {
    "campaign": "campaign campana campanha кампания",
    "number": (
        "number phone phonenumber phone_number telephone tel mobile cell msisdn mainnumber main_number destination "
        "numero telefono movil celular telefone telemovel numero_de_telefono numero_de_telefone numero_principal "
        "номер телефон номер_телефона мобильный"
    ),
    "params": "params parameters parametros параметры",
    "alt": (
        "alternatives alternative alt phone2 phone_2 phone3 phone_3 number2 number_2 tel2 second_phone alternativos "
        "alternativo alternativas telefono2 telefono_2 telefone2 telefone_2 телефон2 телефон_2 дополнительный_телефон"
    ),
    "priority": "priority prioridad prioridade приоритет",
    "agentphone": "agentphone agent_phone telefono_agente telefone_agente ramal_agente телефон_агента",
    # zone, expiry and the like, alone, are usual words of the user's own: a region, a card's date, a debt's
    "timezone": "timezone time_zone tz zona_horaria huso_horario fuso_horario часовой_пояс",
    "bucket": "bucket",
    "not_before": "not_before notbefore no_antes_de nao_antes_de не_раньше не_ранее",
    "expires": "expires expires_at expire expire_at no_despues_de nao_depois_de не_позже не_позднее",
}
ROLES = tuple(_WORDS)
_ROLE_OF = {_fold(word): role for role, words in _WORDS.items() for word in words.split()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which field (0 first) holds what; -1: no field does. ``columns`` are params by the field that holds them."""

    number: int
    width: int
    expected: str  #: the fields, for messages
    campaign: int = -1
    params: int = -1
    alternatives: tuple[int, ...] = ()
    priority: int = -1
    agentphone: int = -1
    timezone: int = -1
    bucket: int = -1
    not_before: int = -1
    expires: int = -1
    columns: Mapping[int, str] = field(default_factory=dict)

    def meanings(self, header: Sequence[str]) -> dict[str, str]:
        """What each column of a header is taken for: a role, or ``param NAME``."""
        found = {getattr(self, role): role for role in ROLES if role != "alt"}
        found |= dict.fromkeys(self.alternatives, "alt")
        found |= {index: f"param {name}" for index, name in self.columns.items()}
        return {column: found[index] for index, column in enumerate(header)}


class Row(NamedTuple):
    """The meaning of one row; numbers are still as the base has them."""

    campaign: str
    number: str
    params: dict[str, str]
    alternatives: list[Alternative]
    priority: int
    agentphone: str
    timezone: str = ""  #: a zone that exists
    bucket: str = ""
    not_before: str = ""  #: as the base has it: what it means depends on the zone
    expires: str = ""
    mistakes: tuple[RowError, ...] = ()  #: alternatives that can't be read


NATIVE_LAYOUT = Layout(
    campaign=0, number=1, params=2, alternatives=(3,), priority=4, agentphone=5, width=6, expected=NATIVE
)


# --- layouts ---------------------------------------------------------------------------------------------------------


def is_header(fields: Sequence[str]) -> bool:
    """Whether a first line names columns: one of them is a usual word for the telephone number."""
    return any(_ROLE_OF.get(_fold(field)) == "number" for field in fields)


def looks_native(fields: Sequence[str]) -> bool:
    """Whether a first line may be a row of the semicolon format: its second field has digits."""
    return 2 <= len(fields) <= 6 and sum(character.isdigit() for character in fields[1]) >= 3


def layout_of(header: Sequence[str], mapping: Sequence[tuple[str, str]] = ()) -> Layout:
    """The layout that a header line gives.

    ``mapping`` is pairs of a role, or a new name for a param, and a column's name (in any case). Columns that it
    does not name get their role by usual words, and are params otherwise. Raises UploadError.
    """
    roles, names = _mapped(header, mapping)
    taken = {role for role in roles.values() if role != "alt"}
    for index, column in enumerate(header):
        role = _ROLE_OF.get(_fold(column))
        if index not in roles and index not in names and role and role not in taken:
            roles[index] = role
            taken.update({role} - {"alt"})
    if "number" not in taken:
        raise UploadError(f"no column has the number: name it with --map number=COLUMN. Columns: {', '.join(header)}")
    columns = _param_names(header, {*roles}, names)
    single = {role: index for index, role in roles.items() if role != "alt"}
    alternatives = tuple(sorted(index for index, role in roles.items() if role == "alt"))
    expected = ", ".join(header)
    return Layout(**single, alternatives=alternatives, columns=columns, width=len(header), expected=expected)


def _mapped(header: Sequence[str], mapping: Sequence[tuple[str, str]]) -> tuple[dict[int, str], dict[int, str]]:
    """Roles by column, and names of params by column, that the user gave."""
    index_of = {_fold(column): index for index, column in reversed(list(enumerate(header)))}
    roles: dict[int, str] = {}
    names: dict[int, str] = {}
    for name, column in mapping:
        index = index_of.get(_fold(column))
        if index is None:
            raise UploadError(f"--map {name}={column}: no such column; the file has {', '.join(header)}")
        role = name.lower()
        if index in roles or index in names or (role != "alt" and role in roles.values()):
            raise UploadError(f"--map {name}={column}: the column or the field is mapped already")
        if role in ROLES:
            roles[index] = role
        elif base_fields.is_param_name(name):
            names[index] = name
        else:
            raise UploadError(f"--map {name}={column}: expected one of {', '.join(ROLES)}, or a name for a param")
    return roles, names


def _param_names(header: Sequence[str], roles: set[int], names: Mapping[int, str]) -> dict[int, str]:
    """A distinct variable name for every column that is a param."""
    columns: dict[int, str] = {}
    used: set[str] = set()
    for index, column in enumerate(header):
        if index not in roles:
            name = names.get(index) or _variable(column) or f"column_{index + 1}"
            if name.lower() in used:
                name = f"{name[:58]}_{index + 1}"
            used.add(name.lower())
            columns[index] = name
    if len(columns) > MAX_PARAMS:
        raise UploadError(f"{len(columns)} columns would become params; at most {MAX_PARAMS} can")
    return columns


def _variable(column: str) -> str:
    """``Número de cuenta`` → ``Numero_de_cuenta``; empty when no Latin letter or digit is left."""
    plain = unicodedata.normalize("NFKD", column).encode("ascii", "ignore").decode()
    return _NOT_IN_NAMES.sub("_", plain).strip("_")[:64]


# --- rows ------------------------------------------------------------------------------------------------------------


def read_row(fields: Sequence[str], layout: Layout) -> Row:
    """The meaning of a row's fields. Raises RowError."""
    padded = _fitted(fields, layout)
    alternatives, mistakes = _alternatives(padded, layout.alternatives)
    return Row(
        campaign=padded[layout.campaign].strip(),
        number=padded[layout.number].strip(),
        params=_params(padded, padded[layout.params], layout.columns),
        alternatives=alternatives,
        priority=_priority(padded[layout.priority].strip()),
        agentphone=_agentphone(padded[layout.agentphone].strip()),
        timezone=_zone(padded[layout.timezone].strip()),
        bucket=_bucket(padded[layout.bucket].strip()),
        not_before=padded[layout.not_before].strip(),
        expires=padded[layout.expires].strip(),
        mistakes=mistakes,
    )


def _fitted(fields: Sequence[str], layout: Layout) -> list[str]:
    """As many fields as the layout has, and an empty one after them, which is where -1 points.

    Too few or too many fields move values into fields that are not theirs; only empty ones at the end do no harm, and
    the optional ones of the semicolon format.
    """
    width, count = layout.width, len(fields)
    if count == width:
        return [*fields, ""]
    least = 2 if layout is NATIVE_LAYOUT else width
    if count < least or any(field.strip() for field in fields[width:]):
        raise RowError("fields", f"{count} fields, expected {width}: {layout.expected}")
    return [*fields[:width], *[""] * (max(width - count, 0) + 1)]


def _params(fields: Sequence[str], text: str, columns: Mapping[int, str]) -> dict[str, str]:
    params = parse_params(text) if text else {}
    for index, name in columns.items():
        value = _value(name, fields[index])
        if value:
            params[name] = value
    if len(params) > MAX_PARAMS:
        raise RowError("params", f"{len(params)} params; at most {MAX_PARAMS} can become channel variables")
    return params


T = TypeVar("T")


def _read(reader: Callable[[str], T], text: str) -> T:
    """What the field says. Raises RowError."""
    try:
        return reader(text)
    except InvalidField as error:
        raise RowError(error.key, str(error)) from None


def parse_params(text: str) -> dict[str, str]:
    """``k=v:k=v``. Raises RowError."""
    return _read(base_fields.parse_params, text)


def _value(name: str, value: str) -> str:
    try:
        return base_fields.param_value(name, value)
    except InvalidField as error:
        raise RowError(error.key, str(error)) from None


def _alternatives(fields: Sequence[str], indexes: Sequence[int]) -> tuple[list[Alternative], tuple[RowError, ...]]:
    """In the order of trying: the higher priority first, then P first, U last; and what is wrong with others."""
    found: list[Alternative] = []
    mistakes: list[RowError] = []
    for piece in (piece for index in indexes if fields[index] for piece in base_fields.pieces(fields[index])):
        try:
            found.append(parse_alternative(piece))
        except RowError as error:
            mistakes.append(error)
    return base_fields.in_order(found) if len(found) > 1 else found, tuple(mistakes)


def parse_alternative(piece: str) -> Alternative:
    """A number with its type, see domain/base_fields.py. Raises RowError."""
    return _read(base_fields.parse_alternative, piece)


def _priority(text: str) -> int:
    if not text:
        return DEFAULT_PRIORITY
    if _PRIORITY.fullmatch(text) and int(text) > 0:
        return int(text)
    raise RowError("priority", f"priority {short(text)}: expected a whole number from 1 to 999999")


def _agentphone(text: str) -> str:
    if text and not _AGENTPHONE.fullmatch(text):
        raise RowError("agentphone", f"agentphone {short(text)}: expected letters, digits or _ - @ /, 80 at most")
    return text


def _zone(text: str) -> str:
    return zone_name(text) if text else ""


def _bucket(text: str) -> str:
    if text and not NAME.fullmatch(text):
        raise RowError("bucket", f"bucket {short(text)}: expected 1 to 64 letters, digits or _ . @ + -")
    return text
