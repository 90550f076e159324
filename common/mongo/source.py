"""Where a collection gets the driver's client, and what an operation does whose user the server refuses."""

import functools
import time
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from pymongo.errors import DuplicateKeyError, OperationFailure

P = ParamSpec("P")
T = TypeVar("T")

AUTHENTICATION_FAILED = 18
"""The server's code for a user that it doesn't know, or another password."""


Watch = Callable[[str, str, float], None]
"""Told of each operation: its name, its outcome (`ok`, `duplicate`, `error`), and the seconds that it took."""


class Source(Protocol):
    """The clients of a process."""

    watch: Watch | None

    def current(self) -> Any:
        """The one to use now."""

    async def let_in(self) -> bool:
        """After a refused user: whether another client is in use now."""


class Sourced(Protocol):
    """Whatever asks a client of this source."""

    source: Source


S = TypeVar("S", bound=Sourced)


def once_more_if_refused(
    operation: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """The operation; once more with the new password if the old one is refused: a server that doesn't know the user has
    done nothing. One of a transaction isn't repeated, but the whole transaction. The source's `watch` is told.
    """
    name = operation.__name__

    @functools.wraps(operation)
    async def repeated(asking: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with watched(asking.source, name):
            try:
                return await operation(asking, *args, **kwargs)
            except OperationFailure as error:
                refused = error.code == AUTHENTICATION_FAILED and kwargs.get("session") is None
                if not refused or not await asking.source.let_in():
                    raise
            return await operation(asking, *args, **kwargs)

    return repeated


class watched:  # noqa: N801 - it reads as what it does; a generator would cost three times as much
    """Around an operation of that name: whoever watches the source is told of it."""

    __slots__ = ("_began", "_name", "_watch")

    def __init__(self, source: Source, name: str) -> None:
        self._watch, self._name = source.watch, name

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if self._watch is None:
            return
        outcome = "ok" if kind is None else "duplicate" if issubclass(kind, DuplicateKeyError) else "error"
        self._watch(self._name, outcome, time.perf_counter() - self._began)
