"""The caller's side: its own token for one service."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from common.identity.tokens import audiences_of
from common.services import SERVICES

log = logging.getLogger("ordersaga.identity")

LOOK: Final = 10.0
"""Seconds between two looks at the file. A kubelet replaces a token at 80 % of its life, at least two minutes before it
expires.
"""


class Bearers:
    """Our tokens for the services: a folder with one in a file of each service's name."""

    def __init__(self, folder: Path | None) -> None:
        """Without a folder calls carry none."""
        self._of = {} if folder is None else {name: Bearer(folder / name) for name in SERVICES}

    def headers(self, service: str) -> dict[str, str]:
        """What a call to this service carries to say who we are."""
        header = self._of[service].header() if service in self._of else None
        return {} if header is None else {"Authorization": header}


def bearer_for(service: str, folder: Path | None, *, audience: str | None = None) -> "Bearer | None":
    """Our token for this service, in the file of its name; None without a folder: then calls carry none."""
    return None if folder is None else Bearer(folder / service, audience=audience)


class Bearer:
    """A token in a file that others replace. A file that can't be read leaves the token from before."""

    def __init__(self, path: Path, *, audience: str | None = None, now: Callable[[], float] = time.monotonic) -> None:
        """`audience`: only a token for it is used."""
        self._path, self._audience, self._now = path, audience, now
        self._looked_at = float("-inf")
        self._header: str | None = None

    def header(self) -> str | None:
        """The value of `Authorization`; None if there has never been a token."""
        if self._now() - self._looked_at >= LOOK:
            self.read()
        return self._header

    def read(self) -> None:
        """Look at the file now: the token was refused, and there may be another one."""
        try:
            token = self._path.read_text("ascii").strip()
            if token.isprintable() and token and " " not in token:  # an empty file is just being written
                self._header = f"Bearer {token}" if self._is_for_them(token) else None
        except (OSError, ValueError) as error:
            log.warning("the token in %s can't be read, going on with the one before: %s", self._path, error)
        self._looked_at = self._now()  # at the end: another thread that comes meanwhile has to look as well

    def _is_for_them(self, token: str) -> bool:
        """Whether the token is for the audience, as far as it says. Its signature is theirs to verify."""
        found = audiences_of(token) if self._audience is not None else ()
        if found and self._audience not in found:
            said = ", ".join(found)[:253]
            log.error("the token in %s is for %s, and not for %s: calls carry none", self._path, said, self._audience)
            return False
        return True
