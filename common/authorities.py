"""What the certificates of servers are checked with: the system's authorities, and those of a file that is replaced.

Names are verified, and TLS is 1.2 at least: both are the defaults of `ssl.create_default_context`.
"""

import logging
import ssl
import time
from pathlib import Path
from typing import Any, Final

from common.files import Stamp, stamp

log = logging.getLogger("ordersaga.tls")

TRUSTED: Final = 300.0
"""Seconds after which the system's authorities are read again (SSL_CERT_FILE, SSL_CERT_DIR): a private one is renewed
while we run. Reading takes 10 to 30 ms.
"""


def of_mongodb(ca_file: Path | None) -> dict[str, Any]:
    """The options of a MongoDB client that speaks TLS, and checks the server with the authorities in this file (PEM);
    while it isn't there, with the system's. Without a file the URI says all there is to say.
    """
    if ca_file is None:
        return {}
    return {"tls": True, **({"tlsCAFile": str(ca_file)} if ca_file.exists() else {})}


class Authorities:
    """Those that are trusted now. A file that is empty or can't be read is just being written: the last ones stay."""

    def __init__(self, file: Path | None = None, *, trusted: float = TRUSTED) -> None:
        """`file`: PEM, trusted beside the system's authorities; it is read again as soon as it has changed.

        `trusted`: seconds after which the system's are read again.
        """
        self._file = file
        self._trusted = trusted
        self._stamp: Stamp | None = None
        self._context = ssl.create_default_context()
        self._read_at = time.monotonic()
        if file is not None:
            self._read()

    def context(self) -> ssl.SSLContext:
        """For new connections, from what the files say now."""
        if self.have_changed() or time.monotonic() - self._read_at > self._trusted:
            self._read()
        return self._context

    def have_changed(self) -> bool:
        """Whether the file isn't the one that was read."""
        return self._file is not None and stamp(self._file) != self._stamp

    def _read(self) -> None:
        self._read_at = time.monotonic()
        try:
            context = ssl.create_default_context()
            if self._file is not None:
                now = stamp(self._file)
                context.load_verify_locations(cafile=self._file)
                self._stamp = now
        except OSError as error:
            log.warning("the authorities in %s can't be read, going on with those before: %s", self._file, error)
            return
        if context.cert_store_stats()["x509_ca"] or not self._context.cert_store_stats()["x509_ca"]:
            self._context = context
