"""Tokens of the shop's identity provider: whose they are, and which are not believed."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization

from common.identity import keys as key_sets
from common.settings import ServiceSettings
from dev.stack.pytest_plugin import TestControlPlane
from services.order.door.discovery import DiscoveredKeys
from services.order.door.provider import ALGORITHMS
from services.order.tests.doors import ORDER, Shop, guarded
from tests.support.service_client import code, fresh
from tests.support.tokens import Issuer

AUDIENCE = "https://shop.example.com/orders"


class IdentityProvider(Issuer):
    """One on this machine, with OpenID Connect Discovery."""

    def __init__(self) -> None:
        super().__init__("k-1")
        self.url = ""
        self.calls_itself = ""
        self.asked = 0

    async def configuration(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.json_response({"issuer": self.calls_itself or self.url, "jwks_uri": f"{self.url}/keys"})

    async def key_sets(self, request: web.Request) -> web.Response:
        return web.json_response(self.key_set)

    def token(self, *, lasts: float = 600.0, pod: str = "", **other: Any) -> str:
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "c-17", "exp": int(time.time() + lasts)} | other
        [(key_id, key)] = self.keys.items()
        return jwt.encode(
            {name: value for name, value in claims.items() if value is not None}, key, "RS256", {"kid": key_id}
        )


@asynccontextmanager
async def on_this_machine() -> AsyncIterator[IdentityProvider]:
    provider = IdentityProvider()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", provider.configuration)
    app.router.add_get("/keys", provider.key_sets)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[IdentityProvider]:
    async with on_this_machine() as provider:
        yield provider


def of(provider: IdentityProvider) -> dict[str, Any]:
    return {
        "clients_issuer": provider.url,
        "clients_audience": AUDIENCE,
        "clients_staff_claim": "realm_access.roles",
        "clients_staff_value": "shop-staff",
    }


@pytest.fixture(scope="module")
async def shop(
    settings: ServiceSettings, control_plane: TestControlPlane, provider: IdentityProvider
) -> AsyncIterator[Shop]:
    async with guarded(settings, control_plane, **of(provider)) as shop:
        yield shop


async def test_the_bearer_is_the_customer_that_the_token_names(shop: Shop, provider: IdentityProvider) -> None:
    ada, eve = fresh("c"), fresh("c")
    order_id = await shop.visitor(provider.token(sub=ada), ada).placed()
    assert (await shop.visitor(provider.token(sub=ada)).get(f"/api/orders/{order_id}")).status_code == 200
    assert code(await shop.visitor(provider.token(sub=eve)).get(f"/api/orders/{order_id}")) == (404, "not_found")
    assert code(await shop.visitor(provider.token(sub=eve)).place(customer_id=ada)) == (403, "not_allowed")


async def test_a_claim_makes_staff_of_the_bearer(shop: Shop, provider: IdentityProvider) -> None:
    order_id = await (await shop.customer()).placed()
    for roles, status in (
        (["shop-staff"], 200),
        ("a shop-staff", 200),
        (["staff"], 404),
        ("shop-staffer", 404),
        (1, 404),
    ):
        token = provider.token(sub=fresh("x"), realm_access={"roles": roles})
        assert (await shop.visitor(token).get(f"/api/orders/{order_id}")).status_code == status, roles


def unsigned(provider: IdentityProvider) -> str:
    return jwt.encode({"iss": provider.url, "aud": AUDIENCE, "sub": "c-17", "exp": time.time() + 60}, "", "none")


def signed_with_the_public_key(provider: IdentityProvider) -> str:
    """As if the public key were a shared secret."""
    [(key_id, key)] = provider.keys.items()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in (
            {"alg": "HS256", "typ": "JWT", "kid": key_id},
            {"iss": provider.url, "aud": AUDIENCE, "sub": "c-17", "exp": int(time.time()) + 60},
        )
    )
    signature = hmac.new(public, head + b"." + body, hashlib.sha256).digest()
    return (head + b"." + body + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def of_another_issuer_with_its_own_keys(provider: IdentityProvider) -> str:
    other = IdentityProvider()
    other.url = provider.url
    return other.token()


def tampered(provider: IdentityProvider) -> str:
    head, _, signature = provider.token().split(".")
    return f"{head}.{provider.token(sub='c-18').split('.')[1]}.{signature}"


FORGED: dict[str, Any] = {
    "expired": lambda provider: provider.token(lasts=-60),
    "without an end": lambda provider: provider.token(exp=None),
    "not yet": lambda provider: provider.token(nbf=int(time.time()) + 600),
    "for another audience": lambda provider: provider.token(aud="https://other.example.com"),
    "for a part of the shop": lambda provider: provider.token(aud="order.ordersaga.io"),
    "without an audience": lambda provider: provider.token(aud=None),
    "of another issuer": lambda provider: provider.token(iss="https://evil.example.com"),
    "of another with its name and key id": of_another_issuer_with_its_own_keys,
    "unsigned": unsigned,
    "signed with the public key": signed_with_the_public_key,
    "tampered with": tampered,
    "of nobody": lambda provider: provider.token(sub=None),
    "of no customer": lambda provider: provider.token(sub="ada@example.com"),
    "no token": lambda provider: "a.b.c",
    "an endless one": lambda provider: "a" * 20_000,
}


@pytest.mark.parametrize("forged", FORGED)
async def test_a_token_that_says_something_else_is_not_believed(
    forged: str, shop: Shop, provider: IdentityProvider
) -> None:
    answer = await shop.visitor(FORGED[forged](provider)).get("/api/orders")
    assert code(answer) == (401, "unauthenticated")


async def test_a_clients_token_is_good_for_no_step_of_a_saga_on_neither_port(
    shop: Shop, provider: IdentityProvider
) -> None:
    for token in (provider.token(), provider.token(realm_access={"roles": ["shop-staff"]})):
        for step in ("create", "confirm", "reject", "cancel"):
            body = ORDER | {"order_id": "o-1", "customer_id": "c-17"}
            inside = await shop.visitor(token, public=False).call("POST", f"/api/orders/{step}", json=body)
            assert code(inside) == (401, "unauthenticated")
            assert (await shop.visitor(token).call("POST", f"/api/orders/{step}", json=body)).status_code in {404, 405}


async def test_a_token_of_the_operator_for_this_service_is_no_clients(shop: Shop) -> None:
    assert code(await shop.account("ordersaga-operator").get("/api/orders")) == (403, "not_allowed")


async def test_a_new_key_is_found_and_made_up_ones_are_looked_for_rarely(
    settings: ServiceSettings, control_plane: TestControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with on_this_machine() as provider, guarded(settings, control_plane, **of(provider)) as shop:
        before = provider.token()
        assert (await shop.visitor(before).get("/api/orders")).status_code == 200
        asked = provider.asked
        forger = IdentityProvider()
        forger.url = provider.url
        for number in range(5):
            forger.rotate(f"made-up-{number}")
            assert (await shop.visitor(forger.token()).get("/api/orders")).status_code == 401
        assert provider.asked == asked, "not within ten seconds"
        monkeypatch.setattr(key_sets, "AGAIN", 0.0)
        provider.rotate("k-2")
        assert (await shop.visitor(provider.token()).get("/api/orders")).status_code == 200
        provider.calls_itself = "https://elsewhere.example.com"
        forger.rotate("made-up")
        assert (await shop.visitor(forger.token()).get("/api/orders")).status_code == 401
        assert (await shop.visitor(provider.token()).get("/api/orders")).status_code == 200, (
            "the last good keys are kept"
        )


async def test_without_the_provider_keys_are_good_and_tokens_are_answered_503(
    settings: ServiceSettings, control_plane: TestControlPlane
) -> None:
    nowhere = IdentityProvider()
    nowhere.url = "http://127.0.0.1:9"
    async with guarded(settings, control_plane, **of(nowhere)) as shop:
        assert (await shop.http.get("/ready")).status_code == 200, "sagas go on without it"
        assert code(await shop.visitor(nowhere.token()).get("/api/orders")) == (503, "identity_unavailable")
        assert (await (await shop.customer()).get("/api/orders")).status_code == 200


async def test_its_keys_may_come_from_a_file(
    settings: ServiceSettings, control_plane: TestControlPlane, tmp_path: Path
) -> None:
    offline = IdentityProvider()
    offline.url = "https://login.example.com"
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(offline.key_set))
    async with guarded(settings, control_plane, **of(offline), clients_keys=file) as shop:
        assert (await shop.visitor(offline.token()).get("/api/orders")).status_code == 200
        assert (await shop.visitor(IdentityProvider().token(iss=offline.url)).get("/api/orders")).status_code == 401


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"clients_issuer": "https://login.example.com"}, "CLIENTS_AUDIENCE"),
        ({"clients_issuer": "http://login.example.com", "clients_audience": "shop"}, "https://"),
        ({"clients_issuer": "https://a.b", "clients_audience": "order.ordersaga.io"}, "audience of their own"),
        ({"clients_keys": "/keys"}, "whose keys"),
    ],
)
def test_half_a_provider_is_none(given: dict[str, str], why: str, settings: ServiceSettings) -> None:
    from services.order.settings import OrderSettings  # noqa: PLC0415 - it is the subject

    with pytest.raises(ValueError, match=why):
        OrderSettings(**settings.model_dump() | given)  # type: ignore[arg-type]


async def test_keys_of_another_issuer_are_not_taken_for_the_providers() -> None:
    async with on_this_machine() as provider:
        source = DiscoveredKeys(provider.url, ALGORITHMS)
        assert (await source.load()).issuer == provider.url
        provider.calls_itself = "https://elsewhere.example.com"
        with pytest.raises(ValueError, match="calls itself"):
            await source.load()
        await source.aclose()
