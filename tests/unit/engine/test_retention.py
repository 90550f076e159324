"""What becomes of finished sagas when the API server or the order service doesn't do as asked. Both are fakes."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.kube import ApiUnavailable, Forbidden, KubeError, ObjectNotFound, ObjectPage
from common.order_saga import ARCHIVED, EXPIRES, FINALIZER, NEVER
from common.wire import Json
from saga_operator.engine import retention
from saga_operator.engine.records import stories
from saga_operator.engine.records.stories import Stories
from saga_operator.engine.removals import Removals
from saga_operator.engine.retention import Retention
from saga_operator.engine.timetable import Timetable
from saga_operator.resource.body import Resource
from saga_operator.resource.times import from_wire
from tests.unit.engine.network import simulated

MISSING = "missing"
SILENT = Removals(cast(Any, SimpleNamespace(add=lambda *_: None)), lambda: None)


class FakeSagas:
    """Finished sagas, some of which can't be deleted, in a list that may expire."""

    def __init__(self, *names: str, page: int = 2) -> None:
        self.names, self._page = list(names), page
        self.ended: dict[str, str] = {}
        self.odd: dict[str, Json] = {}
        """What these resources have in the place of their own fields."""
        self.metadata: dict[str, Json] = {}
        """Their own fields of the metadata."""
        self.read: list[str] = []
        self.undeletable: set[str] = set()
        self.tried: list[str] = []
        self.expires_after: int | None = None
        """Pages, once."""

    def resource(self, name: str, **metadata: Any) -> Json:
        metadata = {**self.metadata.get(name, {}), **metadata}
        ended = self.ended.get(name, "2026-01-01T00:00:00Z")
        whole = {
            "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}", "resourceVersion": "7", **metadata},
            "spec": {"ttlSecondsAfterFinished": 5},
            "status": {"phase": "Completed", "completionTime": ended},
        }
        return {field: value for field, value in {**whole, **self.odd.get(name, {})}.items() if value != MISSING}

    async def list(self, field_selector: str) -> AsyncIterator[ObjectPage]:
        if field_selector != "status.phase=Completed":
            return
        names = sorted(self.names)
        for number, start in enumerate(range(0, len(names), self._page)):
            if number == self.expires_after:
                self.expires_after = None
                raise ApiUnavailable(410, "Expired", "the continue token is too old")
            yield ObjectPage([self.resource(name) for name in names[start : start + self._page]], "9")

    async def get(self, name: str) -> Json:
        self.read.append(name)
        if name not in self.names:
            raise ObjectNotFound(404, "NotFound", name)
        return self.resource(name)

    async def delete(self, name: str, uid: str, resource_version: str) -> Json:
        self.tried.append(name)
        if name in self.undeletable:
            raise Forbidden(403, "Forbidden", f"{name} may not be deleted")
        self.names.remove(name)
        return {}


class FakeOrderService:
    """Keeps stories, or doesn't."""

    def __init__(self) -> None:
        self.works = True
        self.asked: list[str] = []

    async def keep(self, resource: Resource) -> None:
        self.asked.append(resource.name)
        if not self.works:
            raise OSError("no answer")


class Wall:
    def now(self) -> float:
        return time.time()


def looking_after(sagas: FakeSagas, service: FakeOrderService, **options: float) -> Retention:
    parts: Any = (sagas, None, Stories(service.keep), Wall())
    return Retention(*parts, expiries=Timetable(), removals=SILENT, **options)


async def test_one_that_may_not_be_deleted_holds_up_nobody_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    sagas = FakeSagas("o-a", "o-b-held", "o-c", "o-d", "o-e")
    sagas.undeletable = {"o-b-held"}
    work = looking_after(sagas, FakeOrderService())
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await work.once()
    assert sagas.names == ["o-b-held"]
    assert sagas.tried.count("o-b-held") == 1
    assert [each for each in caplog.messages if "o-b-held stays" in each and "may not be deleted" in each]
    assert len(caplog.messages) == 1


async def test_what_may_not_be_deleted_is_tried_again_later() -> None:
    sagas = FakeSagas("o-held")
    sagas.undeletable = {"o-held"}
    work = looking_after(sagas, FakeOrderService(), first_pause=0.0)
    await work.once()
    sagas.undeletable.clear()
    await work.once()
    assert sagas.names == []


async def test_a_list_that_expires_is_begun_again_where_something_was_removed() -> None:
    sagas = FakeSagas("o-a", "o-b", "o-c", "o-d")
    sagas.expires_after = 1
    await looking_after(sagas, FakeOrderService()).once()
    assert sagas.names == []


async def test_a_list_that_expires_without_progress_is_the_api_servers_trouble() -> None:
    sagas = FakeSagas("o-a", "o-b", "o-c")
    sagas.expires_after, sagas.undeletable = 1, {"o-a", "o-b", "o-c"}
    with pytest.raises(KubeError):
        await looking_after(sagas, FakeOrderService()).once()


async def test_a_time_that_can_not_be_read_costs_its_saga_alone() -> None:
    sagas = FakeSagas("o-a", "o-b", "o-c")
    sagas.ended = {"o-a": "soon", "o-b": "9999-99-99T00:00:00Z"}
    await looking_after(sagas, FakeOrderService()).once()
    assert sagas.names == ["o-a", "o-b"]


async def test_a_resource_that_can_not_be_read_costs_itself_alone() -> None:
    sagas = FakeSagas("o-a", "o-b", "o-c", "o-d")
    sagas.odd = {
        "o-a": {"spec": MISSING},
        "o-b": {"spec": []},
        "o-c": {"spec": {"ttlSecondsAfterFinished": "soon"}},
    }
    await looking_after(sagas, FakeOrderService()).once()
    assert sagas.names == ["o-a", "o-b", "o-c"]


