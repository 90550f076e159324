"""An order of a customer of its own, and what the order service's neighbours are told to erase."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.settings import ServiceSettings
from common.shop.erasure import Erase
from common.web.app import Service
from services.order.clients import Clients
from services.order.main import build
from services.order.models import EXAMPLE_CONTENT
from services.order.settings import OrderSettings
from services.order.tests.conftest import Saga
from services.order.tests.losing import archive
from tests.support.service_client import fresh, replicas_of


@dataclass
class Shop:
    """The order service; its neighbours erase what they are told to."""

    client: httpx.AsyncClient
    app: Service
    called: list[tuple[str, Erase]]

    def told(self, service: str) -> tuple[set[str], set[str]]:
        """The orders and the references that this neighbour was told to erase."""
        requests = [request for name, request in self.called if name == service]
        orders = {order_id for request in requests for order_id in request.order_ids}
        return orders, {reference for request in requests for reference in request.references}


@asynccontextmanager
async def erasing(
    settings: ServiceSettings, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> AsyncIterator[Shop]:
    """A replica with these settings."""
    called: list[tuple[str, Erase]] = []

    async def erase(_: Clients, service: str, request: Erase) -> int:
        called.append((service, request))
        return 1

    monkeypatch.setattr(Clients, "erase", erase)
    given = OrderSettings(**settings.model_dump() | {"lost_sagas_seconds": 3600, "kubeconfig": kubeconfig} | more)
    async with replicas_of(build, given) as ([client], app):
        async with asyncio.timeout(60):  # it connects to the API server when it first needs to
            while (await client.delete("/api/customers/c-nobody/data")).status_code != 200:  # noqa: ASYNC110 - nor this
                await asyncio.sleep(0.2)
        called.clear()
        yield Shop(client, app, called)


class Order(Saga):
    """An order with references of its own."""

    def __init__(self, shop: httpx.AsyncClient, order_id: str) -> None:
        super().__init__(shop, order_id)
        references = {"ship_to": {"address_ref": f"{order_id}-0123456789ab"}, "notify": {"contact_ref": fresh("k")}}
        self.content = EXAMPLE_CONTENT | {"order_id": order_id, "customer_id": fresh("c")} | references

    @property
    def changes(self) -> dict[str, object]:
        return {name: self.content[name] for name in ("customer_id", "ship_to", "notify")}

    @property
    def address(self) -> str:
        reference: str = self.content["ship_to"]["address_ref"]
        return reference

    @property
    def contact(self) -> str:
        reference: str = self.content["notify"]["contact_ref"]
        return reference

    async def made(self, *actions: str) -> "Order":
        """After these calls."""
        for action in actions:
            assert (await self(action)).status_code == 200
        return self

    async def erase(self) -> httpx.Response:
        return await self.api.delete(f"/api/customers/{self.content['customer_id']}/data")

    async def erased(self) -> None:
        """Asked for until it is done: the API server may be slow to answer."""
        async with asyncio.timeout(60):
            while (await self.erase()).status_code != 200:  # noqa: ASYNC110 - the API server sets no event of ours
                await asyncio.sleep(0.2)

    async def ended(self, day: int = 1, **change: Any) -> str:
        """Its saga is archived; the story's id."""
        return await archive(self.api, self.order_id, day, **self.changes | change)

    async def story(self) -> dict[str, object]:
        told: dict[str, object] = (await self.api.get(f"/api/orders/{self.order_id}/saga")).json()
        return told
