"""What a request asks of others becomes spans below its own: in one piece, with the right parents, and with no words of
an error.
"""

import asyncio
from collections.abc import Iterable

import pytest

from common.tracing.context import TraceContext
from common.tracing.current import (
    MOST_GATHERED,
    Gathered,
    Here,
    here,
    recorded,
    recording,
    together,
    traceparent,
    under,
)
from common.tracing.span import Span


class Sent(list[Span]):
    """A sink."""

    def send(self, spans: Iterable[Span]) -> None:
        self.extend(spans)


def request(sent: Sent, *, sampled: bool = True) -> Here:
    return Here(sent, TraceContext.new(sampled=sampled))


async def test_spans_are_below_each_other_also_in_tasks() -> None:
    sent = Sent()
    asked = request(sent)

    async def in_a_task() -> None:
        with recording("inner", "internal"):
            pass

    with under(asked), recording("outer", "client", {"a": 1}) as noted:
        noted["b"] = "2"
        await asyncio.create_task(in_a_task())
    inner, outer = sent
    assert (outer.parent, inner.parent) == (asked.context.span_id, outer.context.span_id)
    assert {inner.context.trace_id, outer.context.trace_id} == {asked.context.trace_id}
    assert outer.attributes == {"a": 1, "b": "2"}
    assert outer.start <= inner.start <= inner.end <= outer.end
    assert here() is None


def test_where_nothing_is_recorded_there_is_nothing_but_the_header() -> None:
    sent = Sent()
    unrecorded = request(sent, sampled=False)
    for span in (None, unrecorded):
        with under(span), recording("outer", "client"), together("both", [recorded(), span]):
            assert recorded() is None
            assert traceparent() == (None if span is None else unrecorded.context.header())
    assert sent == []


def test_of_an_error_only_its_type_is_said() -> None:
    sent = Sent()
    with under(request(sent)), pytest.raises(ValueError, match="Lane 1"), recording("outer", "client"):
        raise ValueError("Ada, Lane 1")
    (span,) = sent
    assert (span.status, span.message, span.attributes) == ("error", "", {"error.type": "ValueError"})


def test_a_request_and_what_is_below_it_are_sent_in_one_piece() -> None:
    sent, below = Sent(), Gathered(kept := Sent())
    with under(Here(below, TraceContext.new(sampled=True))):
        for _ in range(3):
            with recording("query", "client"):
                pass
        assert kept == []
        with under(request(sent)), recording("request", "server"):
            pass
        below.end(sent[0])
        assert [span.name for span in kept] == ["request", "query", "query", "query"]
        with recording("afterwards", "client"):
            pass
        assert kept[-1].name == "afterwards"


def test_a_request_that_never_ends_keeps_no_more_than_a_bound() -> None:
    below = Gathered(kept := Sent())
    with under(Here(below, TraceContext.new(sampled=True))):
        for _ in range(MOST_GATHERED + 50):
            with recording("query", "client"):
                pass
    assert len(kept) == 50


def test_what_is_done_for_several_is_below_the_first_and_linked_to_the_others() -> None:
    sent = Sent()
    first, second = request(sent), request(sent)
    with (
        pytest.raises(KeyError),
        together("both", [None, request(sent, sampled=False), first, second]),
        recording("query", "client"),
    ):
        raise KeyError
    query, own, other = sent
    assert (own.parent, other.parent) == (first.context.span_id, second.context.span_id)
    assert query.parent == own.context.span_id
    assert query.context.trace_id == own.context.trace_id == first.context.trace_id != other.context.trace_id
    assert (list(own.links), list(other.links)) == ([], [own.context])
    assert own.attributes == {"ordersaga.together": 2, "error.type": "KeyError"}
