"""The matrix over the wire, on a real MongoDB: every state reached by calls, every action tried on it."""

import asyncio
from typing import Any

import httpx
import pytest

from services.order.tests.conftest import Saga

PATHS: dict[str, list[str]] = {
    "missing": [],
    "PENDING": ["create"],
    "CONFIRMED": ["create", "confirm"],
    "PROCESSING": ["create", "confirm", "PROCESSING"],
    "SHIPPED": ["create", "confirm", "PROCESSING", "SHIPPED"],
    "DELIVERED": ["create", "confirm", "PROCESSING", "SHIPPED", "DELIVERED"],
    "CANCELLING": ["create", "reject"],
    "CANCELLING, never created": ["reject"],
    "CANCELLED, closed": ["create", "reject", "cancel"],
    "CANCELLED, not closed": ["create", "cancel"],
    "CANCELLED, closed, never created": ["reject", "cancel"],
    "tombstone": ["cancel"],
}
LATER = ("PROCESSING", "SHIPPED", "DELIVERED")
CANCELLED = ("CANCELLED, closed", "CANCELLED, not closed", "CANCELLED, closed, never created", "tombstone")
GONE = ("CANCELLING", "CANCELLING, never created", *CANCELLED)

# (action, state) -> status, fields of the answer that matter, status afterwards (None: GET finds nothing)
Cell = tuple[str, str, int, dict[str, Any], str | None]
CELLS: list[Cell] = [
    ("create", "missing", 200, {"status": "PENDING", "reason": None, "saga": None, "total_minor": 2500}, "PENDING"),
    ("create", "PENDING", 200, {"status": "PENDING"}, "PENDING"),
    ("create", "CONFIRMED", 200, {"status": "PENDING"}, "CONFIRMED"),
    *[("create", later, 200, {"status": "PENDING"}, later) for later in LATER],
    *[("create", gone, 409, {"code": "compensated"}, None) for gone in GONE],
    ("confirm", "missing", 404, {"code": "not_found"}, None),
    ("confirm", "PENDING", 200, {"status": "CONFIRMED"}, "CONFIRMED"),
    ("confirm", "CONFIRMED", 200, {"status": "CONFIRMED"}, "CONFIRMED"),
    *[("confirm", later, 200, {"status": "CONFIRMED"}, later) for later in LATER],
    *[("confirm", gone, 409, {"code": "compensated"}, None) for gone in GONE],
    ("reject", "missing", 200, {"status": "CANCELLING", "closed": False, "effect": "none"}, "CANCELLING"),
    ("reject", "PENDING", 200, {"status": "CANCELLING", "closed": False, "effect": "undone"}, "CANCELLING"),
    *[("reject", later, 409, {"code": "already_confirmed"}, later) for later in ("CONFIRMED", *LATER)],
    ("reject", "CANCELLING", 200, {"status": "CANCELLING", "closed": False, "effect": "undone"}, "CANCELLING"),
    ("reject", "CANCELLING, never created", 200, {"closed": False, "effect": "none"}, "CANCELLING"),
    ("reject", "CANCELLED, closed", 200, {"closed": True, "effect": "undone"}, "CANCELLED"),
    ("reject", "CANCELLED, not closed", 200, {"closed": False, "effect": "undone"}, "CANCELLED"),
    ("reject", "CANCELLED, closed, never created", 200, {"closed": True, "effect": "none"}, "CANCELLED"),
    ("reject", "tombstone", 200, {"closed": False, "effect": "none"}, None),
    ("cancel", "missing", 200, {"effect": "none"}, None),
    ("cancel", "PENDING", 200, {"status": "CANCELLED", "effect": "undone", "reason": "out_of_stock"}, "CANCELLED"),
    *[("cancel", later, 409, {"code": "already_confirmed"}, later) for later in ("CONFIRMED", *LATER)],
    ("cancel", "CANCELLING", 200, {"status": "CANCELLED", "effect": "undone"}, "CANCELLED"),
    ("cancel", "CANCELLING, never created", 200, {"status": "CANCELLED", "effect": "none"}, "CANCELLED"),
    ("cancel", "CANCELLED, closed", 200, {"status": "CANCELLED", "effect": "undone"}, "CANCELLED"),
    ("cancel", "CANCELLED, not closed", 200, {"status": "CANCELLED", "effect": "undone"}, "CANCELLED"),
    ("cancel", "CANCELLED, closed, never created", 200, {"effect": "none"}, "CANCELLED"),
    ("cancel", "tombstone", 200, {"effect": "none"}, None),
]


