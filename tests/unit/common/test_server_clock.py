"""Leases and due times are reckoned by the database server's clock, not by each host's own."""

from datetime import UTC, datetime, timedelta

from common.server_clock import ServerClock
from common.wire import utcnow

TOLD = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


class Ticks:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_the_servers_time_goes_on_by_the_monotonic_clock_whatever_this_host_believes() -> None:
    ticks = Ticks()
    clock = ServerClock(ticks)
    clock.heard(TOLD)
    assert clock.now() == TOLD
    ticks.seconds += 7.5
    assert clock.now() == TOLD + timedelta(seconds=7.5)
    clock.heard((TOLD - timedelta(hours=1)).replace(tzinfo=None))  # the driver's own documents have naive times
    assert clock.now() == TOLD - timedelta(hours=1)


def test_before_the_first_heartbeat_this_hosts_clock_counts_and_nonsense_changes_nothing() -> None:
    clock = ServerClock()
    clock.heard("noon")
    assert abs(clock.now() - utcnow()) < timedelta(minutes=1)
