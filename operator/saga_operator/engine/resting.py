"""What is kept of a saga that has nothing to do for a while: as little as possible, and no task.

Tens of thousands wait while a participant is down. A waiting task with all that its worker has in memory takes 37 KB; a
packed one takes two.
"""

import pickle
import zlib
from dataclasses import dataclass
from typing import Any, Final, Self

from saga_operator.engine.calls.places import Places
from saga_operator.live_sagas import LiveSaga
from saga_operator.process.saga import Saga
from saga_operator.resource.body import Resource

PATIENCE: Final = 1.0
"""Seconds of waiting after which a worker rests: packing and unpacking take half a millisecond, and at work most turns
come within milliseconds.
"""
CROWD: Final = 500
"""Workers awake from which on nobody waits awake: as after a start, when all come in at once."""
LEVEL: Final = 1
"""Of zlib: a sixth of the time of the best, and hardly larger with a dictionary."""

_dictionary: list[bytes] = []
"""The first that was packed in this process: all look alike, and with its help they become a third as large."""


@dataclass(slots=True)
class Awake:
    """How many workers don't rest."""

    count: int = 0

    @property
    def patience(self) -> float:
        """Seconds that a worker waits before it rests."""
        return PATIENCE if self.count < CROWD else 0.0


@dataclass(frozen=True, slots=True)
class Rest:
    """A worker that rests."""

    packed: bytes
    places: Places
    """They stay in their lines, and are told when it is their turn."""
    seen: LiveSaga
    """What is shown of it."""
    version: int
    """Of the resource as it was last read or written."""
    until: float | None
    """Seconds since the epoch; None: until something changes."""

    @classmethod
    def of(cls, memory: dict[str, Any], epochs_refused: int, places: Places, until: float | None) -> Self:
        """The worker whose recorder has this memory."""
        saga, version = memory["saga"], memory["resource"].version
        return cls(_pack((memory, epochs_refused)), places, seen_of(saga), version, until)

    @property
    def saga(self) -> Saga:
        """As it was known when the rest began."""
        saga: Saga = self.unpacked()[0]["saga"]
        return saga

    @property
    def resource(self) -> Resource:
        """As it was last read or written."""
        resource: Resource = self.unpacked()[0]["resource"]
        return resource

    def unpacked(self) -> tuple[dict[str, Any], int]:
        """The memory of the worker, and how often in a row its epoch was refused."""
        unpacked: tuple[dict[str, Any], int] = _unpack(self.packed)
        return unpacked


def seen_of(saga: Saga) -> LiveSaga:
    """What is shown of a live saga beside all others."""
    step = saga.current_step
    return LiveSaga(saga.phase, saga.created, saga.progressed_at, (step, saga.reason_of(step) if step else ""))


def _pack(memory: object) -> bytes:
    whole = pickle.dumps(memory, pickle.HIGHEST_PROTOCOL)
    if not _dictionary:
        _dictionary.append(whole)
    packer = zlib.compressobj(LEVEL, zdict=_dictionary[0])
    return packer.compress(whole) + packer.flush()


def _unpack(packed: bytes) -> Any:
    unpacker = zlib.decompressobj(zdict=_dictionary[0])
    return pickle.loads(unpacker.decompress(packed) + unpacker.flush())  # noqa: S301 - it never left this process
