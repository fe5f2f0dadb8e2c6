"""docs/reference/http-api.md, from the OpenAPI document of the native API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

from doc_markdown import NOTE, code, plain, table

from astdialer import config
from astdialer.domain.access import PERMISSIONS, Permission, Role
from astdialer.domain.hooks import KINDS
from astdialer.http.application import make
from astdialer.http.dialects import dialects
from astdialer.http.services import Services

#: Shapes that are one word of several.
WORDS = {
    "Disposition": "a [disposition](../explanation/dispositions.md)",
    "Permission": "a permission",
    "Role": "a role",
}

HTTP = """\
`astdialer serve` serves it at `http://127.0.0.1:8480` unless [`[http]`](configuration.md) says otherwise. The OpenAPI
3.1 document of everything that is spoken there is at `/v1/openapi.json`.

```console
$ astdialer token create crm --role integration
astd_…
$ curl -H 'Authorization: Bearer astd_…' http://127.0.0.1:8480/v1/campaigns
```

A token has one role, and may be of one tenant: then nothing but that tenant's campaigns and their contacts, calls,
recordings and agents is there for it, and what it makes is its tenant's. Trunks, routes, caller ids and agents'
profiles are the whole installation's: a tenant's token never has `setup`."""

HTTP_USE = """\
- Instants are milliseconds since 1970 UTC. Names that end in `_s` are seconds.
- Lists come in pages: `limit` says how many items, and `next` of an answer is the `cursor` of the page behind it, null
  on the last one.
- A request with an `Idempotency-Key` (1 to 255 printable characters) is done once: the same again within a day gets the
  same answer, with `Idempotency-Replayed: true`. One that failed may be tried again with its key.
- Errors are [problem+json](https://www.rfc-editor.org/rfc/rfc9457): 400 the request can't be read, 401 no good token,
  403 the token does not allow it, 404 it is not there or is another tenant's, 405 the path has other methods, 409 not
  in the present state, 413 too large, 422 a value that can't be, 429 too many requests (`Retry-After` says when to come
  again), 503 Asterisk, the store or the engine is not there. Then nothing was changed. `errors` names the fields:

```json
{
  "type": "urn:astdialer:problem:invalid_setting",
  "title": "Unprocessable Content",
  "status": 422,
  "detail": "max_calls = '0': expected a whole number from 1 to 10000",
  "instance": "/v1/campaigns",
  "errors": [{"field": "max_calls", "message": "max_calls = '0': expected a whole number from 1 to 10000"}]
}
```

