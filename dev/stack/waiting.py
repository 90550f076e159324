"""Waiting for something to become true, with an end."""

import time
from collections.abc import Callable
from typing import TypeVar

from dev.setup.errors import StackError

T = TypeVar("T")


def wait_until(
    what: str | Callable[[], str], look: Callable[[], T], seconds: float, *, pause_seconds: float = 0.05
) -> T:
    """Look again and again until what is seen is true (not None, not empty); return it.

    `what` completes the sentence "after 30 seconds still not: …"; a function is asked when the time is up.

    Raises:
        StackError: when `seconds` have passed, and whatever `look` raises.
    """
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            sentence = what if isinstance(what, str) else what()
            raise StackError(f"after {seconds:.0f} seconds still not: {sentence}")
        time.sleep(pause_seconds)
    return seen
