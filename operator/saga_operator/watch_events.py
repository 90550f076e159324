"""The lines of a watch, without those that kopf doesn't survive, and without the echoes of our own writes.

kopf ends at the first line that is no event, and with it every worker, back-off and circuit breaker of this process. An
API server sends such a line when its etcd changes the leader (an ERROR that isn't 410); a proxy in front of it may send
anything, or break off in the middle of a line. The watch is begun anew then, and nothing else.
"""

import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, Protocol

from saga_operator.echoes import Echoes

log = logging.getLogger(__name__)

LONGEST: Final = 16 * 2**20
"""Bytes of one line: ten of the largest objects that etcd takes."""

_KINDS: Final = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK")
_USUAL: Final = re.compile(rb'\{"type": ?"(?:%s)", ?"object": ?\{' % "|".join(_KINDS).encode())
"""How every line of an API server begins: these aren't parsed twice."""


class Content(Protocol):
    """The body of an answer, as aiohttp has it."""

    total_bytes: int

    def iter_chunked(self, n: int) -> AsyncIterator[bytes]:
        """What has arrived, at most so many bytes at a time."""


class WatchEvents:
    """The body of a watch's answer, which ends before the first line that is no event."""

    def __init__(self, content: Content, broken: Callable[[], Awaitable[None]], echoes: Echoes) -> None:
        """`broken` is awaited before the end, if a line was no event."""
        self._content = content
        self._broken = broken
        self._echoes = echoes

    def __getattr__(self, name: str) -> Any:
        """Whatever else aiohttp asks its body."""
        return getattr(self._content, name)

    async def iter_chunked(self, n: int) -> AsyncIterator[bytes]:
        """Whole lines, each of them an event that says something new.

        kopf resumes from the version of the last event that it has read: what was left out since then is shown again.
        """
        begun: list[bytes] = []
        async for data in self._content.iter_chunked(n):
            first, *more = data.split(b"\n")
            begun.append(first)
            if more:
                lines = [b"".join(begun), *more[:-1]]
                begun = [more[-1]]
                wrong = next((index for index, line in enumerate(lines) if line and not is_event(line)), None)
                if good := b"".join(line + b"\n" for line in lines[:wrong] if line and not self._echoes.take(line)):
                    yield good
                if wrong is not None:
                    log.warning("the watch is begun anew: it said %r", lines[wrong][:200])
                    await self._broken()
                    return
            if sum(map(len, begun)) > LONGEST:
                log.warning("the watch is begun anew: a line of it has more than %d bytes", LONGEST)
                await self._broken()
                return


def is_event(line: bytes) -> bool:
    """Whether kopf can read this line: a change of an object, a bookmark, or the ERROR that the version is too old."""
    if _USUAL.match(line) and b'"metadata":' in line:
        return True
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(event, dict) or not isinstance(found := event.get("object"), dict):
        return False
    if event.get("type") == "ERROR":
        return found.get("code") == 410
    return event.get("type") in _KINDS and isinstance(found.get("metadata"), dict)
