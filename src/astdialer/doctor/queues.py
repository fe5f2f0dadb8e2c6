"""The queues of campaigns: do they exist, has anybody logged in, are they set up for dialing?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from astdialer.doctor.asterisk_files import Unreadable, sections
from astdialer.doctor.findings import Finding, fault, ok, or_ok, warning
from astdialer.doctor.server import Asker, Message
from astdialer.domain.campaign import Campaign

_TRUE = ("yes", "true", "y", "t", "1", "on")
_OUT_OF_REACH = ("4", "5")  #: INVALID, UNAVAILABLE
_RELOAD = "then: asterisk -rx 'queue reload all'"


async def queue(name: str, asker: Asker) -> Sequence[Finding]:
    """Whether Asterisk has the queue, and members that can be rung."""
    check = f"queue {name}"
    items = await asker.action_list({"Action": "QueueStatus", "Queue": name})
    if not any(item.get("Event") == "QueueParams" for item in items):
        remedy = f"Make it: a section [{name}] in queues.conf (see queues_astdialer.conf), {_RELOAD}"
        return [fault(check, "Asterisk has no such queue", remedy)]
    members = [item for item in items if item.get("Event") == "QueueMember"]
    return or_ok(check, f"{len(members)} members", _member_troubles(check, members))


def _member_troubles(check: str, members: Sequence[Message]) -> Iterator[Finding]:
    if not members:
        remedy = "Let agents log in (AddQueueMember), or add member => lines; nothing is dialed without a free agent."
        yield warning(check, "has no members", remedy)
        return
    gone = [member for member in members if member.get("Status") in _OUT_OF_REACH]
    if len(gone) == len(members):
        remedy = "Are the agents' telephones registered? asterisk -rx 'queue show' and 'pjsip show contacts' tell."
        yield warning(check, f"none of its {len(members)} members can be rung", remedy)
    for member in members:
        place = member.get("Location", "")
        if place.startswith("Local/") and member.get("StateInterface") in ("", place):
            remedy = f"Give the member its telephone's state: member => {place},0,NAME,PJSIP/…"
            yield warning(check, f"{place} seems free always: it has no state interface", remedy)


def read(etc: Path) -> Mapping[str, Mapping[str, str]] | str:
    """queues.conf, or why it can't be read."""
    try:
        return sections(etc / "queues.conf")
    except Unreadable as error:
        return str(error)


def settings(campaign: Campaign, conf: Mapping[str, Mapping[str, str]] | str) -> Sequence[Finding]:
    """Whether the queue's settings are those that campaigns need."""
    name, check = campaign.settings.queue, f"queue {campaign.settings.queue}: settings"
    if isinstance(conf, str):
        remedy = "Look at them by hand (asterisk_conf/queues_astdialer.conf), or name the folder: --asterisk-etc DIR"
        return [warning(check, f"not seen: {conf}", remedy)]
    if name not in conf:
        remedy = "It may come from a database (realtime): compare it with asterisk_conf/queues_astdialer.conf by hand."
        return [warning(check, "not seen: queues.conf has no such section", remedy)]
    return or_ok(
        check, "timeoutpriority, setinterfacevar, wrapuptime are right", _troubles(check, campaign, conf[name])
    )


def _troubles(check: str, campaign: Campaign, found: Mapping[str, str]) -> Iterator[Finding]:
    if (priority := found.get("timeoutpriority", "app")) != "conf":
        remedy = f"timeoutpriority = conf in queues.conf, {_RELOAD}"
        text = (
            f"timeoutpriority = {priority}: an agent's phone stops ringing after agent_wait_s, and the person is lost"
        )
        yield fault(check, text, remedy)
    if found.get("setinterfacevar", "no").lower() not in _TRUE:
        remedy = f"setinterfacevar = yes in queues.conf, {_RELOAD}"
        yield warning(check, "setinterfacevar is off: the engine may not learn who took a call", remedy)
    wrap_up, wanted = found.get("wrapuptime", "0"), campaign.settings.wrap_up_s
    if wrap_up != str(wanted):
        remedy = f"astdialer campaign set {campaign.name} wrap_up_s={wrap_up}, or wrapuptime = {wanted} in queues.conf"
        text = f"wrapuptime = {wrap_up}, but campaign {campaign.name} has wrap_up_s={wanted}"
        yield warning(check, text, remedy)
    if found.get("joinempty", "yes").lower() not in _TRUE:
        text = f"joinempty = {found['joinempty']}: a person is turned away while every agent is busy for a moment"
        yield warning(check, text, f"joinempty = yes and leavewhenempty = no in queues.conf, {_RELOAD}")


def amd_conf(campaign: Campaign, etc: Path) -> Finding | None:
    """app_amd does not load without amd.conf. None when the campaign does not need it or the folder can't be seen."""
    if not campaign.settings.amd or not etc.is_dir():
        return None
    check = f"campaign {campaign.name}: AMD"
    if (etc / "amd.conf").exists():
        return ok(check, f"{etc}/amd.conf is there")
    remedy = "Copy Asterisk's sample amd.conf there; then: asterisk -rx 'module load app_amd.so'"
    return fault(check, f"no {etc}/amd.conf: app_amd does not load without it", remedy)