Events, as webhooks and `GET /v1/events` tell them:"""

SHAPES = "*Always*: it has to be sent, or is in every answer."


def http_page() -> str:
    """docs/reference/http-api.md."""
    found = openapi()
    own = [
        (path, method, operation)
        for path, methods in found["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/v1/") or "health" in operation.get("tags", ())
    ]
    tags = dict.fromkeys(operation["tags"][0] for _, _, operation in own)
    parts = ["# The HTTP API", NOTE, HTTP, roles_table(), HTTP_USE, kinds_table()]
    for tag in sorted(tags, key=lambda tag: tag == "health"):  # the others as they are in the document
        parts.append(f"## {tag}")
        parts += [endpoint(*each) for each in own if each[2]["tags"][0] == tag]
    schemas = found["components"]["schemas"]
    parts += ["## Shapes", SHAPES, *(shape(name, schemas[name]) for name in sorted(used(own, schemas), key=called))]
    return "\n\n".join(parts) + "\n"


@cache
def openapi() -> Mapping[str, Any]:
    """The document of an application that has nothing behind it."""
    nothing = dict.fromkeys(("store", "clock", "read_number", "read_covered", "library", "notifier", "spool"))
    services = Services(zone="UTC", settings=config.Http(), agi=config.Agi(), **cast(Any, nothing))
    return make(services, dialects()).openapi()


def roles_table() -> str:
    """Which role has which permission."""
    rows = [
        (code(permission), *("yes" if permission in PERMISSIONS[r] else "" for r in Role)) for permission in Permission
    ]
    return table(("permission", *map(str, Role)), rows)


def kinds_table() -> str:
    """Every kind of event."""
    return table(("kind", "comes when"), [(code(kind), words) for kind, words in KINDS.items()])


def endpoint(path: str, method: str, operation: Mapping[str, Any]) -> str:
    """One endpoint."""
    permissions = " or ".join(map(code, operation.get("x-permissions", ())))
    needs = (
        f"Needs {permissions}" if permissions else "Asks for no token" if "security" in operation else "Needs a token"
    )
    parts = [
        f"### {method.upper()} {path}",
        plain(operation.get("description", "")),
        f"{needs}. `{operation['operationId']}`",
    ]
    parameters = [
        (
            code(each["name"]),
            each["in"],
            sent(each["schema"]),
            plain(each.get("description")),
            example(each["schema"]),
        )
        for each in operation.get("parameters", ())
    ]
    if parameters:
        parts.append(table(("parameter", "in", "takes", "meaning", "example"), parameters))
    if "requestBody" in operation:
        optional = "" if operation["requestBody"].get("required") else ", which may be left out"
        contents = operation["requestBody"]["content"].items()
        bodies = ", ".join(body(kind, content).removesuffix(" or null") for kind, content in contents)
        parts.append(f"Body: {bodies}{optional}.")
    answers = [f"{status} {answer(each)}" for status, each in operation["responses"].items() if is_own(each)]
    return "\n\n".join([*parts, f"Answers: {'; '.join(answers)}."])


def is_own(answer: Mapping[str, Any]) -> bool:
    """Whether an answer is none of the errors that every endpoint may have."""
    return "application/problem+json" not in answer.get("content", {})


def answer(found: Mapping[str, Any]) -> str:
    """What an answer has in it."""
    bodies = [body(kind, content) for kind, content in found.get("content", {}).items()]
    words = "" if found["description"] == "Successful Response" else plain(found["description"]).rstrip(".")
    return ": ".join(filter(None, (words, ", ".join(bodies)))) or "without a body"


def body(kind: str, content: Mapping[str, Any]) -> str:
    """A body: its shape, or its type where it has none."""
    words = taken_by(content.get("schema", {}))
    return words if kind == "application/json" else code(kind)


def used(own: list[tuple[str, str, Mapping[str, Any]]], schemas: Mapping[str, Any]) -> set[str]:
    """The shapes that endpoints speak of, and those that these speak of."""
    found: set[str] = set()
    left = set(references(own))
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left |= set(references(schemas[name]))
    return {name for name in found if "properties" in schemas[name] and not name.startswith("Page_")}


def references(part: object) -> Iterator[str]:
    """Names of shapes in a part of the document."""
    return (match.rpartition("/")[2] for match in re.findall(r"#/components/schemas/\w+", json.dumps(part)))


def shape(name: str, schema: Mapping[str, Any]) -> str:
    """One shape."""
    required = schema.get("required", ())
    rows = [
        (code(name), taken_by(each), "yes" if name in required else "", plain(each.get("description")), example(each))
        for name, each in schema["properties"].items()
    ]
    head = ("field", "takes", "always", "meaning", "example")
    return "\n\n".join([f"### {called(name)}", plain(schema.get("description", "")), table(head, rows)])


def taken_by(schema: Mapping[str, Any]) -> str:
    """What kind of value it is, and its limits."""
    if "$ref" in schema:
        return reference(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(taken_by(each) for each in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(code(str(each)) for each in schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {taken_by(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {taken_by(schema['additionalProperties'])}"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(kind, kind)
    return words + limits(schema)


def sent(schema: Mapping[str, Any]) -> str:
    """The same of a parameter: null is to leave it out."""
    return taken_by(schema).removesuffix(" or null")


def limits(schema: Mapping[str, Any]) -> str:
    """How large a number, and how long a text, may be."""
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    words = "" if low is None else f" from {low:.12g}" if "minimum" in schema else f" above {low:.12g}"
    if high is not None and high < 2**53:
        words += f" to {high:.12g}"
    return words + (f" of at most {schema['maxLength']} characters" if "maxLength" in schema else "")


def reference(name: str) -> str:
    """A shape by its name: a link, a page of something, or the words of an enumeration."""
    if name.startswith("Page_"):
        inner = name.removeprefix("Page_").removesuffix("_")
        return f"a page of {'objects' if inner.startswith('dict_') else reference(inner)}"
    schema = openapi()["components"]["schemas"][name]
    if name in WORDS or "properties" not in schema:
        return WORDS.get(name) or taken_by(schema)
    return f"[{called(name)}](#{called(name).lower()})"


def called(name: str) -> str:
    """What a shape is called: its own name, or with its module's where several have the same."""
    *module, own = name.split("__")
    return own + "".join(f"Of{each.title()}" for each in module[-1:])


def example(schema: Mapping[str, Any]) -> str:
    """The first example, as JSON has it."""
    examples = [each for each in schema.get("examples", ()) if each not in (None, "")]
    return code(json.dumps(examples[0], ensure_ascii=False).replace("`", "'")) if examples else ""
