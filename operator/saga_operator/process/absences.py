"""The times in which no operator worked: the deadline's clock stands still in them.

They are known from the Lease: its holder renews it every few seconds, so a renewal that comes long after the one before
it ends a time in which nobody called a participant. The Lease keeps them, and the deadline of a saga follows from them
without a write to its resource.
"""

import functools
from typing import Final

Absences = tuple[tuple[float, float], ...]
"""Beginnings and ends, in seconds since the epoch (UTC), in order and without overlap."""

REMEMBERED_SECONDS: Final = 31 * 24 * 3600.0
"""A little more than the longest deadline (30 days). What was before that concerns no saga."""
REMEMBERED: Final = 32
"""How many are kept; they take 700 bytes of the Lease, which is written every two seconds."""


def seconds_of(absences: Absences, since: float, until: float = float("inf")) -> float:
    """How many of the seconds between the two nobody worked in."""
    return sum(max(0.0, min(end, until) - max(begin, since)) for begin, end in absences)


def with_absence(absences: Absences, begin: float, end: float) -> Absences:
    """These and one more, which is the latest.

    If they get too many, two become one: those with the least time between them, in which hardly any work was done.
    """
    if end <= begin:
        return absences
    kept = [entry for entry in absences if entry[1] > end - REMEMBERED_SECONDS and entry[0] < begin]
    if kept and kept[-1][1] >= begin:
        kept[-1] = (kept[-1][0], end)
    else:
        kept.append((begin, end))
    while len(kept) > REMEMBERED:
        at = min(range(len(kept) - 1), key=lambda index: kept[index + 1][0] - kept[index][1])
        kept[at : at + 2] = [(kept[at][0], kept[at + 1][1])]
    return tuple(kept)


def to_text(absences: Absences) -> str:
    """As the Lease keeps them: `1764370000-1764370090,…`, whole seconds, never shorter than they were."""
    return ",".join(f"{int(begin)}-{-int(-end // 1)}" for begin, end in absences)


@functools.lru_cache(8)
def from_text(text: str) -> Absences:
    """What `to_text` wrote; none from a text that says anything else."""
    try:
        pairs = [entry.split("-") for entry in text.split(",") if entry]
        found = tuple((float(int(begin)), float(int(end))) for begin, end in pairs)
    except (ValueError, OverflowError):  # not numbers, or larger than any float
        return ()
    ordered = all(begin < end for begin, end in found) and list(found) == sorted(found)
    return found if ordered and len(found) <= REMEMBERED else ()
