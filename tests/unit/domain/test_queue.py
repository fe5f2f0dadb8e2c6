"""What is reckoned from a queue's figures."""

from astdialer.domain.queue import QueueFigures


def test_a_queue_without_calls_has_abandoned_none() -> None:
    assert QueueFigures(server="default", queue="sales").abandoned_percent == 0


def test_the_share_of_the_abandoned() -> None:
    figures = QueueFigures(server="default", queue="sales", completed=5, abandoned=1)
    assert (figures.calls, figures.abandoned_percent) == (6, 17)
