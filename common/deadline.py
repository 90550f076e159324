"""One deadline for all that a request asks of others, so that nothing goes on for a caller who has hung up.

    with within(4):                  # everything below ends in 4 s from here, or sooner if a deadline is set already
        ...
        seconds = left(2)            # the time-out of one operation: what is left, at most 2 s

Tasks inherit the deadline of the code that starts them; work that goes on after the answer begins with `afresh`.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends: ContextVar[float] = ContextVar("deadline", default=math.inf)
"""By the monotonic clock, in seconds."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is done in the block has to end in `seconds`; a deadline that comes sooner stays."""
    token = _ends.set(min(_ends.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _ends.reset(token)


@contextmanager
def afresh() -> Iterator[None]:
    """Without the deadline of the caller: for work that goes on after the caller has its answer."""
    token = _ends.set(math.inf)
    try:
        yield
    finally:
        _ends.reset(token)


def left(at_most: float) -> float:
    """Seconds until the deadline, from 0 to `at_most`."""
    return min(max(_ends.get() - time.monotonic(), 0.0), at_most)
