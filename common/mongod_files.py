"""What a mongod of ours wants beside its data: the key of its replica set, and its certificate and key in one file.

    python -m common.mongod_files       writes both, before mongod starts

The key is of a set with one member: nobody else has to know it, so it is made anew each time. The certificate comes
from a mounted Secret; what takes its place there is written by whoever goes on beside mongod, which is told to read it.
"""

import logging
import os
import secrets
import ssl
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from common.files import Stamp, stamp
from common.variables import refuse_unknown

log = logging.getLogger("ordersaga.replicaset")

KEY: Final = "key"
PAIR: Final = "tls.pem"
NOBODY_VERIFIED: Final[dict[str, Any]] = {"tls": True, "tlsAllowInvalidCertificates": True}
"""For a client beside mongod: the loopback of their pod leads to nobody else, and while a certificate is being replaced
it must get through whatever mongod shows.
"""


class MongodFiles(BaseSettings):
    """Where the files are, and out of what they are made."""

    model_config = SettingsConfigDict(env_prefix="ORDERSAGA_", extra="ignore")

    mongodb_files: Path = Field(
        default=Path("/run/mongodb"),
        description="The folder with mongod's own files: the key of its replica set, and tls.pem. It is in memory.",
    )
    mongodb_certificate: Path | None = Field(
        default=None,
        description="A folder with mongod's certificate (tls.crt, tls.key; a mounted Secret): it speaks TLS alone. A "
        "new one in its place is taken without a restart. Without it there is no TLS.",
    )


class ServedCertificate:
    """Sees to it that mongod serves what is in the Secret."""

    def __init__(self, secret: Path, folder: Path) -> None:
        """`folder`: where mongod reads it, in PAIR."""
        self._pair = (secret / "tls.crt", secret / "tls.key")
        self._file = folder / PAIR
        self._taken: Stamp | None = None
        self._said = ""

    def write(self) -> None:
        """Put the pair into one file. Raises OSError or ValueError if it is none."""
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self._pair)
        both = b"\n".join(each.read_bytes() for each in self._pair)
        _write(self._file, both)

    def ensure(self, administrator: Callable[[], AbstractContextManager[MongoClient[dict[str, Any]]]]) -> None:
        """Let mongod take the pair if it is another one. If it can't be used, the one before stays, and the log says
        why.

        `administrator`: a client that may tell mongod to.
        """
        now = stamp(*self._pair)
        if now == self._taken or now is None:
            return
        try:
            self.write()
            with administrator() as client:
                client.admin.command("rotateCertificates")
        except (OSError, ValueError, PyMongoError) as error:
            why = f"mongod's new certificate can't be used, the one before stays: {str(error)[:200]}"
            if why != self._said:
                log.error(why)
            self._said = why
        else:
            self._taken, self._said = now, ""
            log.info("mongod serves the certificate of its Secret")


def _write(file: Path, content: bytes) -> None:
    """In one step, for this user alone: mongod refuses keys that others may read."""
    half = file.with_suffix(".half")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(content)
    half.replace(file)


def main() -> int:
    """Write the files. Raises OSError or ValueError if the certificate can't be used: mongod couldn't start with it."""
    refuse_unknown(os.environ)
    settings = MongodFiles()
    _write(settings.mongodb_files / KEY, secrets.token_hex(256).encode())
    if settings.mongodb_certificate is not None:
        ServedCertificate(settings.mongodb_certificate, settings.mongodb_files).write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
