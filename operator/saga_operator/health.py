"""`/healthz`, `/readyz` and `/metrics` of the operator on one port, served from its start on, also while it follows."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from saga_operator.settings import Settings


class Health:
    """A small server in the operator's event loop. If the loop hangs, nothing answers the liveness check."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._runner: web.AppRunner | None = None
        self.role = "starting"
        self.has_definition: Callable[[], bool] = lambda: True
        """Whether the API server knows the kind that a leader watches."""

    async def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._settings.health_host, self._settings.health_port).start()

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "role": self.role})

    async def _readyz(self, _: web.Request) -> web.Response:
        """A follower is ready as well, since a rolling update must not wait until it leads."""
        if self.role == "leading" and not self.has_definition():
            status = "the definition of OrderSaga can't be watched yet"
        else:
            status = "ok" if self.role in ("leading", "following") else "starting"
        return web.json_response({"status": status, "role": self.role}, status=200 if status == "ok" else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
