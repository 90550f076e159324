"""Times on the wire (RFC 3339, UTC, whole seconds as in metav1.Time) and inside (seconds since the epoch)."""

from datetime import UTC, datetime
from functools import lru_cache


def to_wire(seconds: float) -> str:
    """`2026-11-22T20:15:00Z`."""
    return _second(int(seconds))


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