async def reach(saga: Saga, state: str) -> None:
    for move in PATHS[state]:
        if move.isupper():
            answer = await saga.api.put(f"/api/orders/{saga.order_id}/status", json={"status": move})
        else:
            answer = await saga(move)
        assert answer.status_code == 200, answer.text


async def status_of(saga: Saga) -> str | None:
    """As the list has it; None for what is never listed."""
    page = (await saga.api.get("/api/orders", params={"customer_id": "c-17", "limit": 1000})).json()
    return next((item["status"] for item in page["items"] if item["order_id"] == saga.order_id), None)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell[0]} on {cell[1]}")
async def test_every_action_on_every_state(saga: Saga, cell: Cell) -> None:
    action, state, status, expected, after = cell
    await reach(saga, state)
    before = await status_of(saga)
    for attempt in ("first", "repeated"):  # a repeat answers the same
        answer = await saga(action)
        assert answer.status_code == status, (attempt, answer.text)
        assert answer.json().items() >= expected.items(), (attempt, answer.json())
        assert answer.json()["order_id"] == saga.order_id
    assert await status_of(saga) == (before if status >= 400 else after)


def test_the_table_is_complete() -> None:
    assert len(CELLS) == len({(cell[0], cell[1]) for cell in CELLS}) == 4 * len(PATHS)


async def test_a_blocked_customer_is_refused_for_ever_and_can_be_rolled_back(saga: Saga) -> None:
    saga.content |= {"customer_id": "c-blocked"}
    for _ in range(2):
        assert (await saga("create")).json()["code"] == "customer_blocked"
    assert (await saga("confirm")).status_code == 404  # a document that holds only a refusal counts as missing
    assert (await saga("create", currency="USD")).json()["code"] == "key_reused"
    assert await status_of(saga) is None
    rejected = (await saga("reject")).json()
    assert (rejected["status"], rejected["effect"], rejected["closed"]) == ("CANCELLING", "none", False)
    assert (await saga("create")).json()["code"] == "compensated"  # the tombstone outranks the stored refusal
    assert (await saga("cancel")).json()["status"] == "CANCELLED"
    assert (await saga("reject")).json()["closed"] is True


async def test_the_first_reason_stays(saga: Saga) -> None:
    await saga("create")
    await saga("reject")
    assert (await saga("cancel", reason="card_declined")).json()["reason"] == "card_declined"
    assert (await saga("cancel", reason="other")).json()["reason"] == "card_declined"
    assert (await saga("reject")).json()["reason"] == "card_declined"


@pytest.mark.parametrize("action", ["create", "confirm", "reject"])
@pytest.mark.parametrize("state", ["PENDING", "CONFIRMED", "CANCELLING", "CANCELLED, closed", "CANCELLED, not closed"])
async def test_other_content_is_never_the_same_order(saga: Saga, state: str, action: str) -> None:
    await reach(saga, state)
    answer = await saga(action, ship_to={"address_ref": "elsewhere"})
    used = (action in {"create"}) or (action == "confirm" and state == "CONFIRMED")
    used = used or (action == "reject" and state in {"CANCELLING", "CANCELLED, closed"})
    expected = (422, "key_reused") if used else (409, "order_id_used")
    assert (answer.status_code, answer.json()["code"]) == expected


async def test_another_namespace_cannot_use_the_order(saga: Saga) -> None:
    await saga("create")
    for action in ("create", "confirm", "reject", "cancel"):
        answer = await saga(action, namespace="other")
        assert (answer.status_code, answer.json()["code"]) == (409, "order_id_used")


