"""Who gets through to which route, and what those are told who don't."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Response

from common.identity.authenticator import Authenticator
from common.identity.callers import Callers
from common.identity.keys import Keys
from common.settings import ServiceSettings
from common.web.app import Service, create_app
from common.web.guard import ANYBODY, OPERATOR, READERS, Guard, Table
from tests.support.tokens import Issuer, Published

AUDIENCE = "payment.ordersaga.io"
STRANGER = "system:serviceaccount:shop:default"
OPERATOR_ELSEWHERE = "system:serviceaccount:other:ordersaga-operator"
AUDITOR = "system:serviceaccount:shop:ordersaga-audit"
TABLE: Table = {
    "POST /api/payments/process": OPERATOR,
    "GET /api/payments/{payment_id}": READERS,
    "GET /api/payments": ANYBODY,
}
issuer = Issuer()


def routes() -> APIRouter:
    router = APIRouter(prefix="/api/payments")

    @router.post("/process")
    async def process() -> Response:
        return Response("{}", media_type="application/json")

    @router.get("")
    async def payments() -> Response:
        return Response("{}", media_type="application/json")

    @router.get("/{payment_id}")
    async def payment(payment_id: str) -> Response:
        return Response("{}", media_type="application/json")

    return router


@asynccontextmanager
async def client(app: Service) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://payment") as http:
        yield http


@pytest.fixture
def published() -> Published:
    return Published(issuer)


@pytest.fixture
async def http(published: Published) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("payment", "", routers=[routes()], callers=TABLE, settings=ServiceSettings(log_format="text"))
    authenticator = Authenticator(Keys(published), audience=AUDIENCE)
    app.guard = Guard("payment", TABLE, app.routers[1:], authenticator=authenticator, callers=Callers("shop"))
    async with client(app) as http:
        yield http


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_the_operator_gets_through(http: httpx.AsyncClient) -> None:
    assert (await http.post("/api/payments/process", headers=bearer(issuer.token()))).status_code == 200


async def test_pages_that_say_what_a_service_is_are_for_everybody(http: httpx.AsyncClient) -> None:
    for path in ("/", "/health", "/docs", "/openapi.json", "/metrics", "/api/payments"):
        assert (await http.get(path)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Basic b3BlcmF0b3I6")],
        [("Authorization", "Bearer")],
        [("Authorization", issuer.token())],
        [("Authorization", f"Bearer {issuer.token(aud=['inventory.ordersaga.io'])}")],
        [("Authorization", f"Bearer {issuer.token(lasts=-60)}")],
        [("Authorization", f"Bearer {Issuer().token()}")],
        [("Authorization", f"Bearer {issuer.token()}"), ("Authorization", f"Bearer {issuer.token()}")],
    ],
    ids=["none", "basic", "empty", "no scheme", "another participant's", "expired", "forged", "two"],
)
async def test_whoever_is_not_believed_is_told_what_to_do_and_nothing_else(
    headers: list[tuple[str, str]], http: httpx.AsyncClient
) -> None:
    answer = await http.post("/api/payments/process", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["retryable"] is False
    for internal in ("key", "ignature", "udience doesn", "expired", "kid", "jwt"):
        assert internal not in answer.text


@pytest.mark.parametrize("subject", [STRANGER, OPERATOR_ELSEWHERE, AUDITOR, f"{AUDITOR}\n", "ordersaga-operator"])
async def test_whoever_is_known_and_is_not_the_operator_calls_no_step(subject: str, http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/payments/process", headers=bearer(issuer.token(sub=subject)))
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")


async def test_an_auditor_reads(http: httpx.AsyncClient) -> None:
    assert (await http.get("/api/payments/p-1", headers=bearer(issuer.token(sub=AUDITOR)))).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/payments/process/"),
        ("POST", "//api/payments/process"),
        ("POST", "/api/payments/%70rocess"),
        ("POST", "/api/payments/./process"),
        ("POST", "/API/payments/process"),
        ("GET", "/api/payments/process"),
        ("PUT", "/api/payments/process"),
        ("HEAD", "/api/payments/p-1"),
        ("OPTIONS", "/api/payments/process"),
    ],
)
async def test_no_spelling_of_a_path_gets_past_the_guard(method: str, path: str, http: httpx.AsyncClient) -> None:
    answer = await http.request(method, path)
    assert answer.status_code in (401, 404, 405)


async def test_while_nobody_can_be_identified_the_operator_is_told_to_come_back(
    http: httpx.AsyncClient, published: Published
) -> None:
    published.is_down = True
    answer = await http.post("/api/payments/process", headers=bearer(issuer.token()))
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (
        503,
        "identity_unavailable",
        True,
    )
    assert answer.headers["retry-after"] == "2"


def test_a_route_that_the_table_does_not_name_is_no_service(published: Published) -> None:
    authenticator = Authenticator(Keys(published), audience=AUDIENCE)
    table = {name: roles for name, roles in TABLE.items() if name != "POST /api/payments/process"}
    with pytest.raises(ValueError, match="who may call POST /api/payments/process of the payment service"):
        Guard("payment", table, [routes()], authenticator=authenticator, callers=Callers("shop"))


async def test_the_guard_stands_on_both_ports_before_anything_is_served_and_lets_people_in_without_a_pod(
    tmp_path: Path,
) -> None:
    stood: list[bool] = []

    @asynccontextmanager
    async def lifespan(app: Service) -> AsyncIterator[None]:
        stood.extend(port.guard is not None for port in (app, app.public))
        yield

    keys = tmp_path / "jwks.json"
    keys.write_text(json.dumps(issuer.key_set))
    settings = ServiceSettings(
        mongodb_url="mongodb://127.0.0.1:1/?directConnection=true",
        mongodb_driver="motor",
        authentication="kubernetes",
        authentication_review="none",
        authentication_keys=keys,
        log_level="ERROR",
    )
    app = create_app("payment", "", routers=[routes()], callers=TABLE, lifespan=lifespan, settings=settings)
    async with app.router.lifespan_context(app):
        assert stood == [True, True]
        async with client(app) as http:
            assert (await http.post("/api/payments/process")).status_code == 401
            operator = bearer(issuer.token())
            assert (await http.post("/api/payments/process", headers=operator)).status_code == 200
            unbound = bearer(issuer.token(pod=""))
            assert (await http.post("/api/payments/process", headers=unbound)).status_code == 401
            person = bearer(issuer.token(pod="", sub=AUDITOR))
            assert (await http.get("/api/payments/p-1", headers=person)).status_code == 200
