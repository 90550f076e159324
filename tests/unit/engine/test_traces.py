"""What the operator keeps of ended sagas until their finalizer goes, and what it sends before: each span once."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from common.order_saga import ARCHIVED
from common.tracing.export import Spans
from common.tracing.sampling import Sampling
from common.tracing.span import Span
from saga_operator.engine.records import traces as records
from saga_operator.engine.records.traces import REMEMBERED, Traces
from saga_operator.process.saga import Saga
from saga_operator.resource.attempts import History
from saga_operator.resource.body import Resource
from saga_operator.resource.status import status_of
from tests.unit.process.builders import CREATED, NOW, STEPS, after, done, new_saga
from tests.unit.resource.runs import resource_of

COMPLETED: Saga = after(new_saga(), *done(*STEPS, at=NOW + 0.5))
SEEN = CREATED + 0.25
NONE: History = {}


class Taken:
    """The way to a collector that keeps what it gets, and takes it when it `answers`."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.flushed: list[int] = []
        """How many spans there were, each time that they had to be sent."""
        self.answers = threading.Event()
        self.answers.set()

    def put(self, span: Span) -> bool:
        self.spans.append(span)
        return True

    def flush(self) -> None:
        self.flushed.append(len(self.spans))
        self.answers.wait(10)

    def close(self) -> None:
        pass


def traces(ratio: float = 1.0) -> tuple[Traces, Taken]:
    spans, taken = Spans(Sampling(ratio)), Taken()
    spans.pipeline = taken
    return Traces(spans), taken


def ended(number: int = 0, **annotations: str) -> Resource:
    whole = resource_of(status_of(COMPLETED, now=NOW, generation=1, previous={}))
    metadata = {**whole.raw["metadata"], "uid": f"uid-{number}", "annotations": annotations}
    return Resource({**whole.raw, "metadata": metadata})


@asynccontextmanager
async def at_work(known: Traces) -> AsyncIterator[list[str]]:
    """The uids of those whose trace is said to be sent."""
    said: list[str] = []
    known.when_said = said.append
    working = asyncio.create_task(known.run())
    yield said
    working.cancel()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5.0):
        while not true():  # noqa: ASYNC110 - a thread makes it true, too
            await asyncio.sleep(0.01)


async def send(known: Traces, *resources: Resource) -> None:
    """Say the last word about these."""
    async with at_work(known) as said:
        waiting = [resource for resource in resources if not known.is_said(resource)]
        await until(lambda: len(said) == len(waiting))
    assert all(map(known.is_said, resources))


async def test_a_saga_that_the_process_has_seen_begins_then_and_any_other_as_it_is_recorded() -> None:
    known, taken = traces()
    assert known.ended(ended(1), COMPLETED, NONE, SEEN)
    await send(known, ended(1), ended(2))
    roots = [span for span in taken.spans if span.parent is None]
    assert [span.start for span in roots] == [SEEN, CREATED]
    assert [span.end for span in roots] == [NOW + 0.5] * 2
    assert taken.flushed == [len(taken.spans)], "those that end together are sent together"


async def test_a_finalizer_waits_until_the_collector_has_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "GATHER", 0.01)
    known, taken = traces()
    taken.answers.clear()
    async with at_work(known) as said:
        assert not known.is_said(ended(1))
        await until(lambda: bool(taken.flushed))
        number = len(taken.spans)
        assert not known.is_said(ended(1))
        assert said == []
        taken.answers.set()
        await until(lambda: said == ["uid-1"])
        assert known.is_said(ended(1))
        await asyncio.sleep(0.1)
    assert number == len(taken.spans)


async def test_a_process_that_dies_before_it_sends_leaves_all_of_it_to_its_successor() -> None:
    known, taken = traces()
    async with at_work(known):
        assert not known.is_said(ended(1))
    assert taken.spans == []


async def test_a_collector_that_hangs_holds_up_finalizers_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "TAKEN_WITHIN", 0.2)
    known, taken = traces()
    taken.answers.clear()
    async with at_work(known) as said:
        for number in range(5):
            known.is_said(ended(number))
            await until(lambda number=number: len(said) == number + 1)  # type: ignore[misc]
    assert taken.flushed == [len(taken.spans) // 5], "one thread waits for it, and finalizers no longer"
    taken.answers.set()


async def test_of_what_a_predecessor_left_no_more_is_sent_at_once_than_has_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known, taken = traces()
    await send(known, ended(0))
    each = len(taken.spans)
    monkeypatch.setattr(records, "AT_ONCE", 3 * each)
    await send(known, *map(ended, range(1, 11)))
    assert [more // each for more in taken.flushed] == [1, 4, 7, 10, 11]


async def test_at_the_end_of_the_namespace_nothing_waits_for_the_collector_and_each_is_sent_once() -> None:
    known, taken = traces()
    taken.answers.clear()
    async with at_work(known):
        known.is_said(ended(1))
        await until(lambda: bool(taken.flushed))
        known.is_said(ended(2))
        known.hurry()
        assert all(known.is_said(ended(number)) for number in (1, 2, 3))
        taken.answers.set()
        await asyncio.sleep(0)
    roots = [span.attributes["ordersaga.saga.uid"] for span in taken.spans if span.parent is None]
    assert roots == ["uid-1", "uid-2", "uid-3"]


def test_of_a_saga_that_is_not_sampled_nothing_is_kept_or_sent() -> None:
    unsampled, taken = traces(0.0)
    assert not unsampled.ended(ended(), COMPLETED, NONE, SEEN), "nobody waits for its finalizer"
    assert unsampled.is_said(ended())
    assert taken.spans == []
    assert unsampled.annotations(ended()) == {}


async def test_a_finalizer_that_somebody_has_put_back_brings_no_second_trace() -> None:
    known, taken = traces()
    assert known.is_said(ended(1, **{ARCHIVED: "uid-1"}))
    assert taken.spans == []
    await send(known, ended(2, **{ARCHIVED: "uid-1"}))
    assert taken.spans != [], "the note is of the manifest's first order"


def test_a_saga_that_goes_unfinished_has_no_trace() -> None:
    known, taken = traces()
    assert known.is_said(resource_of(status_of(new_saga(), now=NOW, generation=1, previous={})))
    assert taken.spans == []


@pytest.mark.parametrize("more", [0, 1])
async def test_of_more_ended_sagas_than_are_remembered_the_record_is_enough(more: int) -> None:
    known, taken = traces()
    for number in range(REMEMBERED + more):
        known.ended(ended(number), COMPLETED, NONE, SEEN)
    await send(known, ended(0))
    assert taken.spans[0].start == (CREATED if more else SEEN)
