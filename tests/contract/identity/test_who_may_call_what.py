"""Who may call what: every route of every service, as every caller, exactly as docs/security.md says."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from common.identity.callers import Role, audience_of
from common.web.app import Service
from dev.setup.paths import CHECKOUT
from services.inventory.main import build as inventory
from services.notification.main import build as notification
from services.order.door.keyring import ApiKeys
from services.order.main import build as order
from services.payment.main import build as payment
from services.shipping.main import build as shipping
from tests.support.service_client import own_databases, replicas_of
from tests.support.tokens import Issuer

BUILD = {
    "order": order,
    "inventory": inventory,
    "payment": payment,
    "shipping": shipping,
    "notification": notification,
}
ANYBODY = "anybody"
STRANGERS = ("system:serviceaccount:shop:default", "system:serviceaccount:elsewhere:ordersaga-staff")
ROLES = {
    "ordersaga-operator": "operator",
    "ordersaga-audit": "auditor",
    "ordersaga-staff": "staff",
    **{f"{name}-service": f"{name} service" for name in BUILD},
}
KNOWN = {f"system:serviceaccount:shop:{account}": role for account, role in ROLES.items()}
CALLERS: Mapping[str, str | None] = KNOWN | dict.fromkeys(STRANGERS)
"""The role of each subject; None: it has none."""
VALUES = {"direction": "do", "notification_type": "order_confirmed"}
issuer = Issuer()


def page() -> dict[str, set[str]]:
    """What docs/security.md says: route → who may call it."""
    text = (CHECKOUT / "docs" / "security.md").read_text()
    section = text.partition("<!-- who may call what -->")[2].partition("<!-- end of who may call what -->")[0]
    said: dict[str, set[str]] = {}
    for who, calls in re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE):
        for call in re.findall(r"`((?:GET|POST|PUT|DELETE) /api[^`]+)`", calls):
            assert call not in said, f"{call} stands twice in docs/security.md"
            said[call] = set(who.split(", "))
    return said


SAID = page()


@pytest.fixture(scope="module")
async def services(
    mongodb_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, tuple[httpx.AsyncClient, Service]]]:
    """All five, which know the issuer's keys."""
    keys = tmp_path_factory.mktemp("keys") / "jwks.json"
    keys.write_text(json.dumps(issuer.key_set))
    async with AsyncExitStack() as stack:
        settings = stack.enter_context(own_databases(mongodb_url, "callers"))
        settings.authentication, settings.authentication_review = "kubernetes", "none"
        settings.authentication_keys, settings.log_level = Path(keys), "CRITICAL"
        found = {}
        for name, build in BUILD.items():
            [client], app = await stack.enter_async_context(replicas_of(build, settings))
            found[name] = client, app
        yield found


def routes_of(app: Service) -> set[str]:
    """All that it serves below /api."""
    found = [route for router in app.routers for route in router.routes if isinstance(route, APIRoute)]
    return {f"{method} {route.path}" for route in found for method in route.methods if route.path.startswith("/api")}


async def ask(client: httpx.AsyncClient, call: str, token: str | None, only_create: str = "*") -> tuple[int, str]:
    """Status and problem code of an otherwise senseless call."""
    method, _, path = call.partition(" ")
    path = re.sub(r"\{(\w+)\}", lambda part: VALUES.get(part[1], "x-1"), path)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if method == "PUT" and only_create:
        headers["If-None-Match"] = only_create
    answer = await client.request(method, path, headers=headers)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code, str(answer.json()["code"])
    return answer.status_code, ""


@pytest.mark.parametrize("name", BUILD)
async def test_the_page_says_of_each_route_who_may_call_it_and_so_it_is(
    name: str, services: dict[str, tuple[httpx.AsyncClient, Service]]
) -> None:
    client, app = services[name]
    routes = routes_of(app)
    assert routes == {call for call in SAID if call.split("/")[2] in {route.split("/")[2] for route in routes}}
    tokens = {subject: issuer.token(sub=subject, aud=[audience_of(name)]) for subject in CALLERS}
    for call in sorted(routes):
        allowed = SAID[call]
        anonymous = await ask(client, call, None)
        assert (anonymous == (401, "unauthenticated")) is (allowed != {ANYBODY}), call
        for subject, role in CALLERS.items():
            status, code = await ask(client, call, tokens[subject])
            refused = (status, code) == (403, "not_allowed")
            assert refused is (allowed != {ANYBODY} and role not in allowed), f"{call} as {subject}: {status} {code}"
            assert refused or code not in ("unauthenticated", "not_allowed", "identity_unavailable")


@pytest.mark.parametrize("name", BUILD)
async def test_no_token_for_another_service_is_good_for_anything(
    name: str, services: dict[str, tuple[httpx.AsyncClient, Service]]
) -> None:
    client, app = services[name]
    for other in BUILD.keys() - {name}:
        for subject in KNOWN:
            token = issuer.token(sub=subject, aud=[audience_of(other)])
            for call in routes_of(app):
                if SAID[call] != {ANYBODY}:
                    assert await ask(client, call, token) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("shipping", "PUT /api/shipping/addresses/{address_ref}"),
        ("notification", "PUT /api/notifications/contacts/{contact_ref}"),
    ],
)
async def test_the_order_service_stores_what_is_new_and_overwrites_nothing(
    name: str, call: str, services: dict[str, tuple[httpx.AsyncClient, Service]]
) -> None:
    """Whoever has taken it over sends nobody's parcel elsewhere."""
    client, _ = services[name]
    asking, staff = (
        issuer.token(sub=f"system:serviceaccount:shop:{account}", aud=[audience_of(name)])
        for account in ("order-service", "ordersaga-staff")
    )
    for header in ("", '"x"', "*, *"):
        assert await ask(client, call, asking, header) == (403, "not_allowed")
    assert (await ask(client, call, asking))[0] == 422, "the body is missing"
    assert (await ask(client, call, staff, ""))[0] == 422


async def test_a_customers_key_is_good_for_what_the_page_says(
    services: dict[str, tuple[httpx.AsyncClient, Service]],
) -> None:
    secret, _ = await ApiKeys(services["order"][1].database).make(Role.CUSTOMER, "c-17")
    for client, app in services.values():
        for call in routes_of(app):
            refused = await ask(client, call, secret) == (401, "unauthenticated")
            assert refused is ("customer" not in SAID[call]), call


def test_nobody_may_call_anything_without_a_credential() -> None:
    """A new row for everybody is to be noticed."""
    assert not {call for call, who in SAID.items() if who == {ANYBODY}}
