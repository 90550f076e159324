"""The service on a real MongoDB, called in-process; with a real API server for those who ask for it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from common.settings import ServiceSettings
from services.order.main import build
from services.order.models import EXAMPLE_CONTENT
from services.order.settings import OrderSettings
from tests.support.service_client import fresh, replicas_of

ROUTES = {
    "create": "order/do",
    "confirm": "confirmation/do",
    "reject": "confirmation/undo",
    "cancel": "order/undo",
}


@asynccontextmanager
async def served(settings: ServiceSettings, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service with these settings."""
    more = {"lost_sagas_seconds": 3600} | more  # most tests make documents that never had a resource
    async with replicas_of(build, OrderSettings(**settings.model_dump(), **more)) as (clients, _):
        yield clients[0]


@pytest.fixture(scope="session")
async def api(settings: ServiceSettings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """The service without an API server."""
    async with served(settings, kubeconfig=tmp_path_factory.mktemp("no-cluster") / "kubeconfig") as client:
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
    return lambda: fresh("o")


@pytest.fixture
def saga(api: httpx.AsyncClient, new_id: Callable[[], str]) -> Saga:
    return Saga(api, new_id())
