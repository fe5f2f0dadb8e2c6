"""Putting a call into words for Asterisk: dial string, caller id and the dialplan's variables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from astdialer.domain.answer import machine_action, person_action
from astdialer.domain.campaign import Campaign
from astdialer.domain.params import parse_params, with_own
from astdialer.domain.settings import NotSure
from astdialer.domain.trunk import Trunk
from astdialer.engine.calls import Call
from astdialer.ports import Origination

CONTEXT = "astdialer-answered"
LEG_CONTEXT = "astdialer-agent-leg"
PREVIEW_CONTEXT = "astdialer-preview"
#: AMD, and a moment: an agent's leg outlives the ringing of the contact by so long.
HOLD_MARGIN_S = 30
LONGEST_NAME = 60
#: What has a meaning in a caller id.
#: By one of these most telephones are told to answer by themselves.
AUTO_ANSWER = {
    "Call-Info": "<sip:astdialer>;answer-after=0",
    "Alert-Info": "<http://astdialer>;info=alert-autoanswer;delay=0",
}
_UNFIT = re.compile(r"[\x00-\x1f\x7f\"<>\\,;|]")


@dataclass(frozen=True, slots=True, kw_only=True)
class DialplanPlaces:
    """Where the dialplan finds us and our files. ``sound_directory`` is for relative names; empty: Asterisk's own."""

    agi_address: str
    sound_directory: str = ""

    def sound(self, name: str) -> str:
        """The sound's name for Playback: no extension."""
        path = Path(name)
        if self.sound_directory and name and not path.is_absolute():
            path = Path(self.sound_directory) / path
        bare = path.with_suffix("") if path.suffix in (".gsm", ".wav", ".ulaw", ".alaw", ".sln", ".g722") else path
        return str(bare) if name else ""


def origination(
    call: Call, campaign: Campaign, trunk: Trunk, places: DialplanPlaces, record_path: Path | None
) -> Origination:
    """The Originate of a claimed call."""
    settings, attempt = campaign.settings, call.attempt
    return Origination(
        attempt_id=attempt.id,
        server=attempt.server,
        channel=_channel(call, trunk),
        caller_id=call.caller_id,
        timeout_s=settings.ring_s,
        account=campaign.name,
        context=CONTEXT,
        variables=_variables(call, campaign, places, record_path),
    )


def _channel(call: Call, trunk: Trunk) -> str:
    attempt = call.attempt
    number = next(n for n in call.contact.numbers if n.id == attempt.number_id)
    if call.via_context:
        return f"Local/{attempt.dialed_as or number.as_uploaded}@{call.via_context}"
    return trunk.dial_string(number.number, number.as_uploaded, attempt.dialed_as)


def agent_leg(
    call: Call, campaign: Campaign, places: DialplanPlaces, *, timeout_s: float, preview: bool
) -> Origination:
    """The Originate that rings the agent for whom the call is reserved."""
    settings, attempt = campaign.settings, call.attempt
    ours = {
        "ASTDIALER_ID": attempt.id,
        "ASTDIALER_AGI": places.agi_address,
        "ASTDIALER_CALLER_ID": call.caller_id,
        # It ends a leg that waits for nobody when the engine dies; else the engine does.
        "ASTDIALER_HOLD": str(settings.ring_s + HOLD_MARGIN_S),
        "__ASTDIALER_CAMPAIGN": campaign.name,
    }
    number = attempt.number.lstrip("+")
    name = contact_name(call)
    return Origination(
        attempt_id=attempt.leg_id,
        server=attempt.server,
        channel=attempt.reserved_agent,
        caller_id=f"{name} <{number}>" if name else number,
        timeout_s=timeout_s,
        account=campaign.name,
        context=PREVIEW_CONTEXT if preview else LEG_CONTEXT,
        variables={key: value for key, value in (ours | _params(call, campaign)).items() if value},
        headers=AUTO_ANSWER if call.auto_answer else {},
    )


def contact_name(call: Call) -> str:
    """What an agent's telephone may show of the contact: its parameter ``name``, as far as a display line takes it."""
    return _UNFIT.sub("", call.contact.params.get("name", "")).strip()[:LONGEST_NAME]


def _variables(call: Call, campaign: Campaign, places: DialplanPlaces, record_path: Path | None) -> dict[str, str]:
    settings, attempt = campaign.settings, call.attempt
    bound = bool(attempt.reserved_agent)
    ours = {
        "ASTDIALER_ID": attempt.id,
        "ASTDIALER_AGI": places.agi_address,
        "ASTDIALER_FALLBACK": person_action(settings, bound=bound).value,
        "ASTDIALER_MACHINE": machine_action(settings).value,
        "ASTDIALER_AMD": settings.amd_parameters.argument() if settings.amd else "",
        "ASTDIALER_NOTSURE": "MACHINE" if settings.amd_not_sure is NotSure.MACHINE else "HUMAN",
        "ASTDIALER_NUMBER": attempt.number.lstrip("+"),
        "ASTDIALER_QUEUE": settings.queue,
        "ASTDIALER_LIMIT": str(settings.agent_wait_s),
        "ASTDIALER_SOUND": places.sound(settings.sound),
        "ASTDIALER_KEY_WAIT": str(settings.key_wait_s or ""),
        "ASTDIALER_MESSAGE": places.sound(settings.message),
        "ASTDIALER_SAFE_HARBOUR": places.sound(settings.safe_harbour),
        "ASTDIALER_RECORD": str(record_path or ""),
        "ASTDIALER_GOTO": settings.goto,
        "ASTDIALER_LEG": attempt.leg_id,
        "ASTDIALER_AGENT": attempt.reserved_agent,
        "ASTDIALER_NAME": contact_name(call) if bound else "",
        "__ASTDIALER_CAMPAIGN": campaign.name,
    }
    return {name: value for name, value in (ours | _params(call, campaign)).items() if value}


def _params(call: Call, campaign: Campaign) -> dict[str, str]:
    """The contact's params, and those of the campaign that it has not."""
    params = with_own(call.contact.params, parse_params("params", campaign.settings.params))
    return {f"__CONTACT_{name}": value for name, value in params.items()}
