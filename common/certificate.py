"""The certificate that a process serves TLS with, taken anew from its files when they are replaced.

What a kubelet puts in their place is proved on a context of its own; then new handshakes are made with that one, while
the connections that are open go on. A pair that is half written, doesn't match or has expired changes nothing.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from prometheus_client import CollectorRegistry, Gauge

from common.background import Rounds
from common.files import Stamp, stamp

log = logging.getLogger("ordersaga.tls")

LOOK_SECONDS = 5.0
"""Between two looks at the files. A look costs microseconds; a kubelet takes up to a minute or two to replace them."""


class Certificate:
    """A pair in two files. `look` before it is used."""

    def __init__(
        self, certificate: Path, key: Path, context: ssl.SSLContext, anew: Callable[[], ssl.SSLContext]
    ) -> None:
        """`context`: what servers listen with, of this pair or of none yet. `anew` makes another, of what the files
        say; it raises OSError or ValueError if it can't.
        """
        self._certificate, self._key = certificate, key
        self._anew = anew
        self._stamp: Stamp | None = None
        self._not_before = self._not_after = 0.0
        self.context = context
        """What a server listens with; each handshake takes the newest pair."""
        self._newest = context
        self._said = ""
        self._looked_at = float("-inf")
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.sni_callback = self._take_newest

    @classmethod
    def of(cls, folder: Path) -> "Certificate":
        """Of a mounted Secret (tls.crt, tls.key). A handshake looks at it, unless another has just done so: for a
        server that hears from somebody every few seconds. Raises ValueError as `look` does.
        """

        def anew() -> ssl.SSLContext:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
            return context

        made = cls(folder / "tls.crt", folder / "tls.key", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), anew)
        made.look()
        made.context.sni_callback = made._look_and_take_newest
        return made

    def _take_newest(self, handshake: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        handshake.context = self._newest  # called for clients that name no server, too

    def _look_and_take_newest(self, handshake: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        if time.monotonic() > self._looked_at + LOOK_SECONDS:
            self._looked_at = time.monotonic()
            self.look_and_say()
        self._take_newest(handshake, name, context)

    @property
    def until(self) -> str:
        """When it expires, in UTC, RFC 3339."""
        return datetime.fromtimestamp(self._not_after, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def look(self) -> bool:
        """Take the pair in the files if it is another one; whether it was.

        Raises:
            ValueError: it can't be used; the last one stays.
        """
        now = stamp(self._certificate, self._key)
        if now == self._stamp and now is not None:
            return False
        try:
            leaf = x509.load_pem_x509_certificates(self._certificate.read_bytes())[0]
            context = self._anew()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ValueError(f"the pair of {self._certificate} and {self._key} can't be used: {error}") from error
        begins, ends = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
        if stamp(self._certificate, self._key) != now:
            raise ValueError(f"{self._certificate} is just being replaced")
        if self._not_after and ends <= time.time():
            raise ValueError(f"the certificate in {self._certificate} has expired already")
        self._newest, self._not_before, self._not_after, self._stamp = context, begins, ends, now
        return True

    def look_and_say(self) -> str:
        """Look, and tell the log what is new; why the pair can't be used, or nothing."""
        why = ""
        try:
            if self.look():
                log.info("new connections get the certificate that is good until %s", self.until)
        except ValueError as error:
            why = str(error)
            if why != self._said:
                log.error("%s; the certificate before it stays, which is good until %s", why, self.until)
        self._said = why
        return why

    async def keep(self, rounds: Rounds) -> None:
        """Look at the files for as long as the process lives."""
        while True:
            if why := self.look_and_say():
                rounds.failed(why)
            else:
                rounds.done()
            await asyncio.sleep(LOOK_SECONDS)

    def why_not_ready(self) -> str | None:
        """None while clients can believe it."""
        if time.time() < self._not_after:
            return None
        return (
            f"the certificate in {self._certificate} has expired at {self.until}: renew it; a new one in its file is "
            f"taken within {LOOK_SECONDS:g} s"
        )

    def measured(self, service: str, registry: CollectorRegistry) -> None:
        """Show its times."""
        show_times(service, registry, lambda: self._not_before, lambda: self._not_after)


Time = Callable[[], float]


def show_times(service: str, registry: CollectorRegistry, begins: Time, ends: Time) -> None:
    """Two gauges, each in seconds since the epoch."""
    Gauge(
        "ordersaga_certificate_not_before_seconds",
        "When the certificate that TLS is served with begins, in seconds since the epoch.",
        ["service"],
        registry=registry,
    ).labels(service).set_function(begins)
    Gauge(
        "ordersaga_certificate_not_after_seconds",
        "When the certificate that TLS is served with expires, in seconds since the epoch.",
        ["service"],
        registry=registry,
    ).labels(service).set_function(ends)
