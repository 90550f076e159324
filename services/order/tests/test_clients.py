"""Placing, seeing and cancelling orders on a real API server, as the ServiceAccount that the service runs as.

No operator works on the sagas here: the tests take its part where they need one.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.settings import ServiceSettings
from dev.stack.pytest_plugin import TestControlPlane
from services.order.tests.conftest import Saga, served

NewId = Callable[[], str]
REQUEST: dict[str, Any] = {
    "customer_id": "c-17",
    "currency": "EUR",
    "items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1250}],
    "payment": {"method_ref": "test-ok"},
    "ship_to": {"address_ref": "a-17"},
}


@pytest.fixture(scope="module")
async def shop(settings: ServiceSettings, control_plane: TestControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    async with served(settings, kubeconfig=control_plane.identity("order-service")) as client:
        yield client


@pytest.fixture
def resource(control_plane: TestControlPlane) -> Callable[[str], dict[str, Any]]:
    def get(order_id: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            control_plane.kubectl("get", "osaga", order_id, "-n", "shop", "-o", "json").stdout
        )
        return found

    return get


def set_status(control_plane: TestControlPlane, order_id: str, **status: object) -> None:
    patch = json.dumps({"status": status})
    control_plane.kubectl("patch", "osaga", order_id, "-n", "shop", "--subresource=status", "--type=merge", "-p", patch)


async def place(shop: httpx.AsyncClient, key: str | None = None, **change: object) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await shop.post("/api/orders", json=REQUEST | change, headers=headers)


async def test_an_order_is_there_from_the_first_moment_on(
    shop: httpx.AsyncClient, new_id: NewId, resource: Callable[[str], dict[str, Any]]
) -> None:
    order_id = new_id()
    placed = await shop.post(
        "/api/orders", json=REQUEST | {"order_id": order_id}, headers={"X-Correlation-ID": "corr-1"}
    )
    assert placed.status_code == 202, placed.text
    assert placed.headers["Location"] == f"/api/orders/{order_id}"
    assert placed.json() == {
        "order_id": order_id,
        "status": "PENDING",
        "saga": {"namespace": "shop", "name": order_id, "phase": "Pending"},
    }
    seen = (await shop.get(placed.headers["Location"])).json()
    assert seen == {
        "order_id": order_id,
        "customer_id": "c-17",
        "status": "PENDING",
        "items": REQUEST["items"],
        "total_minor": 2500,
        "currency": "EUR",
        "reason": None,
        "saga": {
            "namespace": "shop",
            "name": order_id,
            "phase": "Pending",
            "current_step": None,
            "steps": [],
            "conditions": [],
        },
    }
    made = resource(order_id)
    assert made["metadata"]["finalizers"] == ["ordersaga.io/compensation"]
    assert made["metadata"]["annotations"] == {"ordersaga.io/correlation-id": "corr-1"}
    assert made["spec"]["ttlSecondsAfterFinished"] == 604800
    assert made["spec"]["notify"] == {"contactRef": "c-17"}


async def test_a_setting_says_for_how_long_the_resource_of_a_finished_order_is_kept(
    settings: ServiceSettings, control_plane: TestControlPlane, resource: Callable[[str], dict[str, Any]], new_id: NewId
) -> None:
    order_id = new_id()
    kubeconfig = control_plane.identity("order-service")
    async with served(settings, kubeconfig=kubeconfig, saga_ttl_seconds=3600) as shop:
        assert (await place(shop, order_id=order_id)).status_code == 202
    assert resource(order_id)["spec"]["ttlSecondsAfterFinished"] == 3600


async def test_repeats_answer_the_same_and_make_one_order(shop: httpx.AsyncClient, new_id: NewId) -> None:
    order_id = new_id()
    answers = await asyncio.gather(*(place(shop, order_id=order_id) for _ in range(5)))
    answers.append(await place(shop, order_id=order_id))
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}


async def test_a_key_alone_gives_the_id(shop: httpx.AsyncClient, new_id: NewId) -> None:
    key = new_id()
    first, again = await place(shop, key), await place(shop, key)
    assert first.status_code == again.status_code == 202
    assert first.json()["order_id"] == again.json()["order_id"]
    assert first.json()["order_id"].startswith("o-")
    assert (await place(shop, new_id())).json()["order_id"] != first.json()["order_id"]
    other = await place(shop, key, currency="USD")
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    neither = await place(shop)
    assert (neither.status_code, neither.json()["code"]) == (400, "idempotency_key_required")


@pytest.mark.parametrize("change", [{}, {"customer_id": "c-18"}], ids=["the same order", "another customer's"])
@pytest.mark.parametrize("named", [True, False], ids=["another id", "no id"])
async def test_a_key_beside_an_id_stands_for_one_order(
    shop: httpx.AsyncClient, new_id: NewId, change: dict[str, Any], named: bool
) -> None:
    key, first = new_id(), new_id()
    for _ in range(2):
        placed = await place(shop, key, order_id=first)
        assert (placed.status_code, placed.json()["order_id"]) == (202, first)
    again = await place(shop, key, **change, **({"order_id": new_id()} if named else {}))
    if not named and not change:
        assert again.json() == placed.json(), "what a repeat doesn't name isn't compared"
        return
    assert (again.status_code, again.json()["code"]) == (422, "key_reused")
    assert again.json()["order_id"] == first


async def test_a_key_that_came_alone_stands_for_that_order(shop: httpx.AsyncClient, new_id: NewId) -> None:
    key = new_id()
    alone = (await place(shop, key)).json()["order_id"]
    for change in ({"order_id": new_id()}, {"customer_id": "c-18"}):
        again = await place(shop, key, **change)
        assert (again.status_code, again.json()["code"], again.json()["order_id"]) == (422, "key_reused", alone)
    assert (await place(shop, key, order_id=alone)).status_code == 202


async def test_of_many_ids_under_one_key_at_once_one_is_placed(shop: httpx.AsyncClient, new_id: NewId) -> None:
    key = new_id()
    answers = await asyncio.gather(*(place(shop, key, order_id=new_id()) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] + [422] * 7


async def test_a_key_whose_request_was_refused_can_be_used_again(shop: httpx.AsyncClient, new_id: NewId) -> None:
    key = new_id()
    assert (await place(shop, key, items=[])).status_code == 422
    assert (await place(shop, key)).status_code == 202


@pytest.mark.parametrize(
    "change",
    [
        {"customer_id": "c-18"},
        {"currency": "USD"},
        {"items": [{"product_id": "p-mug", "quantity": 3, "unit_price_minor": 1250}]},
        {"items": [{"product_id": "p-mug", "quantity": 2, "unit_price_minor": 1}]},
        {"items": [*REQUEST["items"], {"product_id": "p-shirt", "quantity": 1, "unit_price_minor": 2900}]},
        {"payment": {"method_ref": "other"}},
        {"ship_to": {"address_ref": "other"}},
        {"notify": {"contact_ref": "other"}},
        {"contact": {"email": "c17@example.com"}},
    ],
)
async def test_an_id_is_used_once(shop: httpx.AsyncClient, new_id: NewId, change: dict[str, Any]) -> None:
    order_id = new_id()
    assert (await place(shop, order_id=order_id)).status_code == 202
    for by in ("the resource", "the document, too"):
        refused = await place(shop, order_id=order_id, **change)
        assert (refused.status_code, refused.json()["code"]) == (409, "order_id_used"), by
        await Saga(shop, order_id)("create")


async def test_what_a_repeat_does_not_name_is_not_compared(shop: httpx.AsyncClient, new_id: NewId) -> None:
    order_id = new_id()
    await place(shop, order_id=order_id)
    unpriced = [{"product_id": "p-mug", "quantity": 2}]  # the catalogue isn't even asked
    assert (await place(shop, order_id=order_id, items=unpriced)).status_code == 202


async def test_a_cancelled_order_tells_why_its_id_is_used(
    shop: httpx.AsyncClient, new_id: NewId, control_plane: TestControlPlane
) -> None:
    order_id = new_id()
    saga = Saga(shop, order_id)
    await place(shop, order_id=order_id)
    for action in ("create", "reject"):
        await saga(action)
    assert "is being cancelled" in (await place(shop, order_id=order_id, currency="USD")).json()["detail"]
    await saga("cancel", reason="card_declined")
    refused = (await place(shop, order_id=order_id, currency="USD")).json()
    assert f"order {order_id} was cancelled (card_declined): place a new order under a new id" in refused["detail"]
    repeated = await place(shop, order_id=order_id)
    assert (repeated.status_code, repeated.json()["status"]) == (202, "CANCELLED")

    # gone: the document alone remembers it
    control_plane.kubectl(
        "patch", "osaga", order_id, "-n", "shop", "--type=merge", "-p", '{"metadata":{"finalizers":[]}}'
    )
    control_plane.kubectl("delete", "osaga", order_id, "-n", "shop")
    repeated = await place(shop, order_id=order_id)
    assert (repeated.status_code, repeated.json()) == (
        202,
        {"order_id": order_id, "status": "CANCELLED", "saga": None},
    )
    seen = (await shop.get(f"/api/orders/{order_id}")).json()
    assert (seen["status"], seen["reason"], seen["saga"]) == ("CANCELLED", "card_declined", None)
    assert (await place(shop, order_id=order_id, currency="USD")).json()["code"] == "order_id_used"


async def test_a_tombstone_uses_its_id_up(shop: httpx.AsyncClient, new_id: NewId) -> None:
    order_id = new_id()
    await Saga(shop, order_id)("cancel")
    assert (await shop.get(f"/api/orders/{order_id}")).status_code == 404
    assert (await shop.post(f"/api/orders/{order_id}/cancel")).status_code == 404
    assert (await place(shop, order_id=order_id)).json()["code"] == "order_id_used"


async def test_the_progress_of_the_saga_is_shown(
    shop: httpx.AsyncClient, new_id: NewId, control_plane: TestControlPlane
) -> None:
    order_id = new_id()
    await place(shop, order_id=order_id)
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "CardDeclined",
        "message": "the card was declined",
        "lastTransitionTime": "2026-11-22T20:00:00Z",
    }
    compensation = {"attempts": 2, "startTime": "2026-11-22T20:00:00Z", "message": "no answer"}
    step = {"name": "inventory", "state": "Succeeded", "attempts": 1, "compensation": compensation}
    set_status(
        control_plane,
        order_id,
        phase="Compensating",
        currentStep="inventory",
        steps=[step, {"name": "payment", "state": "Refused", "attempts": 1, "reason": "card_declined"}],
        conditions=[condition],
    )
    seen = (await shop.get(f"/api/orders/{order_id}")).json()
    saga = seen["saga"]
    assert (seen["status"], saga["phase"], saga["current_step"]) == ("CANCELLING", "Compensating", "inventory")
    assert [(step["name"], step["state"], step["attempts"]) for step in saga["steps"]] == [
        ("inventory", "Succeeded", 1),
        ("payment", "Refused", 1),
    ]
    assert saga["steps"][0]["compensation"]["attempts"] == 2
    assert saga["steps"][1]["compensation"] is None
    assert saga["conditions"][0]["last_transition_time"] == "2026-11-22T20:00:00Z"


@pytest.mark.parametrize("created", [True, False], ids=["after its first step", "before its first step"])
async def test_cancel_rejects_the_order_and_asks_the_saga(
    shop: httpx.AsyncClient, new_id: NewId, resource: Callable[[str], dict[str, Any]], created: bool
) -> None:
    order_id = new_id()
    saga = Saga(shop, order_id)
    await place(shop, order_id=order_id)
    if created:
        await saga("create")
    for _ in range(2):
        cancelled = await shop.post(f"/api/orders/{order_id}/cancel")
        assert (cancelled.status_code, cancelled.json()["status"]) == (202, "CANCELLING")
        assert cancelled.headers["Location"] == f"/api/orders/{order_id}"
    assert resource(order_id)["spec"]["state"] == "Cancelled"
    assert (await saga("create")).json()["code"] == "compensated"
    assert (await saga("confirm")).json()["code"] == "compensated"
    rejected = (await saga("reject", epoch=7)).json()  # the operator's own is the same call
    assert (rejected["closed"], rejected["effect"]) == (False, "undone" if created else "none")


async def test_a_confirmed_order_cannot_be_cancelled(
    shop: httpx.AsyncClient, new_id: NewId, resource: Callable[[str], dict[str, Any]]
) -> None:
    order_id = new_id()
    saga = Saga(shop, order_id)
    await place(shop, order_id=order_id)
    await saga("create")
    await saga("confirm")
    refused = await shop.post(f"/api/orders/{order_id}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "already_confirmed")
    assert resource(order_id)["spec"]["state"] == "Active"


async def test_cancelling_a_finished_order_is_done_already(
    shop: httpx.AsyncClient, new_id: NewId, control_plane: TestControlPlane
) -> None:
    finished = new_id()
    await place(shop, order_id=finished)
    for action in ("create", "reject", "cancel"):
        await Saga(shop, finished)(action)
    undone = {"failure": {"reason": "Cancelled"}, "steps": [{"name": "order", "state": "Compensated"}]}
    set_status(control_plane, finished, phase="Compensated", **undone)
    answer = await shop.post(f"/api/orders/{finished}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "CANCELLED")


async def test_an_order_that_never_was_is_not_found(shop: httpx.AsyncClient, new_id: NewId) -> None:
    order_id = new_id()
    assert (await shop.get(f"/api/orders/{order_id}")).json()["code"] == "not_found"
    assert (await shop.post(f"/api/orders/{order_id}/cancel")).json()["code"] == "not_found"
    assert (await Saga(shop, order_id)("confirm")).status_code == 404  # nothing was written


async def test_cancel_and_confirm_at_once_agree(shop: httpx.AsyncClient, new_id: NewId) -> None:
    for _ in range(5):
        order_id = new_id()
        saga = Saga(shop, order_id)
        await place(shop, order_id=order_id)
        await saga("create")
        cancelled, confirmed = await asyncio.gather(shop.post(f"/api/orders/{order_id}/cancel"), saga("confirm"))
        assert (cancelled.status_code, confirmed.status_code) in [(202, 409), (409, 200)]


async def test_ready_with_everything_there(shop: httpx.AsyncClient) -> None:
    assert (await shop.get("/ready")).json()["status"] == "ready"


async def test_the_saga_s_steps_need_the_database_alone(api: httpx.AsyncClient, saga: Saga) -> None:
    assert (await api.get("/ready")).status_code == 200  # otherwise the operator would find no endpoint
    for action in ("create", "confirm"):
        assert (await saga(action)).status_code == 200


async def test_an_api_server_that_hangs_costs_a_client_seconds(
    settings: ServiceSettings, saga: Saga, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("services.order.sagas.API_SECONDS", 0.3)  # instead of 2.5
    await saga("create")

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        kubeconfig = tmp_path / "kubeconfig"
        cluster = {"server": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"}
        kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "here",
                    "clusters": [{"name": "here", "cluster": cluster}],
                    "users": [{"name": "here", "user": {"token": "t"}}],
                    "contexts": [{"name": "here", "context": {"cluster": "here", "user": "here"}}],
                }
            )
        )
        async with served(settings, kubeconfig=kubeconfig) as shop:
            async with asyncio.timeout(6):  # the client of the API server would wait for ten
                refused = await place(shop, order_id=f"{saga.order_id}-2")
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert refused.headers["Retry-After"]
            seen = (await shop.get(f"/api/orders/{saga.order_id}")).json()
            assert (seen["status"], seen["saga"]["phase"]) == ("PENDING", "Unknown")
            assert (await shop.get("/ready")).status_code == 200


class TestWithoutAnApiServer:
    async def test_nothing_is_placed_and_the_answer_says_what_to_do(
        self, api: httpx.AsyncClient, shop: httpx.AsyncClient, new_id: NewId
    ) -> None:
        order_id = new_id()
        refused = await place(api, order_id=order_id)
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert refused.headers["Retry-After"]
        assert "KUBECONFIG" in refused.json()["detail"]
        assert (await shop.get(f"/api/orders/{order_id}")).status_code == 404  # nothing half done

    async def test_known_orders_are_shown_and_unknown_ones_are_unknown(
        self, api: httpx.AsyncClient, saga: Saga
    ) -> None:
        assert (await api.get(f"/api/orders/{saga.order_id}")).status_code == 503
        await saga("create")
        seen = (await api.get(f"/api/orders/{saga.order_id}")).json()
        assert (seen["status"], seen["saga"]["phase"]) == ("PENDING", "Unknown")

    async def test_a_cancel_decides_and_is_repeated(
        self, api: httpx.AsyncClient, shop: httpx.AsyncClient, saga: Saga
    ) -> None:
        assert (await api.post(f"/api/orders/{saga.order_id}/cancel")).status_code == 503
        await saga("create")
        assert (await api.post(f"/api/orders/{saga.order_id}/cancel")).status_code == 503
        assert (await saga("confirm")).json()["code"] == "compensated"
        assert (await shop.post(f"/api/orders/{saga.order_id}/cancel")).status_code == 202
