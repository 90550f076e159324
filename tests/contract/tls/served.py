"""A service's app under a real uvicorn with TLS, in this event loop, its certificate in a mounted Secret."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import APIRouter

from common.certificate import Certificate
from common.settings import ServiceSettings
from common.web.app import Service, create_app
from dev.stack.ports import free_ports
from tests.support.secrets import MountedSecret

router = APIRouter()


@router.post("/api/orders/echo")
async def echo(body: dict[str, int]) -> dict[str, int]:
    """What was sent, after as long as a write takes."""
    await asyncio.sleep(0.005)
    return body


@dataclass(frozen=True, slots=True)
class Served:
    app: Service
    port: int
    public_port: int

    @property
    def certificate(self) -> Certificate:
        assert self.app.certificate is not None
        return self.app.certificate

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"


@asynccontextmanager
async def served(secret: MountedSecret) -> AsyncIterator[Served]:
    port, public_port = free_ports(2)
    settings = ServiceSettings(
        mongodb_url="mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100",
        public_port=public_port,
        authentication="development",
        log_level="WARNING",
    )
    public = ["POST /api/orders/echo"]
    app = create_app("order", "For tests.", routers=[router], public=public, callers={}, settings=settings)
    config = uvicorn.Config(
        app, port=port, log_config=None, ssl_certfile=secret / "tls.crt", ssl_keyfile=secret / "tls.key"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(20):
            while not server.started or app.public_port.why_not_served():  # noqa: ASYNC110 - uvicorn has no event
                await asyncio.sleep(0.01)
        yield Served(app, port, public_port)
    finally:
        server.should_exit = True
        await serving
