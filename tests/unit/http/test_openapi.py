"""The OpenAPI document, which clients and docs/reference/http-api.md are made of."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from http_hands import Hands, hands

from astdialer.domain.access import Permission
from astdialer.http.dialect import Dialect, bearer, problem_json
from astdialer.http.openapi import operation_id

REFERENCE = Path(__file__).parents[3] / "docs/reference/http-api.md"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Hands]:
    async with hands(tmp_path) as opened:
        yield opened


@pytest.fixture
async def document(api: Hands) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (await api.client.get("/v1/openapi.json")).json()
    return found


def operations(document: Mapping[str, Any], prefix: str = "/") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if path.startswith(prefix):
                yield f"{method.upper()} {path}", operation


async def test_every_endpoint_has_a_readable_id_of_its_own(document: Mapping[str, Any]) -> None:
    ids = Counter(operation["operationId"] for _, operation in operations(document))
    assert [name for name, count in ids.items() if count > 1] == []
    assert [name for name in ids if not re.fullmatch(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*", name) or "_v1_" in name] == []


def test_an_endpoint_of_another_dialect_has_its_name_in_front() -> None:
    router = APIRouter()

    @router.get("/other/things")
    @router.get("/v1/things")
    async def list_things() -> None: ...

    dialects = [
        Dialect(name=name, prefixes=(prefix,), router=router, find=bearer, tell=problem_json)
        for name, prefix in (("other", "/other"), ("native", "/v1"))
    ]
    name = operation_id(lambda path: next((each for each in dialects if each.owns(path)), None))
    routes = {route.path: name(route) for route in router.routes if isinstance(route, APIRoute)}
    assert routes == {"/v1/things": "list_things", "/other/things": "other_list_things"}


async def test_every_endpoint_says_what_it_does_and_what_it_needs(document: Mapping[str, Any]) -> None:
    known = set(Permission)
    for where, operation in operations(document, "/v1/"):
        assert operation["summary"], where
        assert operation["description"], where
        assert operation["tags"], where
        assert operation["x-permissions"], where
        assert set(operation["x-permissions"]) <= known, where


async def test_every_answer_but_an_empty_one_has_a_shape_or_a_type_of_its_own(document: Mapping[str, Any]) -> None:
    for where, operation in operations(document, "/v1/"):
        for status, answer in operation["responses"].items():
            if status == "204" or status.startswith("3"):
                continue
            contents = answer.get("content", {})
            if "application/json" in contents:
                assert contents["application/json"]["schema"], (where, status)
            elif status < "300":
                assert contents, (where, status)


async def test_errors_are_problem_json_alone(document: Mapping[str, Any]) -> None:
    for where, operation in operations(document, "/v1/"):
        answer = operation["responses"]["422"]
        assert list(answer["content"]) == ["application/problem+json"], where


async def test_every_endpoint_is_in_the_reference(document: Mapping[str, Any]) -> None:
    headings = set(re.findall(r"^### (\S+ /\S+)$", REFERENCE.read_text(encoding="utf-8"), re.M))
    assert {where for where, _ in operations(document, "/v1/")} <= headings
    assert {"GET /healthz", "GET /readyz", "GET /metrics"} <= headings


async def test_who_needs_no_token_is_told_so(document: Mapping[str, Any]) -> None:
    assert document["security"] == [{"token": []}]
    open_to_all = {where for where, operation in operations(document) if operation.get("security") == []}
    assert open_to_all == {"GET /healthz", "GET /readyz"}
    assert document["paths"]["/metrics"]["get"]["x-permissions"] == ["read"]


async def test_links_within_the_reference_lead_somewhere() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    anchors = {heading.lower() for heading in re.findall(r"^### (\w+)$", text, re.M)}
    assert {link for link in re.findall(r"\]\(#(\w+)\)", text)} <= anchors
    assert {
        link for link in re.findall(r"\]\(((?!http|#)[^)]+)\)", text) if not (REFERENCE.parent / link).exists()
    } == set()
