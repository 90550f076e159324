"""Waiting for something to become true, with an end. Standard library only: the deploy scripts use it, too."""

import asyncio
import time
from collections.abc import Awaitable, Callable
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
        _require_time(what, seconds, deadline)
        time.sleep(pause_seconds)
    return seen


async def wait_until_async(
    what: str | Callable[[], str], look: Callable[[], Awaitable[T]], seconds: float, *, pause_seconds: float = 0.05
) -> T:
    """`wait_until` for a coroutine function."""
    deadline = time.monotonic() + seconds
    while not (seen := await look()):
        _require_time(what, seconds, deadline)
        await asyncio.sleep(pause_seconds)
    return seen


def _require_time(what: str | Callable[[], str], seconds: float, deadline: float) -> None:
    if time.monotonic() > deadline:
        raise StackError(f"after {seconds:.0f} seconds still not: {what if isinstance(what, str) else what()}")
