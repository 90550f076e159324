"""The caller's side: its own token for one service."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

log = logging.getLogger("ordersaga.identity")

LOOK: Final = 10.0
"""Seconds between two looks at the file. A kubelet replaces a token at 80 % of its life, at least two minutes before it
expires.
"""


class Bearer:
    """A token in a file that others replace. A file that can't be read leaves the token from before."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.monotonic) -> None:
        self._path, self._now = path, now
        self._looked_at = float("-inf")
        self._header: str | None = None

    def header(self) -> str | None:
        """The value of `Authorization`; None if there has never been a token."""
        if self._now() - self._looked_at >= LOOK:
            self.read()
        return self._header

    def read(self) -> None:
        """Look at the file now: the token was refused, and there may be another one."""
        self._looked_at = self._now()
        try:
            token = self._path.read_text("ascii").strip()
        except (OSError, ValueError) as error:
            log.warning("the token in %s can't be read, going on with the one before: %s", self._path, error)
            return
        if token.isprintable() and token and " " not in token:  # an empty file is just being written
            self._header = f"Bearer {token}"
