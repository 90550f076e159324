"""An operation of the database as a span, with OpenTelemetry's conventions for databases. What was asked for, and what
was found, is never in it.

One whose request isn't recorded costs a look at a variable, and no coroutine more.
"""

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from pymongo.errors import DuplicateKeyError, OperationFailure

from common.tracing.current import Here, Moment, here
from common.tracing.span import Span, Value

P = ParamSpec("P")
T = TypeVar("T")


class Placed(Protocol):
    """What has a place in the database."""

    place: tuple[str, str]
    """The names of the database and the collection; the second is "" for what concerns no single one."""


S = TypeVar("S", bound=Placed)


def spanned(
    command: str,
) -> Callable[
    [Callable[Concatenate[S, P], Coroutine[Any, Any, T]]], Callable[Concatenate[S, P], Coroutine[Any, Any, T]]
]:
    """A decorator: the operation is a span, named after the server's `command`."""

    def decorate(
        operation: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
    ) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
        @functools.wraps(operation)
        def begun(asking: S, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
            above = here()
            if above is None or not above.context.sampled:
                return operation(asking, *args, **kwargs)
            return seen(above, command, asking.place, operation(asking, *args, **kwargs))

        return begun

    return decorate


async def seen(here: Here, command: str, place: tuple[str, str], running: Coroutine[Any, Any, T]) -> T:
    """The operation's result, and the span that it was."""
    operation = Operation(here, command, place)
    try:
        result = await running
    except BaseException as error:
        operation.end(error)
        raise
    operation.end(None)
    return result


class Operation:
    """A span that has begun."""

    def __init__(self, here: Here, command: str, place: tuple[str, str]) -> None:
        self._here, self._command, self._place = here, command, place
        self._began = Moment()

    def end(self, error: BaseException | None) -> None:
        """It is over, with this error."""
        database, collection = self._place
        noted: dict[str, Value] = {"db.system.name": "mongodb", "db.operation.name": self._command}
        if database:
            noted["db.namespace"] = database
        if collection:
            noted["db.collection.name"] = collection
        failed = _note(noted, error)
        span = Span(
            f"{self._command} {collection}".rstrip(),
            "client",
            self._here.context.child(),
            self._here.context.span_id,
            self._began.time,
            self._began.now(),
            noted,
            status="error" if failed else "unset",
        )
        self._here.spans.send([span])


def _note(noted: dict[str, Value], error: BaseException | None) -> bool:
    """Whether it failed. Of an error only the type or the code is said: its words may quote what was asked for."""
    if error is None or isinstance(error, GeneratorExit):  # whoever read a list has seen enough
        return False
    code = str(error.code) if isinstance(error, OperationFailure) and error.code is not None else ""
    if code:
        noted["db.response.status_code"] = code
    if isinstance(error, DuplicateKeyError):  # what the barrier expects of a call that comes twice
        return False
    noted["error.type"] = code or type(error).__name__
    return True
