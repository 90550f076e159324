"""Which traces are recorded: what a parent has decided counts, and otherwise a share of all traces, by their ids."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

RATIO = 0.05
"""Enough to see what is slow, at a twentieth of the cost. OpenTelemetry's own default is everything."""

_ID_BITS = 64
_FOLLOWS = "parentbased_"
Complain = Callable[[str], object]


def _silent(_: str) -> None:
    """For whom a setting that can't be read is no news."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """The decision is a function of the trace id (the same as OpenTelemetry's TraceIdRatioBased), so that all processes
    decide alike, also about a trace whose parts don't know of each other.
    """

    ratio: float = RATIO
    """From 0 to 1."""
    follows_parent: bool = True

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], complain: Complain = _silent) -> "Sampling":
        """As OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG say. What they don't say is `parentbased_traceidratio` and
        0.05; so is what can't be read, and `complain` is told.
        """
        name = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower() or "parentbased_traceidratio"
        follows, kind = name.startswith(_FOLLOWS), name.removeprefix(_FOLLOWS)
        if kind in _ALWAYS:
            return cls(_ALWAYS[kind], follows)
        if kind != "traceidratio":
            complain("OTEL_TRACES_SAMPLER is no sampler that is known here: going on with parentbased_traceidratio")
            follows = True
        return cls(_ratio(environ.get("OTEL_TRACES_SAMPLER_ARG", ""), complain), follows)

    def samples(self, trace_id: int, parent: bool | None = None) -> bool:
        """Whether a trace is recorded. `parent`: what its parent has decided, None without one."""
        if parent is not None and self.follows_parent:
            return parent
        return trace_id & ((1 << _ID_BITS) - 1) < round(self.ratio * (1 << _ID_BITS))


_ALWAYS = {"always_on": 1.0, "always_off": 0.0}


def _ratio(text: str, complain: Complain) -> float:
    if not text.strip():
        return RATIO
    try:
        ratio = float(text)
    except ValueError:
        ratio = math.nan
    if not 0 <= ratio <= 1:
        complain(f"OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1: going on with {RATIO:g}")
        return RATIO
    return ratio
