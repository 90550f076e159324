"""How a command finds its server and waits for its answer, for less than PyMongo takes for both.

PyMongo 4.20 sends in a task, though sending waits for nothing; a second task reads, and a third one looks each half
second whether the connection was given up: a fifth of all functions that an update calls is for them. Here the caller
sends and reads, and one timer ends that: at the deadline, or when the connection was given up.

For each command it also looks anew for the servers that are fit for it, though what it knows of them is an object that
is never changed, but replaced by the next heartbeat. As long as it is the same one, so is what was found in it.

The driver doesn't promise to keep these functions. So they are replaced in the release for which this was written, and
in no other: a later one works as it is (docs/adr/0012-pymongo-is-the-driver.md).
"""

import asyncio
import time
from typing import Any, Final

import pymongo
from pymongo import _csot
from pymongo.asynchronous import pool
from pymongo.asynchronous.topology import Topology
from pymongo.common import MAX_MESSAGE_SIZE
from pymongo.errors import ProtocolError, _OperationCancelled
from pymongo.message import _UNPACK_REPLY

_WRITTEN_FOR: Final = (4, 20)
_LOOK_SECONDS: Final = 0.5
"""How soon a command hears that its connection was given up; as often as the driver looks."""
_MOST_KINDS: Final = 8
"""Of selections: one for all that writes and one for all that reads."""
_look_for = Topology.select_servers


def wait_lean() -> None:
    """From now on commands of this process go like this."""
    if pymongo.version_tuple[:2] == _WRITTEN_FOR:
        driver: Any = pool
        driver.async_sendall, driver.async_receive_message = _send, _receive
        topology: Any = Topology
        topology.select_servers = _select_servers


async def _select_servers(topology: Any, selector: Any, *how: Any, **further: Any) -> Any:
    """The servers that are fit. What is known serves commands that may go to any of them, at their first attempt."""
    if any((*how[2:], *further.values())):  # an address, or servers that had their chance; `how` begins with a name
        return await _look_for(topology, selector, *how, **further)
    known: dict[int, tuple[Any, Any, Any]] = topology.__dict__.setdefault("_ordersaga_known", {})
    description, its_selector, servers = known.get(id(selector), (None, None, None))
    before = topology.description
    if description is before and its_selector is selector:
        return servers
    servers = await _look_for(topology, selector, *how, **further)
    if before is topology.description:
        if len(known) >= _MOST_KINDS:
            known.clear()
        known[id(selector)] = before, selector, servers
    return servers


async def _send(connection: Any, message: bytes) -> None:
    await connection.write(message)  # into the transport's buffer


async def _receive(connection: Any, request_id: int | None, most: int = MAX_MESSAGE_SIZE) -> Any:
    """The answer. Raises OSError (TimeoutError at the deadline), _OperationCancelled, ProtocolError."""
    protocol = connection.conn.get_conn
    watch = _Watch(protocol, connection.cancel_context, _ends_of(protocol))
    try:
        data, kind = await protocol.read(request_id, most)
    finally:
        watch.end()
    unpack = _UNPACK_REPLY.get(kind)
    if unpack is None:
        raise ProtocolError(f"got an answer of kind {kind!r}")
    return unpack(data)


def _ends_of(protocol: Any) -> float | None:
    """The deadline by the monotonic clock: of the operation, or of this connection."""
    if _csot.get_timeout():
        return _csot.get_deadline()
    seconds: float | None = protocol.gettimeout
    return time.monotonic() + seconds if seconds else None


class _Watch:
    """Ends the wait for an answer."""

    __slots__ = ("_cancelled", "_ends", "_loop", "_protocol", "_timer")

    def __init__(self, protocol: Any, cancelled: Any, ends: float | None) -> None:
        self._protocol = protocol
        self._cancelled = cancelled
        self._ends = ends
        self._loop = asyncio.get_running_loop()
        self._look_again()

    def end(self) -> None:
        self._timer.cancel()

    def _look_again(self) -> None:
        seconds = _LOOK_SECONDS
        if self._ends is not None:
            seconds = min(max(self._ends - time.monotonic(), 0.0), seconds)
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        if self._cancelled.cancelled:
            self._fail(_OperationCancelled("operation cancelled"))
        elif self._ends is not None and time.monotonic() >= self._ends:
            self._fail(TimeoutError("timed out"))
        else:
            self._look_again()

    def _fail(self, error: Exception) -> None:
        """To whoever reads. The driver closes the connection then: what comes later is nobody's answer."""
        for waiting in self._protocol._pending_messages:
            if not waiting.done():
                waiting.set_exception(error)
