"""Times on the wire (RFC 3339, UTC) and inside (seconds since the epoch).

Whole seconds, as in metav1.Time, but for the calls of a step, which have milliseconds: a whole saga takes a tenth of a
second, and a picture or a trace that is made of its record shall tell what took how long.
"""

from datetime import UTC, datetime
from functools import lru_cache


def to_wire(seconds: float) -> str:
    """`2026-11-22T20:15:00Z`."""
    return _second(int(seconds))


def to_wire_finely(seconds: float) -> str:
    """`2026-11-22T20:15:00.123Z`, never later than it is."""
    return f"{_second(int(seconds))[:-1]}.{int(seconds % 1 * 1000):03d}Z"


@lru_cache(1024)  # a status names the same few seconds many times, and so do those of other sagas
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_wire(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time."""
    return datetime.fromisoformat(text).timestamp()


def read_time(text: object) -> float | None:
    """The same; None if there is none or it can't be read: the API server takes a year 0 and leap seconds."""
    try:
        return from_wire(text) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None
