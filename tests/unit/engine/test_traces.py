"""What the operator keeps of ended sagas until their finalizer goes, and what it sends then: each span once."""

import pytest

from common.order_saga import ARCHIVED
from common.tracing.export import Spans
from common.tracing.sampling import Sampling
from common.tracing.span import Span
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
    """The way to a collector that keeps what it gets."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def put(self, span: Span) -> bool:
        self.spans.append(span)
        return True

    def flush(self) -> None:
        pass

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


def test_a_saga_that_the_process_has_seen_begins_then_and_any_other_as_it_is_recorded() -> None:
    known, taken = traces()
    assert known.ended(ended(1), COMPLETED, NONE, SEEN)
    for number in (1, 2):
        known.last_word(ended(number))
    roots = [span for span in taken.spans if span.parent is None]
    assert [span.start for span in roots] == [SEEN, CREATED]
    assert [span.end for span in roots] == [NOW + 0.5] * 2


def test_of_a_saga_that_is_not_sampled_nothing_is_kept_or_sent() -> None:
    unsampled, taken = traces(0.0)
    assert not unsampled.ended(ended(), COMPLETED, NONE, SEEN), "nobody waits for its finalizer"
    unsampled.last_word(ended())
    assert taken.spans == []
    assert unsampled.annotations(ended()) == {}


def test_a_finalizer_that_somebody_has_put_back_brings_no_second_trace() -> None:
    known, taken = traces()
    known.last_word(ended(1, **{ARCHIVED: "uid-1"}))
    assert taken.spans == []
    known.last_word(ended(2, **{ARCHIVED: "uid-1"}))
    assert taken.spans != [], "the note is of the manifest's first order"


def test_a_saga_that_goes_unfinished_has_no_trace() -> None:
    known, taken = traces()
    known.last_word(resource_of(status_of(new_saga(), now=NOW, generation=1, previous={})))
    assert taken.spans == []


@pytest.mark.parametrize("more", [0, 1])
def test_of_more_ended_sagas_than_are_remembered_the_record_is_enough(more: int) -> None:
    known, taken = traces()
    for number in range(REMEMBERED + more):
        known.ended(ended(number), COMPLETED, NONE, SEEN)
    known.last_word(ended(0))
    assert taken.spans[0].start == (CREATED if more else SEEN)
