"""Where the database is, as whom to ask it, and whom to believe: a URI, or a file that holds one, and a file of
authorities. Both files are replaced while we run.
"""

import logging
from pathlib import Path
from typing import Any

from common.authorities import of_mongodb
from common.files import Stamp, stamp

log = logging.getLogger("ordersaga.mongo")


class Address:
    """A MongoDB URI. What it says is a secret: it is in no log line and in no error."""

    def __init__(self, url: str, file: Path | None = None, ca_file: Path | None = None) -> None:
        """`file`: with the URI, in the place of `url`; `ca_file`: see `of_mongodb`. Raises ValueError if there is no
        URI in the file.
        """
        self._file = file
        self._stamp: Stamp | None = None
        self._ca_file = ca_file
        self._ca_stamp = None if ca_file is None else stamp(ca_file)
        self.url = url
        if file is not None:
            self._stamp, self.url = stamp(file), _written(file)

    @property
    def tls(self) -> dict[str, Any]:
        """The options of TLS that aren't in the URI."""
        return of_mongodb(self._ca_file)

    def has_changed(self) -> bool:
        """Whether a file is another one since this was last asked, which costs microseconds. `url` and `tls` are what
        they say.

        The URI may be the same: what is beside it in its Secret (an authority, a key) has changed then. A file that is
        empty or can't be read is just being written.
        """
        authority = self._ca_file is not None and self._has_another_authority(self._ca_file)
        return self._has_another_url() or authority

    def _has_another_authority(self, file: Path) -> bool:
        before, self._ca_stamp = self._ca_stamp, stamp(file)
        return before != self._ca_stamp

    def _has_another_url(self) -> bool:
        if self._file is None or (now := stamp(self._file)) == self._stamp or now is None:
            return False
        try:
            self.url = _written(self._file)
        except ValueError as error:
            log.warning("going on with the address from before: %s", error)
            return False
        self._stamp = now
        return True


def _written(file: Path) -> str:
    try:
        url = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the MongoDB URI in {file} can't be read: {type(error).__name__}") from error
    if not url.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError(f"there is no MongoDB URI in {file}: it begins with mongodb://")
    return url
