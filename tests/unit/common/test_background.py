"""Work beside the requests doesn't die, hang or fail in silence: it is begun again, and whoever looks sees it."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from common.background import Background, Rounds


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def background(registry: CollectorRegistry) -> Background:
    return Background("payment", registry)


def value(registry: CollectorRegistry, name: str, work: str = "settling") -> float:
    found = registry.get_sample_value(name, {"service": "payment", "work": work})
    assert found is not None
    return found


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is looked at sets no event
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("error", [ZeroDivisionError("a defect"), asyncio.CancelledError()])
async def test_work_that_fails_is_begun_again_and_the_log_says_why(
    background: Background, registry: CollectorRegistry, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    attempts, done = 0, asyncio.Event()

    async def work(_: Rounds) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            raise error
        done.set()
        await asyncio.Event().wait()

    with caplog.at_level(logging.ERROR):
        async with background.doing(work, name="settling", again=0.01):
            await asyncio.wait_for(done.wait(), 10)
    assert attempts == 4
    assert sum("settling has failed" in record.message for record in caplog.records) == 3
    assert value(registry, "ordersaga_background_failures_total") == 3


async def test_work_that_is_done_is_not_begun_again_and_never_fails(
    background: Background, registry: CollectorRegistry
) -> None:
    attempts = 0

    async def work(_: Rounds) -> None:
        nonlocal attempts
        attempts += 1

    async with background.doing(work, name="settling", again=0.0, silent=0.01):
        await until(lambda: background.described()["settling"]["state"] == "ended")
        await asyncio.sleep(0.02)
        assert background.is_well
        assert value(registry, "ordersaga_background_failing_seconds") == 0
    assert attempts == 1


async def test_work_that_fails_again_and_again_is_seen_until_a_round_ends_well(
    background: Background, registry: CollectorRegistry
) -> None:
    repaired = asyncio.Event()

    async def work(rounds: Rounds) -> None:
        while True:
            if repaired.is_set():
                rounds.done()
            else:
                rounds.failed("the database doesn't answer")
            await asyncio.sleep(0.005)

    async with background.doing(work, name="settling"):
        await until(lambda: value(registry, "ordersaga_background_failures_total") >= 3)
        found = background.described()["settling"]
        assert (found["state"], found["last_finished"]) == ("failing", None)
        assert found["why"] == "the database doesn't answer"
        assert str(found["failing_since"]).endswith("Z")
        assert not background.is_well
        before = value(registry, "ordersaga_background_failing_seconds")
        await until(lambda: value(registry, "ordersaga_background_failing_seconds") > before > 0)
        repaired.set()
        await until(lambda: background.is_well)
        found = background.described()["settling"]
        assert found["state"] == "ok"
        assert str(found["last_finished"]).endswith("Z")
        assert "why" not in found
        assert value(registry, "ordersaga_background_failing_seconds") == 0


async def test_work_that_hangs_is_begun_again_and_counts_as_failing_until_then(
    background: Background, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    attempts = 0

    async def work(rounds: Rounds) -> None:
        nonlocal attempts
        attempts += 1
        while attempts > 1:
            rounds.done()
            await asyncio.sleep(0.005)
        await asyncio.Event().wait()

    async with background.doing(work, name="settling", again=0.0, silent=0.3):
        await until(lambda: background.described()["settling"]["state"] == "ok")
    assert attempts == 2
    assert value(registry, "ordersaga_background_failures_total") == 1
    assert "it hangs" in caplog.text


async def test_work_that_hangs_and_can_not_be_cancelled_is_seen(
    background: Background, registry: CollectorRegistry
) -> None:
    over = asyncio.Event()

    async def work(_: Rounds) -> None:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                continue

    async with background.doing(work, name="settling", silent=0.05):
        await until(lambda: value(registry, "ordersaga_background_failing_seconds") > 0.1)
        found = background.described()["settling"]
        assert found["state"] == "failing"
        assert "last heard" in str(found["why"])
        over.set()


class Clock:
    """A clock that a test turns."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_round_that_takes_its_time_does_not_hang_while_it_is_heard() -> None:
    clock = Clock()
    rounds = Rounds(60, now=clock)
    for _ in range(10):
        clock.now += 50
        assert rounds.state == "beginning"
        rounds.going_on()
    clock.now += 61
    assert (rounds.state, rounds.failing_seconds) == ("failing", 61)
    rounds.done()
    assert (rounds.state, rounds.failing_seconds) == ("ok", 0)


def test_it_fails_since_its_first_failure_and_what_it_says_is_bounded() -> None:
    clock = Clock()
    rounds = Rounds(60, now=clock)
    rounds.done()
    for _ in range(3):
        clock.now += 10
        rounds.failed("no answer\n" + "x" * 1000)
    clock.now += 10
    assert rounds.failing_seconds == 30
    assert rounds.since_failure == 10
    assert len(str(rounds.described()["why"])) <= 200
    assert "\n" not in str(rounds.described()["why"])


async def test_what_an_unexpected_error_says_is_for_the_log_alone(
    background: Background, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(_: Rounds) -> None:
        raise ValueError("a customer's address")

    async with background.doing(work, name="settling", again=60):
        await until(lambda: not background.is_well)
        assert background.described()["settling"]["why"] == "ValueError, see the log"
    assert "a customer's address" in caplog.text
