"""Which watch events only repeat what the answer to a write of our own has said already."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

KEPT: Final = 1_000
"""Writes whose echo hasn't come: it comes within milliseconds, and under load there are some tens in a second."""
SECONDS: Final = 10.0
"""After these it isn't waited for: the watch has ended meanwhile, and the next one may begin after it."""

_GONE: Final = re.compile(rb'\{"type": ?"DELETED"')
_VERSION: Final = re.compile(rb'"resourceVersion": ?"([0-9]+)"')


class Echoes:
    """The versions that answers to our own writes have named, until the watch has shown them.

    Only whoever wrote goes on from such an answer, so it is noted by whoever knows that it is taken over in whole. If
    the event comes first, it is an event like others. The uid is compared as well: a restored etcd gives the same
    versions again.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._expected: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    def expect(self, version: str, uid: str) -> None:
        """An answer that was taken over has named this version of this resource."""
        self._expected[version.encode()] = (uid.encode(), self._now())
        if len(self._expected) > KEPT:
            self._expected.popitem(last=False)

    def take(self, line: bytes) -> bool:
        """Whether the line says nothing new. It counts once: whoever asks for older events again gets them all.

        That a saga has left the watch, since it has ended, is news: kopf remembers each resource until it hears that.
        """
        if not self._expected or _GONE.match(line):
            return False
        versions = _VERSION.findall(line)
        if len(versions) != 1:  # an annotation may have this name as well
            return False
        uid, at = self._expected.pop(versions[0], (b"", 0.0))
        return uid != b"" and uid in line and self._now() - at < SECONDS
