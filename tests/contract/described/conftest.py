"""All five services as they are shipped: guarded, on sockets, with a real MongoDB and API server."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from common.identity.callers import Role, audience_of
from common.services import SERVICES
from common.settings import ServiceSettings
from common.web.app import Service
from dev.stack.pytest_plugin import TestControlPlane
from services.inventory.main import build as inventory
from services.notification.main import build as notification
from services.order.main import build as order
from services.order.settings import OrderSettings
from services.payment.main import build as payment
from services.shipping.main import build as shipping
from tests.contract.answers.test_placing_with_other_services import listening
from tests.contract.described.judge import Described
from tests.support.service_client import own_databases
from tests.support.tokens import Issuer

BUILD = {"inventory": inventory, "payment": payment, "shipping": shipping, "notification": notification}
ACCOUNTS = {
    Role.OPERATOR: "ordersaga-operator",
    Role.STAFF: "ordersaga-staff",
    Role.ORDER_SERVICE: "order-service",
}
"""One of them may call each route."""
LASTS = 24 * 3600.0
"""Seconds that a token is good: longer than any run."""


@pytest.fixture(scope="module")
async def services(
    mongodb_url: str, control_plane: TestControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Described]]:
    """Each asks the others with tokens of its own."""
    issuer, folder = Issuer(), tmp_path_factory.mktemp("tokens")
    (folder / "jwks.json").write_text(json.dumps(issuer.key_set))

    def token(account: str, service: str) -> str:
        return issuer.token(sub=f"system:serviceaccount:shop:{account}", aud=[audience_of(service)], lasts=LASTS)

    def tokens_of(account: str) -> Path:
        mine = folder / account
        mine.mkdir()
        for service in SERVICES:
            (mine / service).write_text(token(account, service))
        return mine

    async with AsyncExitStack() as stack:
        settings = stack.enter_context(own_databases(mongodb_url, "described"))
        settings.authentication, settings.authentication_review = "kubernetes", "none"
        settings.authentication_keys, settings.log_level = folder / "jwks.json", "CRITICAL"

        def given(name: str, **more: object) -> dict[str, Any]:
            return settings.model_dump() | {"tokens": tokens[name]} | more

        def orders(**urls: str) -> Service:
            return order(OrderSettings(**given("order", kubeconfig=control_plane.identity("order-service"), **urls)))

        tokens = {name: tokens_of(f"{name}-service") for name in SERVICES}
        asked = orders()  # the others ask it how far an order is, and the one that is tried asks them
        order_url = await stack.enter_async_context(listening(asked))
        await asked.indexes.ensure(asked.database)
        apps = {name: build(ServiceSettings(**given(name, order_url=order_url))) for name, build in BUILD.items()}
        urls = {name: await stack.enter_async_context(listening(app)) for name, app in apps.items()}
        apps["order"] = orders(**{f"{name}_url": url for name, url in urls.items() if name != "payment"})
        urls["order"] = await stack.enter_async_context(listening(apps["order"]))
        for app in apps.values():
            await app.indexes.ensure(app.database)
        yield {
            name: Described(app, urls[name], {role: token(account, name) for role, account in ACCOUNTS.items()})
            for name, app in apps.items()
        }
