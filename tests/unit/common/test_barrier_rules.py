"""The barrier's decisions: pure functions of a document and a call."""

from dataclasses import replace
from typing import Any

import pytest

from common.barrier import rules
from common.barrier.rules import Answer, Call, Done, Write
from common.barrier.state import BarrierState, Operation
from common.errors import Refused


def call(
    operation: str = "do", *, fingerprint: str = "body", epoch: int | None = None, namespace: str = "shop"
) -> Call:
    return Call(f"{namespace}/o-1/payment/{operation}", namespace, "o-1", operation, fingerprint, epoch)


def book(document: Any) -> Done:
    return Done({"order_id": "o-1", "status": "booked"}, {"order_id": "o-1", "status": "booked"})


def take_back(document: Any) -> Done:
    return Done({"status": "cancelled"}, {"order_id": "o-1", "status": "cancelled"})


def refuse(document: Any) -> Done:
    raise Refused("out_of_stock", "order o-1: too few mugs", fields={"status": "refused"})


def written(document: dict[str, Any] | None, decision: Any) -> dict[str, Any]:
    """The document after a decision."""
    assert isinstance(decision, Write), decision
    return {**(document or {"_id": "o-1"}), **decision.fields, "barrier": decision.state.to_document()}


def booked(epoch: int | None = None) -> dict[str, Any]:
    return written(None, rules.do(call(epoch=epoch), None, book))


def code(decision: Any) -> str:
    answer = decision.answer if isinstance(decision, Write) else decision
    found: str = answer.body["code"]
    return found


def test_a_first_do_is_one_write_with_its_answer_stored() -> None:
    decision = rules.do(call(), None, book)
    assert isinstance(decision, Write)
    assert (decision.answer.status, decision.effect, decision.state.version) == (200, True, 1)
    assert decision.state.get("do") == Operation("body", "answered", 200, decision.answer.body)


def test_a_replay_writes_nothing() -> None:
    assert rules.do(call(), booked(), refuse) == Answer(200, {"order_id": "o-1", "status": "booked"})


def test_a_refusal_is_stored_and_replayed() -> None:
    refused = written(None, rules.do(call(), None, refuse))
    assert refused["status"] == "refused"
    replay = rules.do(call(), refused, book)
    assert isinstance(replay, Answer)
    assert (replay.status, replay.body["code"], replay.body["order_id"]) == (409, "out_of_stock", "o-1")


def test_the_undo_of_a_refusal_finds_nothing_and_leaves_a_tombstone() -> None:
    refused = written(None, rules.do(call(), None, refuse))
    decision = rules.undo(call("undo"), refused, take_back)
    assert isinstance(decision, Write)
    assert (decision.answer.body["effect"], decision.effect, decision.state.tombstone) == ("none", False, True)


def test_an_undo_that_is_refused_stores_nothing_and_leaves_no_tombstone() -> None:
    decision = rules.undo(call("undo"), booked(), refuse)
    assert isinstance(decision, Answer)
    assert (decision.status, decision.body["code"]) == (409, "out_of_stock")


def test_content_outranks_the_tombstone() -> None:
    """Somebody else's order under the same id must not be told that it was rolled back: it never was."""
    undone = written(booked(), rules.undo(call("undo"), booked(), take_back))
    assert code(rules.do(call(fingerprint="other"), undone, book)) == "key_reused"
    assert code(rules.do(call(), undone, book)) == "compensated"


def test_the_epoch_comes_before_everything() -> None:
    document = booked(epoch=7)
    for late in (call(epoch=6), call(epoch=6, fingerprint="other"), call(epoch=6, namespace="elsewhere")):
        answer = rules.do(late, document, book)
        assert isinstance(answer, Answer)
        assert (answer.status, answer.body["code"], answer.body["epoch"]) == (412, "stale_epoch", 7)


def test_a_higher_epoch_is_raised_with_whatever_is_answered() -> None:
    document = booked(epoch=7)
    raised = rules.do(call(epoch=8), document, book)
    assert isinstance(raised, Write)
    assert (raised.state.epoch, raised.answer.status, raised.effect) == (8, 200, False)
    assert isinstance(rules.do(call(epoch=7), document, book), Answer)
    assert isinstance(rules.do(call(), document, book), Answer)


def test_another_namespace_gets_nothing() -> None:
    assert code(rules.do(call(namespace="elsewhere"), booked(), book)) == "order_id_used"
    assert code(rules.undo(call("undo", namespace="elsewhere"), booked(), take_back)) == "order_id_used"


@pytest.mark.parametrize("progress", ["running", "pending", "answered"])
def test_a_barrier_state_survives_the_database(progress: Any) -> None:
    kept = {"status": 200, "body": {"a": 1}} if progress == "answered" else {"token": "t"}
    operation = Operation("body", progress, **kept)
    state = BarrierState(version=3, namespace="shop", epoch=9, tombstone=True).with_operation("do", operation)
    document = {"barrier": state.to_document()}
    assert BarrierState.of(document) == state
    assert document["barrier"].get("waiting", False) == (progress == "pending")


@pytest.mark.parametrize("call_epoch", [None, 50, 150])
def test_a_stored_epoch_that_no_operator_can_have_yet_is_not_believed(call_epoch: int | None) -> None:
    poisoned = booked(epoch=1_000)
    undo = replace(call("undo", epoch=call_epoch), newest_epoch=200)
    decision = rules.undo(undo, poisoned, take_back)
    assert isinstance(decision, Write)
    assert (decision.answer.body["effect"], decision.state.epoch) == ("undone", call_epoch or 0)
    replayed = rules.do(replace(call(epoch=150), newest_epoch=200), poisoned, book)
    assert isinstance(replayed, Write), "the epoch that is right takes the place of the wrong one"
    assert replayed.state.epoch == 150
