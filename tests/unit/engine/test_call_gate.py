"""The epoch that a call carries: the Lease's, as far as the participant takes it."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from saga_operator.engine.calls.call_gate import CallGate
from saga_operator.process.events import EpochRefused

DAY = 24 * 3600 * 1000
NOW = 1_800_000_000_000


class Lease:
    """A Lease that is ours; it can't be raised while the API server is away."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.raised: list[int] = []

    async def held(self) -> None:
        pass

    async def raise_epoch(self, above: int) -> None:
        self.raised.append(above)
        self.epoch = max(self.epoch, above + 1)


class Participant:
    """As the barrier judges epochs: by its own clock, which is `behind` ours."""

    def __init__(self, *, behind: int = 0, seen: int = 0) -> None:
        self.clock, self.seen = NOW - behind, seen

    def refusal(self, epoch: int) -> EpochRefused | None:
        told: dict[str, Any] = {"step": "payment", "started": 0.0, "at": 0.0, "undo": False, "message": "no"}
        if epoch > self.clock + 600_000:
            return EpochRefused(**told, clock=self.clock)
        if epoch < self.seen:
            return EpochRefused(**told, seen=self.seen)
        self.seen = epoch
        return None


async def calls_until_taken(gate: CallGate, participant: Participant, name: str = "payment") -> int:
    for number in range(1, 10):
        epoch = gate.epoch_for(name)
        refusal = participant.refusal(epoch)
        if refusal is None:
            return number
        await gate.epoch_was_refused(name, epoch, refusal)
    raise AssertionError("it is refused again and again")


@pytest.mark.parametrize(
    ("lease", "participant", "calls"),
    [
        (Lease(NOW), Participant(), 1),
        (Lease(NOW - DAY), Participant(seen=NOW), 2),  # one jump, however far
        (Lease(NOW + DAY), Participant(), 2),  # a leader whose clock was a day ahead, and its successor
        (Lease(NOW + DAY), Participant(seen=NOW + 300_000), 3),
        (Lease(2**63 - 1), Participant(), 2),  # an epoch that somebody wrote into the Lease
        (Lease(10**30), Participant(), 2),
        (Lease(NOW), Participant(behind=DAY), 2),  # the participant's clock is wrong
    ],
)
async def test_no_epoch_and_no_clock_keeps_a_call_from_being_looked_at(
    lease: Lease, participant: Participant, calls: int
) -> None:
    gate = CallGate(lease, monotonic=lambda: 0.0)
    assert await calls_until_taken(gate, participant) == calls
    assert await calls_until_taken(gate, participant) == 1, "it is remembered"


async def test_a_participant_whose_clock_is_wrong_changes_nothing_for_the_others() -> None:
    lease = Lease(NOW)
    gate = CallGate(lease, monotonic=lambda: 0.0)
    await calls_until_taken(gate, Participant(behind=DAY), "payment")
    assert gate.epoch_for("inventory") == NOW
    assert lease.raised == []


async def test_the_limit_rises_with_the_time() -> None:
    seconds = 0.0
    gate = CallGate(Lease(NOW), monotonic=lambda: seconds)
    await calls_until_taken(gate, Participant(behind=DAY))
    before = gate.epoch_for("payment")
    seconds = 10.0
    assert gate.epoch_for("payment") == before + 10_000
    seconds = 2 * 24 * 3600.0
    assert gate.epoch_for("payment") == NOW


async def test_calls_in_flight_to_slow_participants_hold_up_no_other() -> None:
    """Two slow ones would share a bound on all calls with the other three."""
    gate = CallGate(Lease(NOW), monotonic=lambda: 0.0)
    async with asyncio.timeout(10), AsyncExitStack() as in_flight:
        for _ in range(1000):
            await in_flight.enter_async_context(gate.call())
        assert gate.quiet_seconds == 0.0
