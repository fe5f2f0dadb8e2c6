"""Putting a call into words for Asterisk: dial string, caller id and the dialplan's variables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from astdialer.domain.answer import machine_action, person_action
from astdialer.domain.campaign import Campaign, NotSure
from astdialer.domain.trunk import Trunk
from astdialer.engine.calls import Call
from astdialer.ports import Origination

CONTEXT = "astdialer-answered"


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
    number = next(n for n in call.contact.numbers if n.id == attempt.number_id)
    return Origination(
        attempt_id=attempt.id,
        server=attempt.server,
        channel=trunk.dial_string(number.number, number.as_uploaded),
        caller_id=settings.caller_id,
        timeout_s=settings.originate_timeout_s,
        account=campaign.name,
        context=CONTEXT,
        variables=_variables(call, campaign, places, record_path),
    )


def _variables(call: Call, campaign: Campaign, places: DialplanPlaces, record_path: Path | None) -> dict[str, str]:
    settings = campaign.settings
    ours = {
        "ASTDIALER_ID": call.attempt.id,
        "ASTDIALER_AGI": places.agi_address,
        "ASTDIALER_FALLBACK": person_action(settings).value,
        "ASTDIALER_MACHINE": machine_action(settings).value,
        "ASTDIALER_AMD": settings.amd_parameters.argument() if settings.amd else "",
        "ASTDIALER_NOTSURE": "MACHINE" if settings.amd_not_sure is NotSure.MACHINE else "HUMAN",
        "ASTDIALER_NUMBER": call.attempt.number.lstrip("+"),
        "ASTDIALER_QUEUE": settings.queue,
        "ASTDIALER_LIMIT": str(settings.agent_wait_s),
        "ASTDIALER_SOUND": places.sound(settings.sound),
        "ASTDIALER_KEY_WAIT": str(settings.key_wait_s or ""),
        "ASTDIALER_MESSAGE": places.sound(settings.message),
        "ASTDIALER_SAFE_HARBOUR": places.sound(settings.safe_harbour),
        "ASTDIALER_RECORD": str(record_path or ""),
        "ASTDIALER_GOTO": settings.goto,
        "__ASTDIALER_CAMPAIGN": campaign.name,
    }
    theirs = {f"__CONTACT_{name}": value for name, value in call.contact.params.items()}
    return {name: value for name, value in (ours | theirs).items() if value}
