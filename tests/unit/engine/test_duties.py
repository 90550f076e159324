"""What is due of a finished saga before our finalizer goes. The order service and the other receivers are fakes."""

from typing import Any

from common.order_saga import FINALIZER
from saga_operator.engine.records import duties
from saga_operator.engine.records.duties import Duties, NotYet, Patience, Settled
from saga_operator.engine.records.stories import Stories
from saga_operator.resource.body import Resource
from tests.support.samples import order

DELETED = "2026-01-01T00:00:00Z"


def ended(name: str, **metadata: Any) -> Resource:
    raw = order(name, finalizers=(FINALIZER,))
    raw["metadata"] |= {"namespace": "shop", "uid": f"u-{name}", "resourceVersion": "1", **metadata}
    return Resource(raw | {"status": {"phase": "Completed"}})


class Receiver:
    """Takes what is due, or doesn't."""

    def __init__(self, *, works: bool = True) -> None:
        self.works = self.is_open = works
        self.asked: list[str] = []
        self.not_done: list[str] = []

    def is_seen_to(self, uid: str) -> bool:
        return f"u-{uid}" in self.asked

    async def done(self, resource: Resource) -> bool:
        self.asked.append(resource.name)
        return self.works

    async def keep(self, resource: Resource) -> None:
        if not await self.done(resource):
            raise OSError("no answer")

    def missed(self, resource: Resource) -> None:
        self.not_done.append(resource.name)

    def hurry(self) -> None:
        """It hasn't any patience."""

    def forget(self, uid: str) -> None:
        """It remembers nothing."""


class World:
    """Its clock is moved by hand."""

    def __init__(self, *receivers: Receiver) -> None:
        self.now = 100.0
        self.archive = Receiver()
        self.said: list[str] = []
        self.is_heard = True
        stories = Stories(self.archive.keep, lambda: self.now)
        self.duties = Duties(stories, receivers, self, now=lambda: self.now)

    def is_said(self, resource: Resource) -> bool:
        self.said.append(resource.name)
        return self.is_heard

    def hurry(self) -> None:
        self.is_heard = True

    def forget(self, uid: str) -> None:
        self.said.remove(uid.removeprefix("u-"))


async def test_the_finalizer_goes_when_all_is_done() -> None:
    first, second = Receiver(), Receiver()
    world = World(first, second)
    assert await world.duties.settled(ended("o-1")) == Settled(archived=True)
    assert first.asked == second.asked == world.archive.asked == world.said == ["o-1"]


async def test_a_finished_saga_waits_for_all_that_is_due_however_long_it_takes() -> None:
    broken, good = Receiver(works=False), Receiver()
    world = World(broken, good)
    for _ in range(100):
        assert isinstance(await world.duties.settled(ended("o-1")), NotYet)
        world.now += 24 * 3600.0
    assert good.asked, "one that fails holds up no other"
    assert not world.archive.asked, "it would be asked again each time"
    assert not world.said
    assert not world.duties.are_open
    broken.works = broken.is_open = True
    assert await world.duties.settled(ended("o-1")) == Settled(archived=True)
    assert world.said == ["o-1"]
    assert world.duties.are_open


async def test_a_deletion_waits_for_a_receiver_only_so_long_and_its_story_is_kept() -> None:
    broken = Receiver(works=False)
    world, deleted = World(broken), ended("o-1", deletionTimestamp=DELETED)
    assert await world.duties.settled(deleted) == NotYet(duties.PATIENCE), "whoever tells says when it is done"
    world.now += duties.PATIENCE - 1
    assert await world.duties.settled(deleted) == NotYet(1.0)
    assert not broken.not_done
    world.now += 2
    assert await world.duties.settled(deleted) == Settled(archived=True)
    assert broken.not_done == ["o-1"]


