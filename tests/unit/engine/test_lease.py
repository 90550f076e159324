"""Who holds the Lease: a store of Leases in memory that can hang, be away or be edited, and a clock of its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.kube import ApiUnavailable, Conflict, KubeError, ObjectNotFound
from common.wire import Json
from saga_operator import lease_record, metrics
from saga_operator.heartbeats import Heartbeats
from saga_operator.lease import AGAIN, RENEWALS, SURE, LeaseHolder, time_out
from saga_operator.settings import Settings

NOW = 1_796_000_000.0
MS = int(NOW * 1000)


class Store:
    """Keeps one Lease as the API server would: updates are conditional."""

    def __init__(self) -> None:
        self.lease: Json | None = None
        self.version = 0
        self.before_update: Callable[[], Awaitable[None]] | None = None
        self.after_update: Callable[[], Awaitable[None]] | None = None
        self.trouble: KubeError | None = None

    async def get(self, name: str) -> Json:
        if self.trouble:
            raise self.trouble
        if self.lease is None:
            raise ObjectNotFound(404, "NotFound", name)
        return self.lease

    async def create(self, name: str, spec: Json, annotations: dict[str, str] | None = None) -> Json:
        return self.put({"metadata": {"name": name, "annotations": annotations}, "spec": spec})

    async def update(self, lease: Json) -> Json:
        if self.before_update:
            await self.before_update()
        if self.trouble:
            raise self.trouble
        if self.lease is None:
            raise ObjectNotFound(404, "NotFound", "lease")
        if lease["metadata"].get("resourceVersion") != str(self.version):
            raise Conflict(409, "Conflict", "changed")
        written = self.put(lease)
        if self.after_update:
            await self.after_update()
        return written

    def put(self, lease: Json) -> Json:
        self.version += 1
        self.lease = {**lease, "metadata": {**lease["metadata"], "resourceVersion": str(self.version), "uid": "u"}}
        return self.lease

    def annotate(self, text: str | None) -> None:
        assert self.lease is not None
        metadata = {**self.lease["metadata"], "annotations": {} if text is None else {lease_record.EPOCH: text}}
        self.put({**self.lease, "metadata": metadata})


class World:
    """One Lease, a clock, and holders of any name."""

    def __init__(self) -> None:
        self.store = Store()
        self.now = 1000.0
        self.reconnected = 0

    def holder(self, identity: str = "a", **settings: Any) -> LeaseHolder:
        async def reconnect() -> None:
            self.reconnected += 1

        return LeaseHolder(
            self.store,  # type: ignore[arg-type]
            Settings(identity=identity, **settings),
            reconnect=reconnect,
            heartbeats=Heartbeats(lambda: self.now),
            elapsed=lambda: self.now,
        )


@pytest.fixture
def world() -> World:
    return World()


@given(st.text(max_size=30) | st.integers().map(str) | st.sampled_from(["1e18", "9" * 20, str(2**63 - 1), "١٢", "-1"]))
def test_whatever_a_lease_is_annotated_with_the_next_epoch_is_one_that_participants_take(text: str) -> None:
    lease = {"metadata": {"annotations": {lease_record.EPOCH: text}}}
    following = lease_record.next_epoch(lease_record.epoch(lease, NOW), NOW)
    assert MS <= following <= MS + lease_record.BELIEVED_AHEAD + 1


def _named(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = ["holderIdentity", "renewTime", "leaseDurationSeconds", "leaseTransitions", "annotations"]
    return st.dictionaries(st.sampled_from([*names, lease_record.EPOCH, lease_record.ABSENCES]), inner)


_json = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | _named(s))


@given(spec=_json, metadata=_json)
def test_any_json_is_a_lease_that_can_be_read_and_taken(spec: Any, metadata: Any) -> None:
    lease = {"spec": spec, "metadata": metadata if isinstance(metadata, dict) else {}}
    assert lease_record.epoch(lease, NOW) >= 0
    assert 0 < lease_record.seconds(lease, 10) <= 100
    taken = lease_record.held_by("me", lease, epoch=7, seconds=10, now=NOW)
    assert lease_record.holder(taken) == "me"
    assert lease_record.epoch(taken, NOW) == 7
    assert 0 < taken["spec"].get("leaseTransitions", 1) < 2**31, "the API server keeps it in 32 bits"


@pytest.mark.parametrize("transitions", [2**31 - 1, -5, 1e300])
def test_a_lease_whose_count_of_holders_is_at_its_end_can_be_taken(transitions: float) -> None:
    lease = {"metadata": {}, "spec": {"leaseTransitions": transitions}}
    taken = lease_record.held_by("me", lease, epoch=7, seconds=10, now=NOW)
    assert taken["spec"]["leaseTransitions"] == 1


@pytest.mark.parametrize("text", ["y" * 262_100, "ü" * 131_000])
def test_a_lease_that_is_full_of_another_s_annotation_can_be_taken(text: str) -> None:
    """The API server takes 256 KiB of annotations: with ours there would be more, and nobody could ever hold it."""
    lease = {"metadata": {"annotations": {"x": text, lease_record.EPOCH: "5"}}, "spec": {}}
    taken = lease_record.held_by("me", lease, epoch=7, seconds=10, now=NOW)["metadata"]["annotations"]
    assert sum(len(name.encode()) + len(value.encode()) for name, value in taken.items()) < 256 * 1024
    assert taken[lease_record.EPOCH] == "7"


def test_a_lease_keeps_since_when_its_holders_tell_others_and_forgets_it_when_one_does_not() -> None:
    name, lease = lease_record.TELLS_CUSTOMERS, {"metadata": {}, "spec": {}}
    assert lease_record.told_since(lease, name) == 0
    tells = lease_record.held_by("a", lease, epoch=1, seconds=10, now=NOW, tells=[name])
    assert lease_record.told_since(tells, name) == int(NOW)
    later = lease_record.held_by("b", tells, epoch=2, seconds=10, now=NOW + 900, tells=[name])
    assert lease_record.told_since(later, name) == int(NOW)
    off = lease_record.held_by("c", later, epoch=3, seconds=10, now=NOW + 901)
    assert lease_record.told_since(off, name) == 0
    again = lease_record.held_by("d", off, epoch=4, seconds=10, now=NOW + 902, tells=[name])
    assert lease_record.told_since(again, name) == int(NOW + 902)
    again["metadata"]["annotations"][name] = "2999-01-01T00:00:00Z"
    mended = lease_record.held_by("d", again, epoch=4, seconds=10, now=NOW + 903, tells=[name])
    assert lease_record.told_since(mended, name) == int(NOW + 903), "nobody would ever be told"


@pytest.mark.parametrize("text", ["0-99999999999", f"{int(NOW)}-{int(NOW) + 86_400}", "1-" + "9" * 400])
def test_an_absence_that_is_yet_to_come_is_none(text: str) -> None:
    """With it the deadline of no order would ever come, and no undo would ever count as stuck."""
    lease = {"metadata": {"annotations": {lease_record.ABSENCES: text}}, "spec": {"renewTime": "2100-01-01T00:00:00Z"}}
    assert lease_record.absences(lease, NOW) == ()


@pytest.mark.parametrize("text", ["manual", "1e18", "9" * 20, str(2**63 - 1), None])
async def test_an_annotation_by_hand_is_no_epoch_and_is_written_over(text: str | None, world: World) -> None:
    holder = world.holder()
    await holder.acquire()
    before = holder.epoch
    world.store.annotate(text)
    await holder.raise_epoch(before)
    assert before < holder.epoch < before + 60_000
    assert lease_record.epoch(await world.store.get("l"), time.time()) == holder.epoch
    world.store.annotate(text)
    again = world.holder()
    await holder.release()
    await again.acquire()
    assert again.epoch > 0


async def test_an_epoch_that_no_operator_can_have_is_not_exceeded(world: World) -> None:
    holder = world.holder()
    await holder.acquire()
    before = holder.epoch
    await holder.raise_epoch(2**63 - 1)
    assert holder.epoch == before
    await holder.raise_epoch(before + 5_000)
    assert holder.epoch == before + 5_001


async def test_the_leader_is_sure_for_less_time_than_a_follower_waits_and_the_metric_says_so(world: World) -> None:
    leader = world.holder("a")
    await leader.acquire()
    assert leader.is_held

    def gauge() -> float:
        return next(iter(next(iter(metrics.LEADER.collect())).samples)).value

    assert gauge() == 1
    assert leader.unrenewed_seconds is None
    world.now += 9  # a follower may take it after ten
    assert not leader.is_held
    assert gauge() == 0
    assert leader.unrenewed_seconds == 9
    follower = asyncio.create_task(world.holder("b").acquire())
    await asyncio.sleep(0.6)
    assert not follower.done(), "the Lease has not been seen unchanged for its whole duration"
    world.now += 11
    await asyncio.wait_for(follower, 10)


def test_three_attempts_with_their_whole_time_out_fit_before_the_holder_stops_calling() -> None:
    settings = Settings()
    assert settings.lease_renew + RENEWALS * (time_out(settings) + AGAIN) <= SURE * settings.lease_duration


async def test_after_no_answer_the_next_renewal_goes_over_a_new_connection(world: World) -> None:
    holder = world.holder(lease_renew=0.01)
    await holder.acquire()
    world.store.trouble = ApiUnavailable(0, "NoAnswer", "hangs")
    renewing = asyncio.create_task(holder.keep_renewed())
    world.now += 9
    async with asyncio.timeout(10):
        while world.reconnected == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    world.store.trouble = None
    async with asyncio.timeout(10):
        while not holder.is_held:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    renewing.cancel()


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_renewal_in_flight_does_not_keep_the_lease_from_being_released(arrives: bool, world: World) -> None:
    holder = world.holder(lease_renew=0.01)
    await holder.acquire()
    on_its_way = asyncio.Event()

    async def hang() -> None:
        on_its_way.set()
        await asyncio.sleep(60)

    if arrives:
        world.store.after_update = hang
    else:
        world.store.before_update = hang
    renewing = asyncio.create_task(holder.keep_renewed())
    world.now += 5
    await asyncio.wait_for(on_its_way.wait(), 10)
    world.store.before_update = world.store.after_update = None
    renewing.cancel()
    await holder.release()
    assert lease_record.holder(await world.store.get("l")) == ""
    assert not holder.is_held


async def test_a_stop_while_the_lease_is_being_acquired_leaves_it_to_others(world: World) -> None:
    holder = world.holder()
    on_its_way = asyncio.Event()

    async def hang() -> None:
        on_its_way.set()
        await asyncio.sleep(60)

    world.store.after_update = hang
    acquiring = asyncio.create_task(holder.acquire())
    await asyncio.wait_for(on_its_way.wait(), 10)
    world.store.after_update = None
    acquiring.cancel()
    await asyncio.wait([acquiring])
    await holder.release()
    assert lease_record.holder(await world.store.get("l")) == ""


async def test_a_lease_that_is_deleted_under_its_holder_is_made_again_with_a_higher_epoch(world: World) -> None:
    holder = world.holder(lease_renew=0.01)
    await holder.acquire()
    before = holder.epoch
    world.store.lease = None
    renewing = asyncio.create_task(holder.keep_renewed())
    world.now += 1
    async with asyncio.timeout(10):
        while holder.epoch == before:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    renewing.cancel()
    assert holder.epoch > before


async def test_the_holder_is_overdue_if_the_lease_is_not_renewed(world: World) -> None:
    beats = Heartbeats(lambda: world.now)
    beats.beat("lease", again_within=30)
    world.now += 29
    assert beats.overdue() == {}
    world.now += 5
    assert beats.overdue() == {"lease": 4.0}
    beats.expect("watch", within=1)
    beats.expect("watch", within=100)
    world.now += 2
    assert set(beats.overdue()) == {"lease", "watch"}
    beats.forget("watch")
    assert set(beats.overdue()) == {"lease"}
    beats.forget()
    assert beats.overdue() == {}
