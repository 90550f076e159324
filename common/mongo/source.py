"""Where a collection gets the driver's client, and what an operation does whose user the server refuses."""

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from pymongo.errors import OperationFailure

P = ParamSpec("P")
T = TypeVar("T")

AUTHENTICATION_FAILED = 18
"""The server's code for a user that it doesn't know, or another password."""


class Source(Protocol):
    """The clients of a process."""

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
    done nothing. One of a transaction isn't repeated, but the whole transaction.
    """

    @functools.wraps(operation)
    async def repeated(asking: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await operation(asking, *args, **kwargs)
        except OperationFailure as error:
            refused = error.code == AUTHENTICATION_FAILED and kwargs.get("session") is None
            if not refused or not await asking.source.let_in():
                raise
        return await operation(asking, *args, **kwargs)

    return repeated