async def test_whatever_one_saga_does_to_its_removal_it_costs_that_saga_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sagas = FakeSagas("o-a", "o-b", "o-c")

    async def keep(resource: Resource) -> None:
        if resource.name == "o-b":
            raise KeyError("creationTimestamp")

    parts: Any = (sagas, None, Stories(keep), Wall())
    with caplog.at_level(logging.WARNING):
        await Retention(*parts, expiries=Timetable(), removals=SILENT).once()
    assert sagas.names == ["o-b"]
    assert [each for each in caplog.messages if "o-b stays" in each and "creationTimestamp" in each]


async def test_an_order_service_that_fails_is_not_asked_for_each_saga() -> None:
    """Each attempt may take as long as a call may take, and nothing is removed without its story."""
    sagas, service = FakeSagas(*(f"o-{number:03}" for number in range(100)), page=50), FakeOrderService()
    service.works = False
    await looking_after(sagas, service).once()
    assert len(sagas.names) == 100
    assert len(service.asked) <= retention.AT_ONCE


class LoopClock:
    def now(self) -> float:
        return from_wire("2026-06-01T00:00:00Z") + asyncio.get_running_loop().time()


def found_by_metadata(
    told: Callable[[Retention, FakeSagas], Coroutine[Any, Any, None]], sagas: FakeSagas, queue: "Queue | None" = None
) -> None:
    """What follows a list of metadata; then its time to live is over: that is so for all that ended in January."""

    async def main() -> None:
        parts: Any = (sagas, queue or Queue(), Stories(FakeOrderService().keep), LoopClock())
        work = Retention(*parts, expiries=Timetable(), removals=SILENT)
        running = asyncio.create_task(work.run())
        work.list_begins()
        for name in sorted(sagas.names):
            work.listed(Resource({"metadata": sagas.resource(name)["metadata"]}))
        await told(work, sagas)
        running.cancel()

    simulated(main())


class Queue:
    """In the place of the finalizers: it is told which of them are to come off, and takes none."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.is_open = is_open
        self.added: list[bool] = []

    def add(self, name: str, uid: str, *, urgent: bool) -> None:
        self.added.append(urgent)


def noted(name: str, expires: str) -> Json:
    return {"annotations": {ARCHIVED: f"uid-{name}", EXPIRES: expires}}


def test_one_whose_metadata_says_so_is_read_when_its_time_is_over_and_not_before() -> None:
    sagas = FakeSagas("o-later", "o-never", "o-over", "o-soon")
    sagas.metadata = {
        "o-over": noted("o-over", "2026-01-01T00:00:05Z"),
        "o-soon": noted("o-soon", "2026-06-01T00:00:20Z"),
        "o-later": noted("o-later", "2026-06-08T00:00:00Z"),
        "o-never": noted("o-never", NEVER),
    }

    async def told(_: Retention, sagas: FakeSagas) -> None:
        await asyncio.sleep(10)
        assert sagas.tried == ["o-over"]
        await asyncio.sleep(3600)
        assert sagas.tried == ["o-over", "o-soon"]
        assert sagas.read == sagas.tried

    found_by_metadata(told, sagas)


def test_those_whose_metadata_does_not_say_so_are_read_but_not_all_at_once() -> None:
    """Our finalizer is on, or somebody has copied the note of another, or has written one that can't be read."""
    sagas = FakeSagas(*(f"o-{number:03}" for number in range(400)))
    sagas.ended = dict.fromkeys(sagas.names[:-1], "2026-06-01T00:00:00Z")
    sagas.metadata = {
        "o-000": {"finalizers": [FINALIZER], **noted("o-000", NEVER)},
        "o-001": noted("o-another", NEVER),
        "o-002": noted("o-002", "soon"),
    }

    async def told(_: Retention, sagas: FakeSagas) -> None:
        await asyncio.sleep(2)
        assert 0 < len(sagas.read) < 100
        await asyncio.sleep(60)
        assert set(sagas.read) >= {f"o-{number:03}" for number in range(400)}
        assert sagas.names == ["o-000"], "the others' time is over, and nobody's finalizer is on them"

    found_by_metadata(told, sagas)


@pytest.mark.parametrize(("is_open", "most"), [(True, 200), (False, 30)])
def test_one_whose_finalizer_stays_is_looked_at_ever_less_often_and_seldom_while_nobody_can_be_told(
    is_open: bool, most: int
) -> None:
    sagas, queue = FakeSagas("o-1"), Queue(is_open=is_open)
    sagas.metadata = {"o-1": {"finalizers": [FINALIZER]}}
    sagas.ended = {"o-1": "2026-06-01T00:00:00Z"}

    async def told(_: Retention, sagas: FakeSagas) -> None:
        await asyncio.sleep(5400)
        assert most / 3 < len(sagas.read) <= most
        assert not sagas.tried, "our finalizer is on"
        assert set(queue.added) == {False, is_open}, "once its time is over somebody waits, unless it would be in vain"

    found_by_metadata(told, sagas, queue)


async def test_what_could_not_be_removed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sagas, service = FakeSagas("o-a", "o-b"), FakeOrderService()
    service.works = False
    monkeypatch.setattr(retention, "LATER", 0.0)
    monkeypatch.setattr(retention, "LOOK", 0.0)
    monkeypatch.setattr(retention, "AGAIN", 0.0)
    monkeypatch.setattr(stories, "AGAIN", 0.0)
    work = looking_after(sagas, service)
    await work.once()
    assert sagas.names == ["o-a", "o-b"]
    service.works = True
    for _ in range(100):
        await work._remove_due()
        await asyncio.sleep(0.01)
    assert sagas.names == []