async def test_an_older_epoch_is_stale_and_changes_nothing(saga: Saga) -> None:
    await saga("create", epoch=5)
    for action in ("create", "confirm", "reject", "cancel"):
        answer = await saga(action, epoch=4)
        assert (answer.status_code, answer.json()["code"]) == (412, "stale_epoch")
    assert (await saga("confirm")).status_code == 200  # absent: unchecked


async def test_bad_requests_say_what_is_wrong(saga: Saga) -> None:
    assert (await saga("create", colour="red")).json()["code"] == "invalid"
    other = await saga("create", order_id="o-other")
    assert (other.status_code, other.json()["code"]) == (400, "idempotency_key_invalid")
    missing = await saga.api.post("/api/orders/confirm", json=saga.content)
    assert missing.status_code == 400
    assert f"shop/{saga.order_id}/confirmation/do" in missing.json()["detail"]


@pytest.mark.parametrize("attempt", range(15))
async def test_confirm_and_reject_at_once_have_one_winner(saga: Saga, attempt: int) -> None:
    await saga("create")
    calls = [saga("confirm"), saga("reject"), saga("confirm"), saga("reject")]
    answers = await asyncio.gather(*(calls if attempt % 2 else reversed(calls)))
    if attempt % 2 == 0:
        answers = answers[::-1]
    confirmed = {answers[0].status_code, answers[2].status_code}
    rejected = {answers[1].status_code, answers[3].status_code}
    assert (confirmed, rejected) in [({200}, {409}), ({409}, {200})]
    winner = "CONFIRMED" if confirmed == {200} else "CANCELLING"
    assert await status_of(saga) == winner
    loser = answers[1] if winner == "CONFIRMED" else answers[0]
    assert loser.json()["code"] == ("already_confirmed" if winner == "CONFIRMED" else "compensated")


async def test_create_and_reject_at_once_end_closed_for_ever(saga: Saga) -> None:
    created, rejected = await asyncio.gather(saga("create"), saga("reject"))
    assert rejected.status_code == 200
    assert created.status_code in {200, 409}
    assert rejected.json()["effect"] == ("undone" if created.status_code == 200 else "none")
    assert (await saga("create")).json()["code"] == "compensated"


async def test_many_equal_creates_at_once_make_one_order(saga: Saga) -> None:
    answers = await asyncio.gather(*(saga("create") for _ in range(10)))
    assert {answer.text for answer in answers} == {answers[0].text}


async def test_lists_filter_page_and_leave_tombstones_out(api: httpx.AsyncClient) -> None:
    for number in range(4):
        await Saga(api, f"o-list-{number}")("create", customer_id="c-list", notify={"contact_ref": "c-list"})
    await Saga(api, "o-list-4")("cancel")
    blocked = Saga(api, "o-list-5")
    await blocked("create", customer_id="c-blocked")
    page = (await api.get("/api/orders", params={"customer_id": "c-list", "limit": 2, "skip": 1})).json()
    assert [item["order_id"] for item in page["items"]] == ["o-list-1", "o-list-2"]
    assert (page["total"], page["limit"], page["skip"]) == (4, 2, 1)
    assert set(page["items"][0]) == {
        *("order_id", "customer_id", "status", "items", "total_minor", "currency", "reason", "saga")
    }
    everything = (await api.get("/api/orders", params={"limit": 1000})).json()["items"]
    assert not {"o-list-4", "o-list-5"} & {item["order_id"] for item in everything}
    assert (await api.get("/api/orders", params={"status": "LOST"})).status_code == 422


async def test_fulfilment_goes_one_step_at_a_time(saga: Saga) -> None:
    async def put(status: str) -> httpx.Response:
        return await saga.api.put(f"/api/orders/{saga.order_id}/status", json={"status": status})

    assert (await put("PROCESSING")).status_code == 404
    await saga("create")
    assert (await put("PROCESSING")).json()["code"] == "illegal_transition"
    await saga("confirm")
    assert (await put("SHIPPED")).json()["code"] == "illegal_transition"
    for status in ("PROCESSING", "SHIPPED", "DELIVERED"):
        for _ in range(2):
            assert (await put(status)).json()["status"] == status
    assert (await put("PROCESSING")).json()["code"] == "illegal_transition"
    assert (await put("CANCELLED")).status_code == 422
