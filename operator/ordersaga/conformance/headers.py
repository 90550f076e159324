"""What travels with a call: key, epoch, correlation id, body, and the shape of problems."""

import re
import time
from collections.abc import Callable
from typing import Final

from ordersaga.conformance.exchange import Exchange
from ordersaga.conformance.subject import Direction
from ordersaga.conformance.trial import BrokenError, Trial, expect, expect_success

A_DAY: Final = 24 * 60 * 60 * 1000
"""Milliseconds: more than any two clocks differ by, and far more than the ten minutes that are allowed."""
_DIRECTIONS: tuple[Direction, ...] = ("undo", "do")
_JSON = re.compile(r"application/[^ ;]+\+json")
_KEY = re.compile(r"[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9]*/[a-z]+/(do|undo)")


async def missing_key(trial: Trial) -> None:
    """do and undo without Idempotency-Key"""
    for direction in _DIRECTIONS:
        order_id, when = trial.new_order(), f"{direction} without Idempotency-Key"
        answer = expect(await trial.call(direction, order_id, key=""), 400, "idempotency_key_required", when)
        shown = _KEY.search(answer.detail)
        expected = trial.subject.route(direction).key(order_id, trial.subject.namespace).partition("/")[2]
        if shown is None or shown[0].partition("/")[2] != expected:
            raise BrokenError(f"{when}: the detail has to show a key that works, got {answer.detail!r}")
        await trial.expect_live(order_id, False, when)


async def malformed_key(trial: Trial) -> None:
    """do with keys that don't fit the route"""
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
    """do whose key and body name different orders"""
    order_id, other = trial.new_order(), trial.new_order()
    key = trial.subject.do.key(other, trial.subject.namespace)
    when = f"do with the key of order {other} and the body of order {order_id}"
    expect(await trial.do(order_id, key=key), 400, "idempotency_key_invalid", when)
    for each in (order_id, other):
        await trial.expect_live(each, False, when)


async def other_namespace(trial: Trial) -> None:
    """do, then do and undo with a key of another namespace"""
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


async def named_epoch(trial: Trial) -> None:
    """do at epoch 7, undo at epoch 6: which epoch was seen?"""
    order_id, when = trial.new_order(), "do at epoch 7, undo at epoch 6"
    await _at(trial, order_id, 7)
    stale = expect(await trial.undo(order_id, headers={"Saga-Epoch": "6"}), 412, "stale_epoch", when)
    _require_member(stale, "epoch", when, "7", lambda told: told == 7)


async def epoch_ahead(trial: Trial) -> None:
    """do at an epoch a day ahead of the clock, then at epoch 7"""
    order_id, when = trial.new_order(), "do at an epoch a day ahead of the clock"
    epoch = str(int(time.time() * 1000) + A_DAY)
    ahead = expect(await trial.do(order_id, headers={"Saga-Epoch": epoch}), 422, "epoch_ahead", when)
    _require_member(ahead, "clock", when, "your time in milliseconds since 1970", lambda told: 0 < told < int(epoch))
    await trial.expect_live(order_id, False, when)
    await _at(trial, order_id, 7)


def _require_member(answer: Exchange, name: str, when: str, what: str, fits: Callable[[int], bool]) -> None:
    told = answer.answer.get(name) if isinstance(answer.answer, dict) else None
    if type(told) is not int or not fits(told):
        raise BrokenError(f"{when}: the problem's member {name} has to be {what}, got {told!r}")


async def _at(trial: Trial, order_id: str, epoch: int) -> None:
    answer = await trial.do(order_id, headers={"Saga-Epoch": str(epoch)})
    if answer.status == 202 or answer.running:
        answer = await trial.settled("do", order_id)
    expect_success(answer, f"do at epoch {epoch}")


async def unknown_field(trial: Trial) -> None:
    """do and undo with a field that the participant doesn't know"""
    for direction in _DIRECTIONS:
        order_id, when = trial.new_order(), f"{direction} with an unknown field"
        answer = expect(await trial.call(direction, order_id, extra={"surprise": 1}), 422, "invalid", when)
        if "surprise" not in answer.detail:
            raise BrokenError(f"{when}: the detail has to name the field, got {answer.detail!r}")
        await trial.expect_live(order_id, False, when)


async def broken_body(trial: Trial) -> None:
    """do with bodies that aren't JSON, or not an object"""
    for raw in ('{"order_id": ', "[]", ""):
        order_id = trial.new_order()
        expect(await trial.do(order_id, raw=raw), (400, 422), "invalid", f"do with the body {raw!r}")
        await trial.expect_live(order_id, False, f"do with the body {raw!r}")


async def correlation(trial: Trial) -> None:
    """do with and without X-Correlation-ID: the answer has one in either case"""
    order_id = trial.new_order()
    answer = await trial.do(order_id, headers={"X-Correlation-ID": "abc-1"})
    if answer.headers.get("x-correlation-id") != "abc-1":
        raise BrokenError("X-Correlation-ID: abc-1 was sent, and did not come back")
    if not (await trial.do(order_id)).headers.get("x-correlation-id"):
        raise BrokenError("the answer to a call without X-Correlation-ID has to have a new one")


async def names_order(trial: Trial) -> None:
    """do, undo: each success is JSON that names its order, and the undo's has its effect"""
    order_id = trial.new_order()
    for direction in reversed(_DIRECTIONS):
        if not trial.subject.takes_back:
            order_id = trial.new_order()  # its undo finds nothing
        answer = expect_success(await trial.settled(direction, order_id), direction)
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        if media_type != "application/json" and not _JSON.fullmatch(media_type):
            raise BrokenError(f"{direction}: the media type has to be application/json, got {media_type or 'none'}")
        if answer.answer.get("order_id") != order_id:
            named = answer.answer.get("order_id")
            raise BrokenError(f'{direction}: the body has to have "order_id": "{order_id}", got {named!r}')
        if direction == "undo" and answer.effect not in ("undone", "none"):
            raise BrokenError(f'undo: the body has to have "effect": "undone" or "none", got {answer.effect!r}')


async def problems(trial: Trial) -> None:
    """calls that have to fail: each answer is problem+json"""
    order_id = trial.new_order()
    await trial.settled("undo", order_id)
    for answer, what in (
        (await trial.do(order_id), "a late do"),
        (await trial.do(order_id, key=""), "a call without a key"),
        (await trial.do(order_id, key="x"), "a call with a malformed key"),
        (await trial.do(trial.new_order(), extra={"surprise": 1}), "an unknown field"),
        (await trial.do(trial.new_order(), raw="{"), "a body that isn't JSON"),
    ):
        # Another promise says whether it has to be refused at all.
        if answer.status >= 400 and (wrong := answer.problem_fault()):
            raise BrokenError(f"{what} ({answer.summary()}): {wrong}")
