"""The live view: whose contacts are counted for it, and when."""

import pytest
from engine_doubles import NOON, USUAL, Rig

from astdialer.domain.campaign import CampaignState
from astdialer.domain.settings import Settings
from astdialer.engine.liveview import RESTING_COUNTED, LiveView
from astdialer.engine.queues import QueueWatch
from astdialer.ports import CampaignCounts

pytest_plugins = ("engine_fixtures",)


def view_of(engine: Rig) -> LiveView:
    return LiveView(
        engine.context,
        engine.dialer,
        engine.outlook,
        engine.desk,
        sweeps=engine.sweeps,
        forecaster=engine.forecaster,
        queues=QueueWatch(engine.context),
    )


@pytest.fixture
def counted(engine: Rig, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The campaigns whose contacts were counted."""
    found, counts = list[int](), engine.store.counts

    async def counting(campaign_id: int) -> CampaignCounts:
        found.append(campaign_id)
        return await counts(campaign_id)

    monkeypatch.setattr(engine.store, "counts", counting)
    return found


async def test_campaigns_that_do_not_dial_are_counted_by_turns(engine: Rig, counted: list[int]) -> None:
    resting = {(await engine.store.create_campaign(f"c{n}", Settings(**USUAL), NOON)).id for n in range(50)}
    await engine.context.directory.load()
    view, everybody = view_of(engine), resting | {engine.campaign.id}
    assert len((await view.build())["campaigns"]) == 51
    assert set(counted) == everybody, "none is known yet"
    looked = set[int]()
    for _ in range(3):
        counted.clear()
        assert len((await view.build())["campaigns"]) == 51
        assert len(counted) == RESTING_COUNTED + 1
        assert engine.campaign.id in counted, "it dials"
        looked |= set(counted)
    assert looked == everybody


async def test_a_campaign_that_has_ended_is_counted_at_once(engine: Rig, counted: list[int]) -> None:
    for n in range(RESTING_COUNTED):
        await engine.store.create_campaign(f"c{n}", Settings(**USUAL), NOON)
    await engine.people(1)
    view = view_of(engine)
    await view.build()
    counted.clear()
    await engine.state(CampaignState.FINISHED)
    await view.build()
    assert engine.campaign.id in counted
    assert len(counted) == RESTING_COUNTED + 1
