"""What the cluster does to its tokens while orders run: it signs with another key, and it can't be asked."""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jwt
import pytest

from common.identity.bearer import LOOK
from common.identity.keys import AGAIN
from common.services import SERVICES
from dev.stack.demo.shop import ADDRESS
from dev.stack.parts.control_plane import ControlPlane
from dev.stack.processes import wait_ready
from dev.stack.pytest_plugin import TestControlPlane
from tests.e2e.system import NAMESPACE, Stack, step_states
from tests.e2e.test_strangers import paused
from tests.support import asking

pytestmark = pytest.mark.slow


@contextmanager
def own_cluster(mongodb_url: str, folder: Path, prefix: str, **env: str) -> Iterator[tuple[Stack, ControlPlane]]:
    """A system with an API server of its own."""
    plane = ControlPlane(folder / "plane")
    with plane.running(NAMESPACE) as administrator:
        given = TestControlPlane(administrator, plane.url, plane.apiserver)
        stack = Stack(mongodb_url, given, folder, prefix=prefix, **env)
        try:
            stack.start()
            with stack.shop as shop:
                shop.seed()
                yield stack, plane
        finally:
            stack.stop()
            stack.books.__exit__()


@contextmanager
def customers_at_work(stack: Stack) -> Iterator[Counter[int]]:
    """Somebody reads from a service all the time; how often each status was answered."""
    seen, over = Counter[int](), threading.Event()

    def work() -> None:
        while not over.wait(0.02):
            seen[stack.shop.request("GET", "inventory", "/api/inventory/p-mug").status_code] += 1

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield seen
    finally:
        over.set()
        worker.join()


def refusals(stack: Stack) -> dict[str, float]:
    """How many requests each service has answered with 401 or 403, if there are any."""
    found = {}
    for name in SERVICES:
        metrics = asking.get(f"{stack.wiring.url(name)}/metrics").text
        counted = re.findall(r'^ordersaga_http_requests_total\{[^}]*status="40[13]"[^}]*\} (\S+)$', metrics, re.M)
        if total := sum(map(float, counted)):
            found[name] = total
    return found


def key_of(token: Path) -> str:
    return str(jwt.get_unverified_header(token.read_text())["kid"])


def test_no_call_is_refused_while_the_cluster_begins_to_sign_with_another_key(mongodb_url: str, tmp_path: Path) -> None:
    with own_cluster(mongodb_url, tmp_path, "rotated_") as (stack, plane), customers_at_work(stack) as seen:
        assert stack.shop.request("GET", "payment", "/api/payments", anonymous=True).status_code == 401
        assert refusals(stack) == {"payment": 1}, "so much is counted before it begins"
        began = time.monotonic()
        before, running = key_of(stack.tokens / "payment"), stack.new_id("rotated")
        with paused(stack.services["payment"]):
            stack.shop.place(running)
            stack.until(running, lambda order: step_states(order).get("inventory") == "Succeeded")
            plane.apiserver.rotate_token_key()
            plane.apiserver.kill()  # in good order it waits for those who watch, who don't go
            plane.apiserver.start()
            wait_ready([plane.apiserver])
            # a service asks for the keys again at most so often, and has done so when the first orders came
            threading.Event().wait(max(0.0, began + AGAIN - time.monotonic()))
            stack.identify()
        assert key_of(stack.tokens / "payment") != before
        phases = stack.until_finished(running)
        threading.Event().wait(LOOK + 1)  # now each caller has seen its new token
        later = [stack.new_id("signed-anew") for _ in range(3)]
        for order_id in later:
            stack.shop.place(order_id, ship_to={"address": ADDRESS})
        phases |= stack.until_finished(*later)
        assert phases == dict.fromkeys((running, *later), "Completed")
        assert refusals(stack) == {"payment": 1}
        assert seen.keys() == {200}
        assert seen.total() > 100
        stack.assert_books(phases)


@pytest.mark.parametrize(("review", "status", "code"), [("strict", 503, "identity_unavailable"), ("offline", 200, "")])
def test_while_the_api_server_is_away_strict_lets_nobody_new_in_and_offline_goes_on_and_orders_resume(
    review: str, status: int, code: str, mongodb_url: str, tmp_path: Path
) -> None:
    prefix = f"away_{review}_"
    with own_cluster(mongodb_url, tmp_path, prefix, ORDERSAGA_AUTHENTICATION_REVIEW=review) as (stack, plane):
        order_id = stack.new_id("away")
        known = stack.staff / "inventory"
        unseen = {"Authorization": f"Bearer {stack.token('ordersaga-staff', 'inventory')}"}
        with paused(stack.services["shipping"]):
            stack.shop.place(order_id)
            stack.until(order_id, lambda order: step_states(order).get("payment") == "Succeeded")
            assert stack.shop.request("GET", "inventory", "/api/inventory").status_code == 200
            plane.apiserver.kill()
        assert unseen["Authorization"] != f"Bearer {known.read_text()}"
        answer = stack.shop.request("GET", "inventory", "/api/inventory", headers=unseen)
        assert (answer.status_code, answer.json().get("code", "")) == (status, code)
        again = stack.shop.request("GET", "inventory", "/api/inventory")
        assert again.status_code == 200, "what the API server has just said holds for a minute"
        plane.apiserver.start()
        wait_ready([plane.apiserver])
        stack.start()  # an operator that has lost its Lease ends
        phases = stack.until_finished(order_id)
        assert phases == {order_id: "Completed"}
        assert stack.shop.request("GET", "inventory", "/api/inventory", headers=unseen).status_code == 200
        stack.assert_books(phases)
