"""What every participant makes of the headers of a call."""

import re

import pytest

from tests.contract.conftest import Stage


@pytest.mark.parametrize("direction", ["do", "undo"])
async def test_a_missing_key_is_answered_with_one_that_works(stage: Stage, order_id: str, direction: str) -> None:
    route = getattr(stage.participant, direction)
    answer = await stage.replicas[0].post(route.path, json=route.body(order_id))
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_required")
    shown = re.search(r"\S+/(do|undo)$", answer.json()["detail"])
    assert shown, answer.text
    again = await stage.replicas[0].post(route.path, json=route.body(order_id), headers={"Idempotency-Key": shown[0]})
    assert again.status_code == 200, again.text


@pytest.mark.parametrize(
    "key",
    [
        "x",
        "shop/{id}/payment",
        "shop/{id}/nothing/do",
        "shop//payment/do",
        "shop/{id}/payment/do/x",
        "Shop/{id}/payment/do",
    ],
)
async def test_a_malformed_key_is_refused(stage: Stage, order_id: str, key: str) -> None:
    answer = await stage.do(order_id, headers={"Idempotency-Key": key.format(id=order_id)})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert not await stage.is_live(order_id)


async def test_a_key_for_another_order_is_refused(stage: Stage, order_id: str) -> None:
    answer = await stage.do(order_id, headers={"Idempotency-Key": stage.participant.do.key("o-other")})
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
    assert stage.participant.do.key(order_id) in answer.json()["detail"]


async def test_another_namespace_has_no_second_effect(stage: Stage, order_id: str) -> None:
    await stage.do(order_id)
    for route in (stage.participant.do, stage.participant.undo):
        answer = await stage.call(route, order_id, headers={"Idempotency-Key": route.key(order_id, "elsewhere")})
        assert (answer.status_code, answer.json()["code"]) == (409, "order_id_used")
    assert await stage.is_live(order_id)


async def test_a_stale_epoch_is_refused_and_nothing_is_stored(stage: Stage, order_id: str) -> None:
    assert (await stage.do(order_id, headers={"Saga-Epoch": "7"})).status_code == 200
    stale = await stage.undo(order_id, headers={"Saga-Epoch": "6"})
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_epoch")
    assert await stage.is_live(order_id)
    assert (await stage.do(order_id)).status_code == 200, "without an epoch nothing is checked"


async def test_a_replay_raises_the_epoch(stage: Stage, order_id: str) -> None:
    await stage.do(order_id, headers={"Saga-Epoch": "7"})
    assert (await stage.do(order_id, headers={"Saga-Epoch": "9"})).status_code == 200
    assert (await stage.do(order_id, headers={"Saga-Epoch": "8"})).status_code == 412
    assert (await stage.do(order_id, headers={"Saga-Epoch": "9"})).status_code == 200


async def test_an_unknown_field_is_invalid(stage: Stage, order_id: str) -> None:
    body = {**stage.participant.do.body(order_id), "surprise": 1}
    answer = await stage.do(order_id, body=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert "surprise" in answer.json()["detail"]


async def test_broken_json_is_invalid(stage: Stage, order_id: str) -> None:
    headers = {"Idempotency-Key": stage.participant.do.key(order_id), "Content-Type": "application/json"}
    answer = await stage.replicas[0].post(stage.participant.do.path, content=b'{"order_id": ', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_correlation_id_comes_back(stage: Stage, order_id: str) -> None:
    answer = await stage.do(order_id, headers={"X-Correlation-ID": "abc-1"})
    assert answer.headers["x-correlation-id"] == "abc-1"
    assert (await stage.undo(order_id)).headers["x-correlation-id"]
