"""The figures of /metrics: what the engine sees, and what the store has counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from astdialer.domain.access import Access
from astdialer.domain.agent import AgentStatus
from astdialer.domain.errors import Unavailable
from astdialer.http.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything that is told. ``view`` is empty while no engine runs."""

    view: Mapping[str, Any] = field(default_factory=dict)
    dispositions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  #: by campaign
    abandonment: Mapping[str, float] = field(default_factory=dict)  #: by campaign, 0 to 1
    conversions: int = 0
    deliveries: Mapping[str, int] = field(default_factory=dict)  #: by state
    is_whole: bool = True  #: the whole installation's, not one tenant's


async def gather(found: Services, access: Access) -> Figures:
    """Read those that the token may see."""
    campaigns = await found.campaigns(access)
    names = {each.name for each in campaigns}
    try:
        view = await found.live.view()
    except Unavailable:
        view = {}
    rows = [row for row in view.get("campaigns", ()) if row["campaign"] in names]
    counts = {each.name: await found.store.counts(each.id) for each in campaigns}
    return Figures(
        view={**view, "campaigns": rows} if view else {},
        dispositions={name: count.dispositions for name, count in counts.items()},
        abandonment={row["campaign"]: row["abandonment"] for row in rows if row.get("abandonment") is not None},
        conversions=await found.store.pending_recordings(),
        deliveries=await found.store.delivery_counts(),
        is_whole=not access.tenant,
    )


def text(figures: Figures) -> bytes:
    """Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(figures))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        """Every family."""
        figures = self._figures
        yield _gauge("engine_up", "Whether an engine runs.", [({}, bool(figures.view))])
        yield from _of_campaigns(figures)
        if figures.is_whole:
            yield from _of_queues(figures)
            if figures.view:
                yield from _of_engine(figures.view)


def _of_campaigns(figures: Figures) -> Iterator[Metric]:
    attempts = CounterMetricFamily(
        "astdialer_attempts",
        "Attempts that have ended, since the campaign's totals were zeroed.",
        labels=["campaign", "disposition"],
    )
    for campaign, counts in figures.dispositions.items():
        for disposition, n in counts.items():
            attempts.add_metric([campaign, disposition], n)
    yield attempts
    rates = [({"campaign": name}, rate) for name, rate in figures.abandonment.items()]
    yield _gauge("abandonment_ratio", "Abandoned of the calls that people answered, 0 to 1.", rates)
    for name, words in (
        ("calls", "Live calls by campaign and state."),
        ("contacts", "Contacts by campaign and state."),
    ):
        samples = [
            ({"campaign": row["campaign"], "state": state}, n)
            for row in figures.view.get("campaigns", ())
            for state, n in row.get(name, {}).items()
        ]
        yield _gauge(name, words, samples)


def _of_queues(figures: Figures) -> Iterator[Metric]:
    yield _gauge("conversion_queue", "Recordings that wait to become MP3.", [({}, figures.conversions)])
    states = [({"state": state}, n) for state, n in figures.deliveries.items()]
    yield _gauge("webhook_deliveries", "Messages to webhooks: pending and dead.", states)


def _of_engine(view: Mapping[str, Any]) -> Iterator[Metric]:
    yield _gauge(
        "ami_up",
        "Whether the link to an Asterisk is up.",
        [({"server": row["server"]}, row["up"]) for row in view["servers"]],
    )
    vitals = view.get("vitals")
    if vitals:
        yield _originate(vitals["originate"])
        yield _gauge(
            "ami_event_lag_seconds",
            "Longest time of late from reading an event to having handled it.",
            [({}, vitals["event_lag_s"])],
        )
    yield _gauge("agents", "Queue members by queue and status.", list(_agents(view["agents"])))
    trunks = view["trunks"]
    yield _gauge("trunk_calls", "Calls on a trunk.", [({"trunk": row["trunk"]}, row["calls"]) for row in trunks])
    yield _gauge(
        "trunk_max_calls",
        "Calls that a trunk may have.",
        [({"trunk": row["trunk"]}, row["max_calls"]) for row in trunks],
    )


def _originate(found: Mapping[str, Any]) -> Metric:
    bounds = [*map(str, found["bounds_s"]), "+Inf"]
    buckets = list(zip(bounds, found["up_to"], strict=True))
    return HistogramMetricFamily(
        "astdialer_originate_seconds",
        "Time until Asterisk has taken an Originate.",
        buckets=buckets,
        sum_value=found["sum_s"],
    )


def _agents(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[dict[str, str], float]]:
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        for status in AgentStatus:
            counts.setdefault((row["queue"], status.name), 0)
        counts[row["queue"], row["status"]] += 1
    for (queue, word), n in counts.items():
        yield {"queue": queue, "status": word.lower()}, n


def _gauge(name: str, words: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> Metric:
    listed = list(samples)
    labels = list(listed[0][0]) if listed else []
    family = GaugeMetricFamily(f"astdialer_{name}", words, labels=labels)
    for labeled, value in listed:
        family.add_metric([labeled[label] for label in labels], float(value))
    return family