async def test_a_deletion_waits_for_its_story_only_so_long() -> None:
    world = World()
    world.archive.works = False
    deleted = ended("o-deleted", deletionTimestamp=DELETED)
    for resource in (deleted, ended("o-ended")):
        assert isinstance(await world.duties.settled(resource), NotYet)
    world.now += duties.PATIENCE + 1
    assert await world.duties.settled(deleted) == Settled(archived=False)
    assert isinstance(await world.duties.settled(ended("o-ended")), NotYet), "nobody waits for it"


async def test_what_a_finished_saga_has_waited_before_is_not_counted_against_it_when_it_is_deleted() -> None:
    world = World(Receiver(works=False))
    await world.duties.settled(ended("o-1"))
    world.now += 10 * duties.PATIENCE
    assert isinstance(await world.duties.settled(ended("o-1", deletionTimestamp=DELETED)), NotYet)


async def test_a_duty_with_a_defect_holds_up_no_other_and_no_deletion() -> None:
    class Defective(Receiver):
        async def done(self, resource: Resource) -> bool:
            raise KeyError("a status that somebody has edited")

        def missed(self, resource: Resource) -> None:
            raise KeyError("a status that somebody has edited")

    good = Receiver()
    world, deleted = World(Defective(), good), ended("o-1", deletionTimestamp=DELETED)
    assert isinstance(await world.duties.settled(deleted), NotYet)
    assert good.asked == ["o-1"]
    world.now += duties.PATIENCE + 1
    assert await world.duties.settled(deleted) == Settled(archived=True)


async def test_where_the_namespace_ends_one_attempt_is_all() -> None:
    broken = Receiver(works=False)
    world = World(broken)
    world.duties.hurry()
    assert await world.duties.settled(ended("o-1")) == Settled(archived=True)
    assert broken.asked == broken.not_done == ["o-1"]


async def test_the_finalizer_waits_for_the_last_word_and_nothing_else_is_done_again_meanwhile() -> None:
    good = Receiver()
    world = World(good)
    world.is_heard = False
    for _ in range(3):
        assert await world.duties.settled(ended("o-1")) == NotYet(duties.SOON, urgent=True)
    world.is_heard = True
    for _ in range(2):  # the write after it may fail
        assert await world.duties.settled(ended("o-1")) == Settled(archived=True)
    assert good.asked == world.archive.asked == ["o-1"]
    assert world.said == ["o-1"] * 5


async def test_what_has_changed_since_its_story_was_kept_is_kept_again() -> None:
    world = World()
    for version in ("1", "1", "2"):
        await world.duties.settled(ended("o-1", resourceVersion=version))
    assert world.archive.asked == ["o-1"] * 2
    world.duties.finalizer_is_off("u-o-1")
    assert world.said == ["o-1"] * 2, "it is forgotten"
    await world.duties.settled(ended("o-1", resourceVersion="2"))
    assert world.archive.asked == ["o-1"] * 3, "somebody has put it back"


async def test_where_the_namespace_ends_nobody_waits_for_the_last_word() -> None:
    world = World()
    world.is_heard = False
    world.duties.hurry()
    assert await world.duties.settled(ended("o-1")) == Settled(archived=True)


async def test_a_last_word_that_can_not_be_said_holds_up_nothing() -> None:
    class Defective(World):
        def is_said(self, resource: Resource) -> bool:
            raise ValueError("a defect")

    assert await Defective().duties.settled(ended("o-1")) == Settled(archived=True)


def test_of_a_resource_that_somebody_else_removed_nothing_is_kept() -> None:
    now = [100.0]
    patience = Patience(lambda: now[0])
    gone, there, later = (ended(name, deletionTimestamp=DELETED) for name in ("o-gone", "o-there", "o-later"))
    for resource in (gone, there):
        patience.is_over(resource)
    for _ in range(10):
        now[0] += duties.FORGOTTEN / 9
        patience.is_over(there)
    patience.is_over(later)
    assert patience.is_over(gone) is False, "if it is seen again, it waits as if for the first time"
    assert patience.is_over(there) is True
