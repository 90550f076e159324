"""`/healthz`, `/readyz` and `/metrics` of the operator on one port, served from its start on, also while it follows."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from prometheus_client import REGISTRY

from common.certificate import Certificate
from common.exposition import exposed
from common.listening import listen
from saga_operator.heartbeats import Heartbeats
from saga_operator.settings import Settings

PATIENCE: Final = 2.0
"""Seconds for the question whether the API server answers: the liveness check has five for all."""


class Health:
    """A small server in the operator's event loop. If the loop hangs, nothing answers the liveness check."""

    def __init__(
        self, settings: Settings, heartbeats: Heartbeats, api_server_answers: Callable[[], Awaitable[bool]]
    ) -> None:
        """`api_server_answers`: whether it gives what the operator asks of it; must not raise."""
        self._settings = settings
        self._heartbeats = heartbeats
        self._api_server_answers = api_server_answers
        self._runner: web.AppRunner | None = None
        self.role = "starting"
        self.has_definition: Callable[[], bool] = lambda: True
        """Whether the API server knows the kind that a leader watches."""
        self.unrenewed_seconds: Callable[[], float | None] = lambda: None
        """For how long the Lease of a leader wasn't renewed, once it isn't sure of it any more."""

    async def start(self) -> None:
        """Listen. Raises OSError if the port is taken, or if the certificate can't be used."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        tls = self._tls()
        listener = listen(self._settings.health_host, self._settings.health_port)
        await web.SockSite(self._runner, listener, ssl_context=tls).start()

    def _tls(self) -> ssl.SSLContext | None:
        """What to listen with: the probes' handshakes, every few seconds, look for a new certificate."""
        folder = self._settings.health_certificate
        if folder is None:
            return None
        try:
            certificate = Certificate.of(folder)
        except ValueError as error:
            raise OSError(str(error)) from error
        certificate.measured("operator", REGISTRY)
        return certificate.context

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        """503 if a part wasn't heard for too long though the API server answers: only a new process can mend that.

        While the API server is away, no part can be heard, and a new process would be none the wiser.
        """
        overdue = self._heartbeats.overdue()
        stuck = bool(overdue) and await self._answers()
        said = {"status": "stuck" if stuck else "ok", "role": self._shown_role}
        if overdue:
            said["not heard"] = ", ".join(f"{part} for {late:g} s too long" for part, late in sorted(overdue.items()))
        return web.json_response(said, status=503 if stuck else 200)

    @property
    def _shown_role(self) -> str:
        """What the operator knows of its role: a leader that isn't sure of its Lease calls nobody until it is again."""
        seconds = self.unrenewed_seconds()
        return self.role if seconds is None else f"{self.role}, not renewed for {seconds:.0f} s"

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._api_server_answers()
        except TimeoutError:
            return False

    async def _readyz(self, _: web.Request) -> web.Response:
        """A follower is ready as well, since a rolling update must not wait until it leads."""
        if self.role == "leading" and not self.has_definition():
            status = "the definition of OrderSaga can't be watched yet"
        else:
            status = "ok" if self.role in ("leading", "following") else "starting"
        return web.json_response({"status": status, "role": self._shown_role}, status=200 if status == "ok" else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        text, kind = exposed(REGISTRY, request.headers.get("Accept", ""))
        return web.Response(body=text, headers={"Content-Type": kind})
