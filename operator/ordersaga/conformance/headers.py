"""Claims about what travels with a call: key, epoch, correlation id, body, and the shape of problems."""

import re

from ordersaga.conformance.claims import Claim
from ordersaga.conformance.subject import Direction
from ordersaga.conformance.trial import BrokenError, Trial, expect, expect_success

_DIRECTIONS: tuple[Direction, ...] = ("undo", "do")
_KEY = re.compile(r"[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9]*/[a-z]+/(do|undo)")


async def missing_key(trial: Trial) -> None:
    """Without Idempotency-Key."""
    for direction in _DIRECTIONS:
        order_id, when = trial.new_order(), f"{direction} without Idempotency-Key"
        answer = expect(await trial.call(direction, order_id, key=""), 400, "idempotency_key_required", when)
        shown = _KEY.search(answer.detail)
        expected = trial.subject.route(direction).key(order_id, trial.subject.namespace).partition("/")[2]
        if shown is None or shown[0].partition("/")[2] != expected:
            raise BrokenError(f"{when}: the detail has to show a key that works, got {answer.detail!r}")
        await trial.expect_live(order_id, False, when)


async def malformed_key(trial: Trial) -> None:
    """With keys that don't fit."""
    for wrong in (
        "x",
        "shop/{}/do",
        "shop/{}/nothing/do",
        "shop//{step}/do",
        "shop/{}/{step}/do/x",
        "Shop/{}/{step}/do",
    ):
        order_id = trial.new_order()
        key = wrong.format(order_id, step=trial.subject.do.step)
        expect(await trial.do(order_id, key=key), 400, "idempotency_key_invalid", f"do with the key {key!r}")
        await trial.expect_live(order_id, False, f"do with the key {key!r}")


async def other_orders_key(trial: Trial) -> None:
    """Key and body name different orders."""
    order_id, other = trial.new_order(), trial.new_order()
    key = trial.subject.do.key(other, trial.subject.namespace)
    when = f"do with the key of order {other} and the body of order {order_id}"
    expect(await trial.do(order_id, key=key), 400, "idempotency_key_invalid", when)
    for each in (order_id, other):
        await trial.expect_live(each, False, when)


async def other_namespace(trial: Trial) -> None:
    """The same order id in another namespace."""
    order_id, when = trial.new_order(), "do, then a call of another namespace"
    expect_success(await trial.settled("do", order_id), "do")
    for direction in _DIRECTIONS:
        key = trial.subject.route(direction).key(order_id, "elsewhere")
        expect(await trial.call(direction, order_id, key=key), 409, "order_id_used", f"{when} ({direction})")
    await trial.expect_live(order_id, True, when)
    await trial.expect_ledger(order_id, when, lengths=(0, 1))


async def stale_epoch(trial: Trial) -> None:
    """do at epoch 7, undo at epoch 6"""
    order_id = trial.new_order()
    await _at(trial, order_id, 7)
    stale = await trial.undo(order_id, headers={"Saga-Epoch": "6"})
    expect(stale, 412, "stale_epoch", "do at epoch 7, undo at epoch 6")
    await trial.expect_live(order_id, True, "do at epoch 7, undo at epoch 6")
    expect_success(await trial.do(order_id), "a call without an epoch")


async def raised_epoch(trial: Trial) -> None:
    """do at epoch 7, replay at 9, replay at 8, replay at 9"""
    order_id = trial.new_order()
    for epoch in (7, 9):
        await _at(trial, order_id, epoch)
    stale = await trial.do(order_id, headers={"Saga-Epoch": "8"})
    expect(stale, 412, "stale_epoch", "do at epoch 7, repeated at 9, repeated at 8")
    await _at(trial, order_id, 9)


async def stale_undo(trial: Trial) -> None:
    """undo at epoch 7, do at epoch 6"""
    order_id = trial.new_order()
    answer = await trial.undo(order_id, headers={"Saga-Epoch": "7"})
    expect_success(answer, "undo at epoch 7")
    expect(await trial.do(order_id, headers={"Saga-Epoch": "6"}), 412, "stale_epoch", "undo at epoch 7, do at epoch 6")
    await trial.expect_live(order_id, False, "undo at epoch 7, do at epoch 6")


async def _at(trial: Trial, order_id: str, epoch: int) -> None:
    answer = await trial.do(order_id, headers={"Saga-Epoch": str(epoch)})
    if answer.status == 202 or answer.running:
        answer = await trial.settled("do", order_id)
    expect_success(answer, f"do at epoch {epoch}")


