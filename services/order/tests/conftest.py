"""The service on a real MongoDB, called in-process; with a real API server for those who ask for it."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.order.main import build
from services.order.models import EXAMPLE_CONTENT
from services.order.settings import OrderSettings

Steps = Callable[..., Any]
Served = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]

ROUTES = {
    "create": "order/do",
    "confirm": "confirmation/do",
    "reject": "confirmation/undo",
    "cancel": "order/undo",
}


@asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app with these settings."""
    app = build(OrderSettings(log_level="ERROR", **settings))
    async with app.router.lifespan_context(app):
        await app.ensure_indexes()
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://order") as client:
            yield client


@pytest.fixture(scope="session")
def database_prefix() -> str:
    return f"test_{uuid.uuid4().hex[:8]}_"


@pytest.fixture(scope="session")
async def api(mongodb_url: str, database_prefix: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    """The service without an API server."""
    nowhere: Path = tmp_path_factory.mktemp("no-cluster") / "kubeconfig"
    async with served(mongodb_url=mongodb_url, database_prefix=database_prefix, kubeconfig=nowhere) as client:
        yield client


class Saga:
    """The saga's calls for one order, as the operator makes them."""

    def __init__(self, api: httpx.AsyncClient, order_id: str) -> None:
        self.api = api
        self.order_id = order_id
        self.content: dict[str, Any] = EXAMPLE_CONTENT | {"order_id": order_id}

    async def __call__(
        self, action: str, *, namespace: str = "shop", epoch: int | None = None, **change: Any
    ) -> httpx.Response:
        body = {"order_id": self.order_id, "reason": "out_of_stock"} if action == "cancel" else self.content
        headers = {"Idempotency-Key": f"{namespace}/{self.order_id}/{ROUTES[action]}"}
        if epoch is not None:
            headers["Saga-Epoch"] = str(epoch)
        return await self.api.post(f"/api/orders/{action}", json=body | change, headers=headers)


@pytest.fixture
def new_id() -> Callable[[], str]:
    return lambda: f"o-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def saga(api: httpx.AsyncClient, new_id: Callable[[], str]) -> Saga:
    return Saga(api, new_id())
