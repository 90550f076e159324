"""The span that the running code belongs to, so that what it asks of others becomes a span below it.

    with under(Here(spans, context)):              # of a request: the middleware does that
        ...
        with recording("charge", "client") as note:     # a span, if the request is sampled
            note["ordersaga.provider.operation"] = "charge"

Tasks inherit it from the code that starts them. Where nothing is recorded, all of this is one look at a variable.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from common.tracing.context import TraceContext
from common.tracing.span import Kind, Span, Value


class Sink(Protocol):
    """Where finished spans go to."""

    def send(self, spans: Iterable[Span]) -> None:
        """Send these, or keep them for a while. It blocks nobody and raises nothing."""


class Gathered:
    """Keeps the spans below one until that is over, and sends them with it: of a process that is killed in between
    nobody sees spans whose parent is missing.
    """

    __slots__ = ("_kept", "_sink")

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._kept: list[Span] | None = []

    def send(self, spans: Iterable[Span]) -> None:
        """Keep these; what comes when the span above is over is sent at once, and so is more than has room."""
        if self._kept is None or len(self._kept) >= MOST_GATHERED:
            self._sink.send(spans)
        else:
            self._kept.extend(spans)

    def end(self, above: Span) -> None:
        """The span above is over."""
        kept, self._kept = self._kept or [], None
        self._sink.send([above, *kept])


MOST_GATHERED = 200
"""Spans below one, 200 KB: a request has about ten, and one that has hundreds shows that with the first ones."""


@dataclass(frozen=True, slots=True)
class Here:
    """A span that isn't over yet, and where those below it go to."""

    spans: Sink
    context: TraceContext


_here: ContextVar[Here | None] = ContextVar("ordersaga_span", default=None)


def here() -> Here | None:
    """The span of the running code, recorded or not; None where there are no traces."""
    return _here.get()


def recorded() -> Here | None:
    """The span of the running code if it is recorded."""
    found = _here.get()
    return found if found is not None and found.context.sampled else None


def traceparent() -> str | None:
    """What an answer's or an object's author is told of the running code's span; None where there are no traces."""
    found = _here.get()
    return None if found is None else found.context.header()


class under:  # noqa: N801 - it reads as what it does
    """What is done in the block belongs to this span. Each request has one: it costs a fifth of a generator."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Here | None) -> None:
        self._span = span

    def __enter__(self) -> None:
        self._token = _here.set(self._span)

    def __exit__(self, *_: object) -> None:
        _here.reset(self._token)


@contextmanager
def recording(name: str, kind: Kind, attributes: Mapping[str, Value] | None = None) -> Iterator[dict[str, Value]]:
    """The block is a span below the running code's, if that is recorded. It yields its attributes, to add to.

    An exception makes it an error, whose type is told and nothing else: messages quote what others sent.
    """
    above = recorded()
    noted: dict[str, Value] = dict(attributes or {})
    if above is None:
        yield noted
        return
    context, began = above.context.child(), Moment()
    token = _here.set(Here(above.spans, context))
    try:
        yield noted
    except BaseException as error:
        noted.setdefault("error.type", type(error).__name__)
        raise
    finally:
        _here.reset(token)
        failed = "error.type" in noted
        above.spans.send(
            [
                Span(
                    name,
                    kind,
                    context,
                    above.context.span_id,
                    began.time,
                    began.now(),
                    noted,
                    status="error" if failed else "unset",
                )
            ]
        )


@contextmanager
def together(name: str, spans: Iterable[Here | None]) -> Iterator[None]:
    """The block is done for several at once, each of which sees it as a span below its own, if it is recorded. What is
    below it, in turn, is in the first one's trace, and the others' are linked to that.
    """
    all_recorded = [each for each in spans if each is not None and each.context.sampled]
    if not all_recorded:
        yield
        return
    first = all_recorded[0]
    context, began = first.context.child(), Moment()
    noted: dict[str, Value] = {"ordersaga.together": len(all_recorded)}
    try:
        with under(Here(first.spans, context)):
            yield
    except BaseException as error:
        noted["error.type"] = type(error).__name__
        raise
    finally:
        for each in all_recorded:
            own = context if each is first else each.context.child()
            links = () if each is first else (context,)
            above, ended = each.context.span_id, began.now()
            each.spans.send([Span(name, "internal", own, above, began.time, ended, noted, links)])


class Moment:
    """When a span began, and how long ago that is: a clock that is set meanwhile makes no span end before it began."""

    __slots__ = ("_began", "time")

    def __init__(self) -> None:
        self.time = time.time()
        """Seconds since 1970."""
        self._began = time.perf_counter()

    def now(self) -> float:
        """Seconds since 1970, by the clock with which it began."""
        return self.time + time.perf_counter() - self._began
