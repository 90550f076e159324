"""What happens to a call on its way: decided by seed, order, step, operation and the call's number."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dev.chaos.plan.seeded import between, draw, weighted


class Trouble(StrEnum):
    """What the proxy does to a call."""

    NONE = "-"
    DELAYED = "delayed"
    DROPPED = "dropped"
    """Never delivered; the connection is closed."""
    LOST = "answer lost"
    """Delivered; the connection is closed instead of an answer."""
    BROKEN = "answer cut"
    """Delivered; half of the answer, then the connection is closed."""
    SLOW = "answer late"
    """Delivered; the answer comes after the caller's time-out."""
    LATE = "delivered late"
    """The connection is closed at once, and the call is delivered seconds later: a do may arrive after its undo."""
    TWICE = "twice at once"
    """Delivered twice at the same time; one of the answers goes back."""
    AGAIN = "again later"
    """Delivered and answered, and delivered again seconds later."""
    REFUSED = "503"
    """Never delivered; 503."""


@dataclass(frozen=True)
class Disturbance:
    """One decision. `seconds`: the delay that belongs to it."""

    trouble: Trouble
    seconds: float = 0.0


# In hundredths of all calls. Three of ten are disturbed, so every other step of a saga meets something.
WEIGHTS: Final = {
    Trouble.NONE: 69.0,
    Trouble.DELAYED: 7.0,
    Trouble.DROPPED: 4.0,
    Trouble.LOST: 5.0,
    Trouble.BROKEN: 1.5,
    Trouble.SLOW: 0.5,
    Trouble.LATE: 3.0,
    Trouble.TWICE: 3.5,
    Trouble.AGAIN: 3.0,
    Trouble.REFUSED: 3.5,
}
SECONDS: Final = {
    Trouble.DELAYED: (0.02, 0.8),
    Trouble.SLOW: (5.2, 6.5),
    Trouble.LATE: (0.1, 8.0),
    Trouble.AGAIN: (0.1, 8.0),
}
DISTURBED_CALLS: Final = 5
"""From then on the calls of an operation are left alone: a saga is to be tried, not to be made impossible."""


HAUNTED_SHARE: Final = 0.06
"""Orders of which one step is haunted: every call of its do arrives late, while the order is being cancelled. By mere
chance an action that has never been seen would meet its own undo once in a thousand sagas.
"""
HAUNTED_STEPS: Final = ("order", "inventory", "payment", "shipping", "confirmation")


def haunted_step(seed: int, order_id: str) -> str | None:
    """The step whose do arrives late only, or None."""
    what = (seed, "haunted", order_id)
    if draw(*what) >= HAUNTED_SHARE:
        return None
    return HAUNTED_STEPS[int(len(HAUNTED_STEPS) * draw(*what, "step"))]


def disturbance_of(seed: int, order_id: str, step: str, operation: str, number: int) -> Disturbance:
    """What happens to the call; `number` counts the calls of this operation from 1."""
    if number > DISTURBED_CALLS:
        return Disturbance(Trouble.NONE)
    what = (seed, "call", order_id, step, operation, number)
    if operation == "do" and step == haunted_step(seed, order_id):
        return Disturbance(Trouble.LATE, between(*SECONDS[Trouble.LATE], *what, "seconds"))
    trouble = weighted(WEIGHTS, *what)
    return Disturbance(trouble, between(*SECONDS[trouble], *what, "seconds") if trouble in SECONDS else 0.0)
