"""Times and names as people say them. Pure."""

import re
from datetime import UTC, datetime
from typing import Final

_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_GIVEN: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|min|h|d|w)")
_SECONDS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}


def span(seconds: float | None) -> str:
    """`45 s`, `3 min`, `2 h 5 min`, `4 d`: as exact as somebody wants to know it."""
    if seconds is None:
        return ""
    left = max(0, int(seconds))
    for position, (unit, size) in enumerate(_UNITS):
        if left >= size or unit == "s":
            whole, rest = divmod(left, size)
            if unit in ("d", "h") and whole < 10:
                below, length = _UNITS[position + 1]
                return f"{whole} {unit} {rest // length} {below}" if rest >= length else f"{whole} {unit}"
            return f"{whole} {unit}"
    raise AssertionError("seconds are the last unit")


def exactly(seconds: float) -> str:
    """`1 min 26 s` where `span` says `1 min`: for one order, which somebody compares with a log."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes} min {rest} s" if 1 <= minutes < 10 and rest else span(seconds)


def took(seconds: float | None) -> str:
    """How long something took whose times are whole seconds."""
    if seconds is None:
        return ""
    return "< 1 s" if seconds < 1 else span(seconds)


def clock(seconds: float | None) -> str:
    """`2026-11-30 02:15:04Z`, in UTC as kubectl and most logs have it; "" if there is none."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def hour(seconds: float | None) -> str:
    """`02:15:04Z`: of that day."""
    return clock(seconds)[-9:]


def at(seconds: float, now: float) -> str:
    """The hour, and the day as well if it isn't today."""
    said = clock(seconds)
    return said[-9:] if said[:10] == clock(now)[:10] else said


def seconds_in(text: str) -> float:
    """Seconds of `30s`, `5m`, `2h`, `1d`, `1h30m`.

    Raises:
        ValueError: it is no time; the message says how one looks.
    """
    parts = _GIVEN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no time: write 30s, 5m, 2h or 1d")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def count(number: int, one: str, several: str = "") -> str:
    """`1 saga`, `3 sagas`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def plain(markdown: str) -> str:
    """A sentence of the docs without its links and back-ticks."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown).replace("`", "")
