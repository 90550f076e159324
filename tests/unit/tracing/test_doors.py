"""Whose decision counts: a caller's inside the cluster, and at the public port a stranger's within bounds."""

from typing import Any

import pytest

from common.tracing.context import TraceContext
from common.tracing.export import Spans
from common.tracing.sampling import Sampling
from common.web.tracing import FORCED_AT_ONCE, FORCED_PER_SECOND, Allowance, RequestSpans

SCOPE: dict[str, Any] = {"type": "http", "method": "POST", "path": "/api/orders"}
HANDFUL = int(FORCED_AT_ONCE + FORCED_PER_SECOND * 2)
"""The most that a loop of some milliseconds may force."""


def begun(door: RequestSpans, parent: TraceContext | None) -> TraceContext:
    span = door.begin(SCOPE, parent)
    assert span is not None
    return span.here.context


def test_inside_the_cluster_the_caller_decides() -> None:
    door = RequestSpans(Spans(Sampling(0.0)), public=False)
    for sampled in [True, False] * 500:
        parent = TraceContext.new(sampled=sampled)
        span = begun(door, parent)
        assert (span.trace_id, span.sampled) == (parent.trace_id, sampled)
        assert (span.span_id != parent.span_id) is sampled, "what isn't a span passes its caller's on"


def test_a_stranger_may_have_a_handful_of_traces_recorded_and_no_more() -> None:
    door = RequestSpans(Spans(Sampling(0.0)), public=True)
    parents = [TraceContext.new(sampled=True) for _ in range(2000)]
    spans = [begun(door, parent) for parent in parents]
    assert [span.trace_id for span in spans] == [parent.trace_id for parent in parents]
    assert [span.sampled for span in spans[:20]] == [True] * 20
    assert sum(span.sampled for span in spans) <= HANDFUL


def test_beyond_that_no_choice_of_the_trace_id_has_it_recorded() -> None:
    door = RequestSpans(Spans(Sampling(0.05)), public=True)
    chosen = TraceContext(1 << 64 | 1, 1, sampled=True)  # its lower half is what the usual sampler looks at
    assert Sampling(0.05).samples(chosen.trace_id)
    recorded = sum(begun(door, chosen).sampled for _ in range(4000))
    assert HANDFUL < recorded < 400


def test_a_stranger_who_records_nothing_has_nothing_recorded() -> None:
    door = RequestSpans(Spans(Sampling(1.0)), public=True)
    assert not any(begun(door, TraceContext.new(sampled=False)).sampled for _ in range(100))


def test_a_shop_that_records_everything_does_so_whatever_strangers_say() -> None:
    door = RequestSpans(Spans(Sampling(1.0, follows_parent=False)), public=True)
    assert all(begun(door, TraceContext.new(sampled=sampled)).sampled for sampled in [True, False] * 50)


@pytest.mark.parametrize("public", [True, False])
def test_without_a_parent_a_share_is_recorded_and_probes_never(public: bool) -> None:
    door = RequestSpans(Spans(Sampling(0.5)), public=public)
    spans = [begun(door, None) for _ in range(1000)]
    assert 350 < sum(span.sampled for span in spans) < 650
    assert len({span.trace_id for span in spans}) == 1000
    for path in ("/health", "/ready", "/metrics"):
        assert door.begin({**SCOPE, "path": path}, TraceContext.new(sampled=True)) is None


def test_an_allowance_comes_back_with_time() -> None:
    allowance = Allowance(per_second=1e9, at_once=2)
    assert all(allowance.take() for _ in range(1000))
    scarce = Allowance(per_second=0, at_once=2)
    assert [scarce.take() for _ in range(3)] == [True, True, False]
