"""The place of a span in its trace, and the header that carries it: `traceparent` (W3C Trace Context)."""

import random
import re
from dataclasses import dataclass

HEADER = "traceparent"
ANNOTATION = "tracing.k8s.io/traceparent"
"""The same on an object of Kubernetes (KEP-5915): whose doing it is."""

_HEADER = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?")
_LONGEST = 512
"""Characters of a header of a later version; today's has 55."""
_SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span: `trace_id` has 128 bits, `span_id` 64, and neither is 0. `sampled`: it is recorded."""

    trace_id: int
    span_id: int
    sampled: bool

    @classmethod
    def parse(cls, header: str) -> "TraceContext | None":
        """What a traceparent says; None if it isn't one, as strictly as the standard has it.

        A later version may have more behind the flags, this one may not.
        """
        match = _HEADER.fullmatch(header) if len(header) <= _LONGEST else None
        if match is None or (match[1] == "00" and match[5] is not None):
            return None
        trace_id, span_id = int(match[2], 16), int(match[3], 16)
        if not trace_id or not span_id:
            return None
        return cls(trace_id, span_id, bool(int(match[4], 16) & _SAMPLED))

    @classmethod
    def new(cls, *, sampled: bool) -> "TraceContext":
        """The first span of a new trace."""
        return cls(_random(128), _random(64), sampled)

    def child(self, span_id: int | None = None) -> "TraceContext":
        """A span of the same trace and decision, with this id or a new one."""
        return TraceContext(self.trace_id, span_id or _random(64), self.sampled)

    @property
    def hex_id(self) -> str:
        """The trace's id, as people and collectors write it."""
        return f"{self.trace_id:032x}"

    def header(self) -> str:
        """The traceparent."""
        return f"00-{self.hex_id}-{self.span_id:016x}-{'01' if self.sampled else '00'}"


def _random(bits: int) -> int:
    return random.getrandbits(bits) or 1
