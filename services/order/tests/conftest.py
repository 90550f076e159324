"""The service on a real MongoDB, called in-process; with a real API server for those who ask for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx
import pytest
from kubernetes import config
from kubernetes.client import CustomObjectsApi
from kubernetes.client.exceptions import ApiException

from common.settings import ServiceSettings
from dev.stack.pytest_plugin import TestControlPlane
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
    async with replicas_of(build, OrderSettings(**settings.model_dump() | more)) as (clients, _):
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


class Cluster:
    """The API server, as somebody sees it who breaks the rules."""

    def __init__(self, control_plane: TestControlPlane) -> None:
        self._kubectl = control_plane.kubectl
        # It is looked at again and again, and kubectl would read the whole discovery each time.
        self._sagas = CustomObjectsApi(config.new_client_from_config(str(control_plane.kubeconfig)))

    def found(self, order_id: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._sagas.get_namespaced_custom_object(
                *("ordersaga.io", "v1alpha1", "shop", "ordersagas", order_id)
            )
        except ApiException as error:
            if error.status == 404:
                return None
            raise
        return found

    def lose(self, order_id: str) -> dict[str, Any]:
        """Take the finalizer off and delete the resource; what it was."""
        before = self.found(order_id)
        assert before is not None
        patch = '{"metadata":{"finalizers":[]}}'
        self._kubectl("patch", "osaga", order_id, "-n", "shop", "--type=merge", "-p", patch)
        self._kubectl("delete", "osaga", order_id, "-n", "shop")
        return before

    def apply(self, order_id: str, spec: dict[str, Any]) -> None:
        """Make a resource of this name."""
        manifest = {
            "apiVersion": "ordersaga.io/v1alpha1",
            "kind": "OrderSaga",
            "metadata": {"name": order_id, "namespace": "shop"},
            "spec": spec,
        }
        self._kubectl("apply", "-f", "-", input=json.dumps(manifest))

    async def given_back(self, order_id: str) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while (resource := self.found(order_id)) is None:  # noqa: ASYNC110 - the API server sets no event of ours
                await asyncio.sleep(0.1)
        return resource


@pytest.fixture
def cluster(control_plane: TestControlPlane) -> Cluster:
    return Cluster(control_plane)


Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def serve(settings: ServiceSettings, control_plane: TestControlPlane) -> Serve:
    """A replica that looks for lost OrderSagas again and again."""

    def with_settings(**more: Any) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        given = {"kubeconfig": control_plane.identity("order-service"), "lost_sagas_seconds": 0.1} | more
        return served(settings, **given)

    return with_settings


@pytest.fixture
async def quiet(settings: ServiceSettings, control_plane: TestControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    """A replica that doesn't look."""
    async with served(settings, kubeconfig=control_plane.identity("order-service")) as client:
        yield client
