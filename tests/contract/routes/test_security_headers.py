"""Every answer of every service says the same to a browser, and no page of another origin reads one."""

import base64
import hashlib
import re

import httpx
import pytest

from common.services import SERVICES
from common.settings import ServiceSettings
from common.web.app import Service
from services.inventory.main import build as inventory
from services.notification.main import build as notification
from services.order.main import build as order
from services.payment.main import build as payment
from services.shipping.main import build as shipping
from tests.support.asgi import ask

BUILDS = {
    "order": order,
    "inventory": inventory,
    "payment": payment,
    "shipping": shipping,
    "notification": notification,
}
ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
ANSWERS = [
    ("GET", "/", 200),
    ("GET", "/docs", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/health", 200),
    ("GET", "/nothing", 404),
    ("PATCH", "/health", 405),
    ("OPTIONS", "/health", 405),
]


@pytest.fixture(params=SERVICES)
def app(request: pytest.FixtureRequest) -> Service:
    return BUILDS[request.param](ServiceSettings(authentication="development", log_level="ERROR"))


@pytest.mark.parametrize("port", ["inside", "public"])
async def test_every_answer_has_them(port: str, app: Service) -> None:
    for method, path, status in ANSWERS:
        answer = await ask(app if port == "inside" else app.public, method, path)
        assert answer.status == status
        assert answer.headers.items() >= ALWAYS.items(), path
        assert b"frame-ancestors 'none'" in answer.headers[b"content-security-policy"]
        assert b"strict-transport-security" not in answer.headers, "this is no TLS"
        assert b"server" not in answer.headers


async def test_no_page_of_another_origin_is_let_in(app: Service) -> None:
    origin = [(b"origin", b"https://evil.example.com"), (b"access-control-request-method", b"POST")]
    for method, path in (("OPTIONS", "/api/orders"), ("GET", "/health")):
        answer = await ask(app, method, path, headers=origin)
        assert not [name for name in answer.headers if name.startswith(b"access-control")]


async def test_the_page_of_the_routes_may_run_its_own_lines_and_talk_to_its_own_service(app: Service) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://shop") as http:
        answer = await http.get("/docs")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    [own] = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert f"'sha256-{digest}'" in policy["script-src"]
    assert "unsafe" not in policy["script-src"]
    for source in re.findall(r'(?:src|href)="(https://[^"]+)"', answer.text):
        assert source.startswith(policy["script-src"].split()[0]), "else the page shows nothing"
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
