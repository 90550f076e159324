"""The order service with its door shut, on a real MongoDB and a real API server, and those who come to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from common.identity.callers import Role, audience_of
from common.settings import ServiceSettings
from common.web.app import Service
from dev.stack.pytest_plugin import TestControlPlane
from services.order.door.keyring import ApiKeys
from services.order.main import build
from services.order.settings import OrderSettings
from tests.support.service_client import fresh, replicas_of

ORDER: dict[str, Any] = {
    "currency": "EUR",
    "items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250}],
    "payment": {"method_ref": "test-ok"},
    "ship_to": {"address_ref": "a-17"},
}


@dataclass
class Visitor:
    """Somebody who has a credential, or none."""

    http: httpx.AsyncClient
    headers: dict[str, str]
    customer_id: str = "c-17"
    orders: list[str] = field(default_factory=list)

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self.http.request(method, path, **options | {"headers": self.headers | options.get("headers", {})})

    async def get(self, path: str) -> httpx.Response:
        return await self.call("GET", path)

    async def place(self, key: str | None = None, **change: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        body = ORDER | {"customer_id": self.customer_id} | change
        return await self.call("POST", "/api/orders", json=body, headers=headers)

    async def placed(self, **change: Any) -> str:
        """The id of a new order."""
        answer = await self.place(**{"order_id": fresh("o")} | change)
        assert answer.status_code == 202, answer.text
        order_id: str = answer.json()["order_id"]
        return order_id


@dataclass
class Shop:
    """The service, and its two ports."""

    app: Service
    http: httpx.AsyncClient
    public: httpx.AsyncClient
    token: Callable[[str], str]
    """Of a ServiceAccount, for this service."""

    @property
    def keys(self) -> ApiKeys:
        return ApiKeys(self.app.database)

    def visitor(self, credential: str | None = None, customer_id: str = "c-17", *, public: bool = True) -> Visitor:
        headers = {} if credential is None else {"Authorization": f"Bearer {credential}"}
        return Visitor(self.public if public else self.http, headers, customer_id)

    async def customer(self, customer_id: str | None = None) -> Visitor:
        customer_id = customer_id or fresh("c")
        secret, _ = await self.keys.make(Role.CUSTOMER, customer_id)
        return self.visitor(secret, customer_id)

    async def staff(self, name: str | None = None) -> Visitor:
        secret, _ = await self.keys.make(Role.STAFF, name or fresh("s"))
        return self.visitor(secret)

    def account(self, name: str) -> Visitor:
        return self.visitor(self.token(name), public=False)

    async def step(self, order_id: str, customer_id: str, action: str) -> httpx.Response:
        """A call of the order's saga, as the operator makes it."""
        key = {"create": "order/do", "confirm": "confirmation/do"}[action]
        body = ORDER | {"order_id": order_id, "customer_id": customer_id, "notify": {"contact_ref": customer_id}}
        operator = self.account("ordersaga-operator")
        answer = await operator.call(
            "POST", f"/api/orders/{action}", json=body, headers={"Idempotency-Key": f"shop/{order_id}/{key}"}
        )
        assert answer.status_code == 200, answer.text
        return answer


@asynccontextmanager
async def guarded(settings: ServiceSettings, control_plane: TestControlPlane, **more: Any) -> AsyncIterator[Shop]:
    """The service with these settings, and callers and clients that are identified."""

    def token(account: str) -> str:
        words = ("create", "token", account, "--namespace", "shop", "--audience", audience_of("order"))
        return control_plane.kubectl(*words).stdout.strip()

    given: dict[str, Any] = {
        "kubeconfig": control_plane.identity("order-service"),
        "authentication": "kubernetes",
        "authentication_pods_only": False,
        "lost_sagas_seconds": 3600,
    }
    async with AsyncExitStack() as stack:
        all_settings = OrderSettings(**settings.model_dump() | given | more)
        (http, *_), app = await stack.enter_async_context(replicas_of(build, all_settings))
        public = httpx.AsyncClient(transport=httpx.ASGITransport(app.public), base_url="http://public")
        yield Shop(app, http, await stack.enter_async_context(public), token)
