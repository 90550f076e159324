"""Trace contexts are read as strictly as W3C has it, and all processes decide alike about what is recorded."""

import pytest
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from common.tracing.context import TraceContext
from common.tracing.sampling import RATIO, Sampling

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("ff", True)])
def test_a_traceparent_is_read_and_written(flags: str, sampled: bool) -> None:
    context = TraceContext.parse(f"00-{TRACE}-{SPAN}-{flags}")
    assert context == TraceContext(int(TRACE, 16), int(SPAN, 16), sampled)
    assert context.header() == f"00-{TRACE}-{SPAN}-{'01' if sampled else '00'}"


def test_a_later_version_may_say_more_behind_the_flags() -> None:
    for more in ("", "-what-the-future-will-be-like"):
        context = TraceContext.parse(f"cc-{TRACE}-{SPAN}-01{more}")
        assert context is not None
        assert context.header() == f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
        f" 00-{TRACE}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01more",
        f"cc-{TRACE}-{SPAN}-01-{'x' * 1000}",
        f"00-{TRACE[:-1]}é-{SPAN}-01",
        f"00-{TRACE[:-1]}١-{SPAN}-01",
    ],
)
def test_what_is_no_traceparent_is_none(header: str) -> None:
    assert TraceContext.parse(header) is None


def test_a_new_trace_and_its_children_have_ids_of_their_own() -> None:
    first = TraceContext.new(sampled=True)
    contexts = [first, TraceContext.new(sampled=True), *(first.child() for _ in range(50))]
    assert len({each.trace_id for each in contexts}) == 2
    assert len({each.span_id for each in contexts}) == len(contexts)
    assert all(TraceContext.parse(each.header()) == each for each in contexts)
    assert first.child(7) == TraceContext(first.trace_id, 7, sampled=True)


def test_a_share_of_the_traces_is_recorded_the_one_that_opentelemetry_would_choose() -> None:
    theirs = TraceIdRatioBased(RATIO)
    ids = [TraceContext.new(sampled=False).trace_id for _ in range(2000)]
    ids += [1, (1 << 64) - 1, 1 << 64, theirs.bound - 1, theirs.bound, (1 << 128) - 1]
    chosen = [Sampling().samples(each) for each in ids]
    assert chosen == [theirs.should_sample(None, each, "").decision is Decision.RECORD_AND_SAMPLE for each in ids]
    assert 40 < sum(chosen) < 200


def test_a_parents_decision_counts_unless_the_sampler_says_otherwise() -> None:
    assert Sampling(0.0).samples(1, parent=True)
    assert not Sampling(1.0).samples(1, parent=False)
    assert Sampling(1.0, follows_parent=False).samples(1, parent=False)


@pytest.mark.parametrize(
    ("sampler", "arg", "expected"),
    [
        (None, None, Sampling(0.05)),
        (None, "0.5", Sampling(0.5)),
        ("", " 1 ", Sampling(1.0)),
        ("always_on", "0.5", Sampling(1.0, follows_parent=False)),
        ("Parentbased_Always_Off", None, Sampling(0.0)),
        ("parentbased_always_on", None, Sampling(1.0)),
        ("traceidratio", "0.25", Sampling(0.25, follows_parent=False)),
    ],
)
def test_the_standard_variables_choose_the_sampler(sampler: str | None, arg: str | None, expected: Sampling) -> None:
    given = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": arg}
    environ = {name: value for name, value in given.items() if value is not None}
    said: list[str] = []
    assert Sampling.from_environment(environ, said.append) == expected
    assert said == []


@pytest.mark.parametrize(
    ("sampler", "arg"),
    [("jaeger_remote", None), (None, "5%"), (None, "1.5"), (None, "-1"), (None, "nan"), ("nonsense", "nonsense")],
)
def test_a_sampler_that_cant_be_read_is_said_and_is_the_usual_one(sampler: str | None, arg: str | None) -> None:
    given = {"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": arg}
    said: list[str] = []
    found = Sampling.from_environment({name: value for name, value in given.items() if value}, said.append)
    assert found == Sampling(0.05)
    assert said
    assert all("OTEL_TRACES_SAMPLER" in each for each in said)
