"""Trunks: their server, their dial string, and what Asterisk knows about where they lead."""

from __future__ import annotations

import re
from collections.abc import Collection

from astdialer.doctor.findings import Finding, fault, ok, warning
from astdialer.doctor.server import Asker, has_context, value
from astdialer.domain.errors import InvalidSetting
from astdialer.domain.trunk import Trunk, check_dial

_LOCAL = re.compile(r"Local/[^@]*@([^/]+)", re.IGNORECASE)
_PJSIP_AT = re.compile(r"PJSIP/[^@/]*@([^/@]+)", re.IGNORECASE)
_PJSIP_URI = re.compile(r"PJSIP/([^/{}]+)/sip", re.IGNORECASE)


def settings(trunk: Trunk, servers: Collection[str]) -> Finding | None:
    """What is wrong with the trunk before Asterisk is asked; None if nothing."""
    check = f"trunk {trunk.name}"
    if trunk.server not in servers:
        remedy = f"astdialer trunk set {trunk.name} --server {next(iter(servers))}, or add [ami.servers.{trunk.server}]"
        return fault(check, f"is on server {trunk.server}, which the configuration does not have", remedy)
    try:
        check_dial(trunk.dial)
    except InvalidSetting as error:
        return fault(check, str(error), f"astdialer trunk set {trunk.name} --dial 'PJSIP/{{number}}@…'")
    if not trunk.enabled:
        return warning(check, "is disabled: its campaigns do not dial", f"astdialer trunk set {trunk.name} --enabled")
    return None


async def where_to(trunk: Trunk, asker: Asker) -> Finding:
    """What Asterisk knows about the endpoint or the context that the dial string names."""
    check = f"trunk {trunk.name}"
    if local := _LOCAL.match(trunk.dial):
        return await _context(check, trunk, local[1], asker)
    if endpoint := _PJSIP_AT.match(trunk.dial) or _PJSIP_URI.match(trunk.dial):
        return await _endpoint(check, trunk, endpoint[1], asker)
    return ok(check, f"{trunk.dial}: no check for this technology")


async def _context(check: str, trunk: Trunk, context: str, asker: Asker) -> Finding:
    there = await has_context(asker, context)
    if there is False:
        remedy = "Name the context of your outbound rules: from-internal on FreePBX and Issabel."
        return fault(check, f"{trunk.dial}: Asterisk has no context {context}", remedy)
    return ok(check, f"{trunk.dial}: context {context} {'is there' if there else 'could not be looked for'}")


async def _endpoint(check: str, trunk: Trunk, endpoint: str, asker: Asker) -> Finding:
    state = await value(asker, f"DEVICE_STATE(PJSIP/{endpoint})") or await _known(endpoint, asker)
    if state == "INVALID":
        remedy = f"Is [{endpoint}] an endpoint in pjsip.conf? asterisk -rx 'pjsip show endpoints' lists them."
        return fault(check, f"{trunk.dial}: Asterisk has no PJSIP endpoint {endpoint}", remedy)
    if state == "UNAVAILABLE":
        remedy = f"Registration, address, firewall? asterisk -rx 'pjsip show endpoint {endpoint}' says more."
        return warning(check, f"{trunk.dial}: endpoint {endpoint} is not reachable now", remedy)
    return ok(check, f"{trunk.dial}: endpoint {endpoint} {state}")


async def _known(endpoint: str, asker: Asker) -> str:
    """For an Asterisk without func_devstate: PJSIPQualify names endpoints that it does not have."""
    answer = await asker.action({"Action": "PJSIPQualify", "Endpoint": endpoint})
    if answer.get("Response") == "Success":
        return "is there (no state: func_devstate.so is not loaded)"
    return "INVALID" if "endpoint" in answer.get("Message", "").lower() else "could not be looked for"