async def unknown_field(trial: Trial) -> None:
    """A body with one field too many."""
    for direction in _DIRECTIONS:
        order_id, when = trial.new_order(), f"{direction} with a field that nobody knows"
        answer = expect(await trial.call(direction, order_id, extra={"surprise": 1}), 422, "invalid", when)
        if "surprise" not in answer.detail:
            raise BrokenError(f"{when}: the detail has to name the field, got {answer.detail!r}")
        await trial.expect_live(order_id, False, when)


async def broken_body(trial: Trial) -> None:
    """Bodies that aren't JSON, or no object."""
    for raw in ('{"order_id": ', "[]", ""):
        order_id = trial.new_order()
        expect(await trial.do(order_id, raw=raw), (400, 422), "invalid", f"do with the body {raw!r}")
        await trial.expect_live(order_id, False, f"do with the body {raw!r}")


async def correlation(trial: Trial) -> None:
    """X-Correlation-ID comes back; without one there is a new one."""
    order_id = trial.new_order()
    answer = await trial.do(order_id, headers={"X-Correlation-ID": "abc-1"})
    if answer.headers.get("x-correlation-id") != "abc-1":
        raise BrokenError("X-Correlation-ID: abc-1 was sent, and didn't come back")
    if not (await trial.do(order_id)).headers.get("x-correlation-id"):
        raise BrokenError("a call without X-Correlation-ID has to be given one")


async def problems(trial: Trial) -> None:
    """Everything that isn't a success is problem+json."""
    order_id = trial.new_order()
    await trial.settled("undo", order_id)
    for answer, what in (
        (await trial.do(order_id), "a late do"),
        (await trial.do(order_id, key=""), "a call without a key"),
        (await trial.do(order_id, key="x"), "a call with a malformed key"),
        (await trial.do(trial.new_order(), extra={"surprise": 1}), "an unknown field"),
        (await trial.do(trial.new_order(), raw="{"), "a body that isn't JSON"),
    ):
        # Whether it is refused at all is another claim's question.
        if answer.status >= 400 and (wrong := answer.misshapen()):
            raise BrokenError(f"{what} ({answer.said()}): {wrong}")


CLAIMS = (
    Claim(
        "problems",
        "Every answer that isn't a success is problem+json with code, detail and retryable.",
        "the operator decides by `code`, and shows `detail` to a person",
        problems,
    ),
    Claim(
        "missing-key",
        "A POST without Idempotency-Key is 400 idempotency_key_required, and the detail shows a key that works.",
        "without a key a repetition can't be told from a second call",
        missing_key,
    ),
    Claim(
        "malformed-key",
        "A key that doesn't fit the route is 400 idempotency_key_invalid.",
        "a key of another step would be answered with that step's result",
        malformed_key,
    ),
    Claim(
        "other-orders-key",
        "A key and a body that name different orders are 400 idempotency_key_invalid.",
        "an effect would be recorded under one order and belong to the other",
        other_orders_key,
    ),
    Claim(
        "other-namespace",
        "An effect belongs to its order: another namespace's key for it is 409 order_id_used.",
        "one installation serves one namespace; a copy of the resource elsewhere would do or undo it again",
        other_namespace,
    ),
    Claim(
        "stale-epoch",
        "An epoch that is lower than one seen for the order is 412 stale_epoch, and nothing happens.",
        "an operator that lost its Lease without noticing would go on beside its successor",
        stale_epoch,
    ),
    Claim(
        "raised-epoch",
        "A repeated call raises the epoch, too.",
        "the successor's first calls are repetitions: after them its predecessor has to be refused",
        raised_epoch,
    ),
    Claim(
        "stale-undo",
        "An undo raises the epoch as well, also one that found nothing.",
        "a predecessor's do would be taken for a fresh one",
        stale_undo,
    ),
    Claim(
        "unknown-field",
        "An unknown field is 422 invalid, and the detail names it.",
        "a misspelt field would be ignored, and the order would be carried out without it",
        unknown_field,
    ),
    Claim(
        "broken-body",
        "A body that isn't a JSON object is 422 (or 400) invalid.",
        "a 500 is asked again and again, and means that the participant is ill",
        broken_body,
    ),
    Claim(
        "correlation",
        "X-Correlation-ID comes back in the answer.",
        "nobody could find the participant's log lines of an order",
        correlation,
    ),
)  # fmt: skip
