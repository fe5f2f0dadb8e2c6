"""Where a tenant's campaigns may lead calls: to agents and a dialplan that an administrator has given it."""

from __future__ import annotations

from collections.abc import Mapping

from astdialer.domain.access import Access, Forbidden
from astdialer.http.services import Services


async def check_settings(found: Services, access: Access, texts: Mapping[str, str]) -> None:
    """Raises Forbidden when a tenant's token gives a campaign a queue, or a place in the dialplan, that is not its
    tenant's: whoever has a queue sees its agents, calls them and pauses them."""
    queue, goto = texts.get("queue", ""), texts.get("goto", "")
    if not access.tenant or not (queue or goto):
        return
    own = [campaign.settings for campaign in await found.campaigns(access)]
    if queue and queue not in {*_given(found, access.tenant), *(settings.queue for settings in own)}:
        remedy = f'an administrator lists it in [http] tenant_queues, as "{access.tenant}:{queue}"'
        raise Forbidden(f"queue = {queue!r} is none of tenant {access.tenant}'s: {remedy}")
    if goto and goto not in {settings.goto for settings in own}:
        raise Forbidden(f"goto = {goto!r}: only a token without a tenant gives a campaign a place in the dialplan")


def _given(found: Services, tenant: str) -> list[str]:
    listed = [entry.partition(":") for entry in found.settings.tenant_queues]
    return [queue for whose, _, queue in listed if whose == tenant] + [found.settings.default_queue]
