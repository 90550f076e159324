"""A finished span, as the code that has seen it says it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from common.tracing.context import TraceContext

Value = str | int | float | bool
Kind = Literal["internal", "server", "client", "producer", "consumer"]
Status = Literal["unset", "ok", "error"]


@dataclass(frozen=True, slots=True)
class Span:
    """`context` is the span itself; `parent` the id of the span above it in the same trace, None for the first one.

    `start` and `end` are seconds since 1970. `links` are spans that it has to do with, in other traces or in its own.
    Nothing personal and no secret may be in a name, an attribute or a message.
    """

    name: str
    kind: Kind
    context: TraceContext
    parent: int | None
    start: float
    end: float
    attributes: Mapping[str, Value] = field(default_factory=dict)
    links: Sequence[TraceContext] = ()
    status: Status = "unset"
    message: str = ""
    """What went wrong, for status error."""
