"""What time it is: the API server's, whatever this host's clock says."""

import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saga_operator.clock import Clock, elapsed

BOOTED = 1_000.0
TRUE = 1_800_000_000.25
"""The API server's time at `BOOTED`."""


class Host:
    """A computer whose clock may be wrong, and its API server, whose clock is right unless it is set."""

    def __init__(self, skew: float = 0.0) -> None:
        self.elapsed, self.skew, self.server_set_by = BOOTED, skew, 0.0
        self.clock = Clock(elapsed=lambda: self.elapsed, wall=lambda: self.true + self.skew)

    @property
    def true(self) -> float:
        return TRUE + self.elapsed - BOOTED + self.server_set_by

    def ask(self, *, took: float = 0.004, written: float = 0.5) -> None:
        """A request that is answered; `written`: at which part of its time."""
        self.elapsed += took * written
        date = formatdate(self.true, usegmt=True)
        self.elapsed += took * (1 - written)
        self.clock.heard(date, took)


@pytest.mark.parametrize("skew", [7200.0, -7200.0, 90.0, 0.0])
def test_a_host_whose_clock_is_wrong_has_the_api_servers_time(skew: float) -> None:
    host = Host(skew)
    host.ask()
    assert host.clock.now() == pytest.approx(host.true, abs=1.1)
    assert host.clock.skew == pytest.approx(skew, abs=1.1)
    host.skew = 0.0  # NTP has answered
    assert host.clock.now() == pytest.approx(host.true, abs=1.1)
    assert host.clock.skew == pytest.approx(0.0, abs=1.1)


def test_a_host_whose_clock_is_right_keeps_it() -> None:
    host = Host()
    for _ in range(50):
        host.elapsed += 0.173
        host.ask()
        assert host.clock.now() == pytest.approx(host.true, abs=0.01)


def test_many_answers_tell_more_than_the_second() -> None:
    host = Host(skew=3600.0)
    for _ in range(200):
        host.elapsed += 0.137
        host.ask()
    assert host.clock.now() == pytest.approx(host.true, abs=0.15)


@given(
    skew=st.floats(-1e6, 1e6),
    asks=st.lists(st.tuples(st.floats(0, 3600), st.floats(0.001, 30), st.floats(0, 1)), min_size=1, max_size=30),
)
def test_no_slow_answer_makes_it_wrong(skew: float, asks: list[tuple[float, float, float]]) -> None:
    host = Host(skew)
    host.ask()
    for pause, took, written in asks:
        host.elapsed += pause
        host.ask(took=took, written=written)
        assert host.clock.now() == pytest.approx(host.true, abs=1.5)


@pytest.mark.parametrize("by", [7200.0, -7200.0])
def test_it_follows_when_the_api_servers_clock_is_set(by: float) -> None:
    host = Host()
    host.ask()
    offset = host.clock.offset
    host.server_set_by = by
    for _ in range(8):
        host.elapsed += 2.0
        host.ask()
    assert host.clock.now() == pytest.approx(host.true, abs=1.1)
    assert host.clock.offset - offset == pytest.approx(by, abs=1.1)


@pytest.mark.parametrize("by", [7200.0, -7200.0])
@pytest.mark.parametrize("which", [{7}, {7, 19}, set(range(1, 90, 2)), set(range(7, 11))])
def test_single_answers_of_another_clock_change_nothing(by: float, which: set[int]) -> None:
    """One of several API servers has a wrong clock, or a load balancer answers in their place."""
    host = Host()
    for number in range(90):
        host.elapsed += 2.0
        host.server_set_by = by if number in which else 0.0
        host.ask()
        host.server_set_by = 0.0
        assert host.clock.now() == pytest.approx(host.true, abs=1.1)


def test_a_machine_that_slept_knows_how_late_it_is() -> None:
    host = Host()
    host.ask()
    host.elapsed += 8 * 3600.0
    assert host.clock.now() == pytest.approx(host.true, abs=0.01)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux has it")
def test_what_counts_is_the_clock_that_goes_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "clock_gettime", {time.CLOCK_BOOTTIME: 42.0}.__getitem__)
    assert elapsed() == 42.0


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 99 Foo 2026 00:00:00 GMT", f"1 Nov {10**20} 00:00:00 GMT"])
def test_an_answer_without_a_date_changes_nothing(date: str) -> None:
    host = Host(skew=60.0)
    host.clock.heard(date, 0.1)
    assert host.clock.now() == host.true + 60.0


def test_a_wrong_clock_is_said_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    host = Host(skew=-90.0)
    with caplog.at_level("INFO", logger="saga_operator.clock"):
        for _ in range(3):
            host.ask()
        host.skew = 0.0
        for _ in range(3):
            host.ask()
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "this host's clock is 90 s behind the API server's, which counts",
        "this host's clock agrees with the API server's again",
    ]
