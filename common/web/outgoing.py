"""Answers that somebody has to read: the outgoing half of a connection (the incoming one: `common.web.connections`).

uvicorn waits for ever for a client that doesn't read its answer, and the answer waits in memory.
"""

import asyncio
import contextlib
import socket
import struct
from typing import Any, ClassVar

SLOWEST = 8 * 1024
"""Bytes of an answer that a client has to take in a second, on average over the time that it has for a request; the
largest answers have about one mebibyte. Kestrel does the same, with 240 bytes over 5 s.
"""
LATE_SECONDS = 0.5
"""A look that comes so much too late says nothing of the client: this process stood still."""
KERNEL_BYTES = 64 * 1024
"""What the kernel keeps of an answer that the client's window has no room for; it would take up to four mebibytes."""
UNHEARD_SECONDS = 30
"""After this the kernel gives up a client that acknowledges nothing, also one whose connection is closed here."""
MOST_UNSENT = 32 * 1024 * 1024
"""Bytes of all answers of the process that nobody has taken yet: a sixth of a service's 192 MiB, and some thirty of the
largest answers. Beyond it, whoever has been taking longest is given up, so that many who don't read fill no memory.
"""
_RESET = struct.pack("ii", 1, 0)
"""The kernel forgets at once what it still has to send."""


class Outgoing:
    """A connection's transport that is aborted when an answer isn't taken: no byte for so long, or too few of them."""

    _unsent: ClassVar[set["Outgoing"]] = set()
    """Those that have something left to send, or had it a moment ago."""

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        """Look every `seconds`, for as long as something is left to send."""
        self._transport = transport
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._written = self._taken = 0
        self._since = 0.0
        """When the client had taken `_taken`."""
        self._looking: asyncio.TimerHandle | None = None
        self._is_given_up = False
        self._set(socket.IPPROTO_TCP, "TCP_NOTSENT_LOWAT", KERNEL_BYTES)
        self._set(socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", UNHEARD_SECONDS * 1000)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the transport's own."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send this as soon as the client takes it."""
        if self._is_given_up:
            return  # its end is on the way to whoever writes
        if not self._transport.get_write_buffer_size():
            self._since, self._taken = self._loop.time(), self._written
        if self._looking is None:
            self._look_in(self._seconds)
        self._written += len(data)
        self._transport.write(data)
        if len(data) > KERNEL_BYTES:
            self._make_room()

    def ended(self) -> None:
        """The connection is no more."""
        self._unsent.discard(self)
        if self._looking is not None:
            self._looking.cancel()

    def _look_in(self, seconds: float) -> None:
        due = self._loop.time() + seconds
        self._looking = self._loop.call_at(due, self._look, due)
        self._unsent.add(self)

    def _look(self, due: float) -> None:
        self._looking = None
        if not (unsent := self._transport.get_write_buffer_size()):
            self._unsent.discard(self)
            return
        now, taken = self._loop.time(), self._written - unsent
        if (left := self._since + self._seconds - now) > 0:
            self._look_in(left)
            return
        if taken - self._taken >= SLOWEST * self._seconds or now > due + LATE_SECONDS:
            self._since, self._taken = now, taken
            self._look_in(self._seconds)
            return
        self._give_up()

    def _give_up(self) -> None:
        self._is_given_up = True
        self._unsent.discard(self)
        self._set(socket.SOL_SOCKET, "SO_LINGER", _RESET)
        self._transport.abort()

    @classmethod
    def _make_room(cls) -> None:
        left = {each: each._transport.get_write_buffer_size() for each in cls._unsent}
        total = sum(left.values())
        for each in sorted(left, key=lambda each: each._since):
            if total <= MOST_UNSENT:
                return
            if left[each]:
                total -= left[each]
                each._give_up()

    def _set(self, level: int, option: str, value: int | bytes) -> None:
        """Set what this system knows."""
        if (number := getattr(socket, option, None)) is not None:
            with contextlib.suppress(OSError):
                self._transport.get_extra_info("socket").setsockopt(level, number, value)
