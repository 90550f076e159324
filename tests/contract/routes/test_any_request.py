"""No request makes a service fail: whatever it holds, the answer is a success or a 4xx that says what is wrong.

Requests are made from the services' own OpenAPI documents: right ones, with any part of them replaced by anything. The
suite makes the same ones each time; `make fuzz` makes others, as many as it is told to.

Beside schemathesis (tests/contract/described), because that goes through a client that writes only what is well-formed:
here are bodies that are no UTF-8, halves of emoji, 100,000 brackets, names that stand twice in an object, numbers of
5,000 digits, gzip, any header twice, methods and targets that HTTP doesn't know. And it makes a thousand a second.
"""

import json
import math
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from common.web.app import Service
from dev.stack.pytest_plugin import TestControlPlane
from services.inventory.main import build as inventory
from services.notification.main import build as notification
from services.order.main import build as order
from services.order.settings import OrderSettings
from services.payment.main import build as payment
from services.shipping.main import build as shipping
from tests.contract.answers.test_placing_with_other_services import listening
from tests.contract.tally import Tally
from tests.support.asgi import Asked, ask
from tests.support.requests import Requests
from tests.support.service_client import own_databases, replicas_of

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("ORDERSAGA_FUZZ_SEED", "17"))
TOGETHER = int(os.environ.get("ORDERSAGA_FUZZ_REQUESTS", "0"))
"""How many `make fuzz` is to make in all: what schemathesis hasn't made, this does."""
REQUESTS = 1500
"""For each service, at least: about 12 seconds in all."""
BUILD = {"inventory": inventory, "payment": payment, "shipping": shipping, "notification": notification}
NAMES = [*BUILD, "order"]


@pytest.fixture(scope="module")
async def apps(mongodb_url: str, control_plane: TestControlPlane) -> AsyncIterator[dict[str, Service]]:
    """All five services on a real MongoDB; the order service with a real API server, and the others on sockets."""
    async with AsyncExitStack() as stack:
        settings = stack.enter_context(own_databases(mongodb_url, "fuzz"))
        settings.log_level = "CRITICAL"
        identity = control_plane.identity("order-service")
        asked = order(OrderSettings(**settings.model_dump() | {"kubeconfig": identity}))
        settings.order_url = await stack.enter_async_context(listening(asked))  # shipping and inventory ask it
        apps = {}
        urls: dict[str, Any] = {}
        for name, build in BUILD.items():
            _, apps[name] = await stack.enter_async_context(replicas_of(build, settings))
            if name != "payment":
                urls[f"{name}_url"] = await stack.enter_async_context(listening(build(settings)))
        given = OrderSettings(**settings.model_dump() | {"kubeconfig": identity} | urls)
        _, apps["order"] = await stack.enter_async_context(replicas_of(order, given))
        yield apps


def what_is_wrong_with(answer: Asked) -> str:
    """A problem tells programs and people what is wrong: bounded, printable, and never a 5xx. Empty if it does."""
    if answer.status >= 500:
        return f"{answer.status} {answer.body[:300]!r}"
    if answer.status < 400:
        return ""
    if answer.headers.get(b"content-type") != b"application/problem+json":
        return f"{answer.status} without a problem"
    problem = json.loads(answer.body)
    if problem["status"] != answer.status or not problem["code"]:
        return f"{answer.status} with another problem: {problem}"
    if not problem["detail"].isprintable() or len(answer.body) > 10_000:
        return f"{answer.status} that can't be shown: {answer.body[:300]!r}"
    return ""


@pytest.mark.timeout(180 + TOGETHER / 50)
@pytest.mark.parametrize("name", NAMES)
async def test_no_request_makes_a_service_fail(name: str, apps: dict[str, Service], tally: Tally) -> None:
    app, wrong, seen = apps[name], dict[str, str](), Counter[int]()
    requests = Requests(app.openapi(), random.Random(f"{SEED} {name}"))
    number = max(REQUESTS, math.ceil((TOGETHER - tally.total) / (len(NAMES) - NAMES.index(name))))
    while seen.total() < number:
        request = next(requests)
        try:
            answer = await ask(app, **request)
        except Exception as error:
            wrong.setdefault(type(error).__name__, f"{error!r} was raised by {request!r:.2000}")
            seen[500] += 1
            continue
        seen[answer.status] += 1
        if reason := what_is_wrong_with(answer):
            wrong.setdefault(f"{request['method']} {reason[:60]}", f"{reason} was the answer to {request!r:.2000}")
    tally.add(name, seen)
    assert not wrong, "\n\n".join(wrong.values())
    assert seen[200] > REQUESTS / 50, f"hardly any request was right: {seen}"
    assert (await ask(app, "GET", "/health")).status == 200
    assert len(app.metrics.render()[0]) < 1_000_000
