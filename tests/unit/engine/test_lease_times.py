"""What the Lease says of time: that its holder slept, and when nobody worked."""

import asyncio
from typing import Any, cast

import pytest

from common.kube import Leases, ObjectNotFound
from common.wire import Json
from saga_operator.lease import LeaseHolder
from saga_operator.lease_record import ABSENCES
from saga_operator.process.absences import from_text, seconds_of
from saga_operator.settings import Settings

BEGAN = 1_800_000_000.0
DURATION = 10.0
SETTINGS = Settings(namespace="shop", identity="one", lease_duration=DURATION)


class Machine:
    """A computer with one Lease in its API server. Its clock and the time that passes are the same here."""

    def __init__(self) -> None:
        self.now = BEGAN
        self.lease: Json | None = None

    def holder(self, identity: str = "one") -> LeaseHolder:
        settings = SETTINGS.model_copy(update={"identity": identity})
        return LeaseHolder(cast(Leases, self), settings, lambda: self.now, lambda: self.now)

    async def get(self, name: str) -> Json:
        if self.lease is None:
            raise ObjectNotFound(404, "NotFound", name)
        return self.lease

    async def create(self, name: str, spec: Json, *, annotations: dict[str, str]) -> Json:
        self.lease = {"metadata": {"name": name, "annotations": annotations}, "spec": spec}
        return self.lease

    async def update(self, lease: Json, **_: Any) -> Json:
        self.lease = lease
        return lease

    def kept(self) -> float:
        """How many seconds without an operator the Lease keeps, since it began."""
        assert self.lease is not None
        return seconds_of(from_text(self.lease["metadata"]["annotations"][ABSENCES]), BEGAN)


async def renewed(holder: LeaseHolder) -> None:
    await holder.raise_epoch(holder.epoch)


async def test_a_holder_that_slept_does_not_hold_the_lease_for_sure() -> None:
    machine = Machine()
    holder = machine.holder()
    await holder.acquire()
    await asyncio.wait_for(holder.held(), 1)
    machine.now += 3600.0
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(holder.held(), 0.05)
    await renewed(holder)
    await asyncio.wait_for(holder.held(), 1)


async def test_what_lies_between_two_holders_is_kept() -> None:
    machine = Machine()
    await machine.holder().acquire()
    machine.now += 90.0
    second = machine.holder()
    await second.acquire()
    assert machine.kept() == 90.0
    assert seconds_of(second.absences(machine.now), BEGAN) == 90.0
    machine.now += DURATION / 2
    await renewed(second)
    assert machine.kept() == 90.0, "a renewal in time ends nothing"


async def test_a_holder_that_can_not_renew_knows_that_nobody_works() -> None:
    machine = Machine()
    holder = machine.holder()
    await holder.acquire()
    machine.now += DURATION
    assert seconds_of(holder.absences(machine.now), BEGAN) == 0.0
    machine.now += 50.0
    assert seconds_of(holder.absences(machine.now), BEGAN) == 60.0
    await renewed(holder)
    assert machine.kept() == 60.0


async def test_before_its_first_holder_nobody_worked() -> None:
    machine = Machine()
    holder = machine.holder()
    await holder.acquire()
    assert seconds_of(holder.absences(machine.now), BEGAN - 500.0) == 500.0


@pytest.mark.parametrize("time", ["", "yesterday", None, 5])
async def test_a_renewal_at_no_time_is_none(time: object) -> None:
    machine = Machine()
    await machine.holder().acquire()
    assert machine.lease is not None
    machine.lease["spec"]["renewTime"] = time
    again = machine.holder()
    await again.acquire()
    assert again.absences(machine.now)[0][0] == 0.0
