"""The trace of a saga is a function of its record: whole, the same whoever makes it, with all that calls have named."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

from common.tracing.span import Span
from saga_operator.resource.trace.spans import spans_of
from tests.unit.resource.runs import Run, runs

EVERY = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])


def judge(spans: list[Span]) -> None:
    [root] = [span for span in spans if span.parent is None]
    assert root is spans[0]
    by_id = {span.context.span_id: span for span in spans}
    assert [id_ for id_, n in Counter(span.context.span_id for span in spans).items() if n > 1] == []
    assert {span.context.trace_id for span in spans} == {root.context.trace_id}
    for span in spans:
        assert span.start <= span.end
        if span.parent is not None:
            parent = by_id[span.parent]
            assert spans.index(parent) < spans.index(span)
            assert parent.start <= span.start
            assert span.end <= parent.end


def ids(spans: list[Span]) -> set[int]:
    return {span.context.span_id for span in spans}


@EVERY
@given(run=runs())
def test_it_is_one_tree_without_orphans_and_every_span_lies_within_its_parent(run: Run) -> None:
    judge(spans_of(run.place, run.live))
    judge(spans_of(run.place, run.rebuilt))


@EVERY
@given(run=runs(downs=False))
def test_what_is_rebuilt_has_the_same_spans_as_what_was_seen(run: Run) -> None:
    live, rebuilt = spans_of(run.place, run.live), spans_of(run.place, run.rebuilt)
    assert [(span.context, span.name, span.parent) for span in live] == [
        (span.context, span.name, span.parent) for span in rebuilt
    ]


@EVERY
@given(run=runs(downs=False, crashes=False))
def test_what_is_rebuilt_says_to_the_millisecond_how_long_a_step_took(run: Run) -> None:
    live, rebuilt = spans_of(run.place, run.live), spans_of(run.place, run.rebuilt)
    for seen, recorded in zip(live[1:], rebuilt[1:], strict=True):
        assert recorded.start == pytest.approx(seen.start, abs=0.002)
        if seen.parent == live[0].context.span_id:
            assert recorded.end == pytest.approx(seen.end, abs=0.002)


@EVERY
@given(run=runs(downs=False))
def test_the_parent_that_a_sampled_call_names_is_there_whatever_process_died(run: Run) -> None:
    named = {context.span_id for context in run.sent if context.sampled}
    assert named <= ids(spans_of(run.place, run.live))
    assert named <= ids(spans_of(run.place, run.rebuilt))


@EVERY
@given(run=runs(crashes=False))
def test_the_process_that_saw_it_knows_every_parent_also_while_a_participant_counts_as_down(run: Run) -> None:
    assert {context.span_id for context in run.sent if context.sampled} <= ids(spans_of(run.place, run.live))
