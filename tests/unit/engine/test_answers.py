"""What the operator makes of an answer, whoever gave it: the participant, a gateway before it, or nobody it knows."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.exchange import Answer
from common.wire import Json
from saga_operator.engine.calls.answers import Call, outcome_of
from saga_operator.engine.calls.breaker import DOWN
from saga_operator.process.events import (
    AlreadyConfirmed,
    DoRefused,
    EpochRefused,
    InProgress,
    NoUsableAnswer,
    OrderIDUsed,
    Outcome,
    Succeeded,
    Undone,
)
from saga_operator.process.steps import BY_NAME

ORDER = "o-1"
PAGE = "<html><head><title>404 Not Found</title></head><body>nginx</body></html>"


def outcome(status: int, body: Any, *, step: str = "payment", undo: bool = False, **headers: str) -> Outcome:
    """What this answer means; `body`: text for a page, anything else as JSON."""
    media = "text/html; charset=utf-8" if isinstance(body, str) else "application/json"
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    named = {"Content-Type": media, **{name.replace("_", "-"): value for name, value in headers.items()}}
    call = Call(BY_NAME[step], undo, ORDER, 1.0, lambda: 2.0, lambda: 0.5)
    return outcome_of(call, Answer(status, {name.title(): value for name, value in named.items()}, raw, "Words"))


def problem(code: str) -> Json:
    return {"code": code, "detail": "why", "retryable": False}


def test_a_document_that_cannot_be_read_is_the_trouble_of_its_own_order() -> None:
    """It says nothing of the participant; an undo of it is given up, since no time mends it."""
    for undo in (False, True):
        for step in ("payment", "confirmation"):
            got = outcome(500, problem("document_unreadable"), step=step, undo=undo)
            assert isinstance(got, NoUsableAnswer)
            assert (got.reason, got.refused) == ("DocumentUnreadable", undo)
            assert got.reason not in DOWN
    other = outcome(500, problem("internal"), undo=True)
    assert isinstance(other, NoUsableAnswer)
    assert not other.refused


@pytest.mark.parametrize("undo", [False, True])
@pytest.mark.parametrize(
    "status",
    [204, 206, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 407, 409, 410, 412, 413, 415, 418, 422,
     429, 431, 451, 500, 502, 503, 504, 511, 520, 599, 600],
)  # fmt: skip
def test_an_answer_without_a_problems_code_is_nobodys_word(status: int, undo: bool) -> None:
    bodies = [PAGE, "", "null", {}, [], {"message": "no Route matched with those values"}, {"code": 404},
              {"code": "NOT_FOUND"}, {"code": ""}, {"code": None}, {"code": ["x"]}]  # fmt: skip
    for body in bodies:
        if status == 409 and body == {"code": "NOT_FOUND"}:
            continue  # no gateway answers 409 by itself
        found = outcome(status, body, undo=undo)
        assert isinstance(found, NoUsableAnswer)
        assert found.reason == "Unavailable"
        assert "gateway" in found.message


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, "idempotency_key_required", "ParticipantError"),
        (401, "unauthenticated", "NotAuthorized"),
        (403, "not_allowed", "NotAuthorized"),
        (404, "not_found", "ParticipantError"),
        (413, "too_large", "ParticipantError"),
        (422, "invalid", "ParticipantError"),
        (422, "key_reused", "ParticipantError"),
        (408, "timeout", "Unavailable"),
        (425, "early", "Unavailable"),
        (429, "too_many", "Unavailable"),
        (500, "internal", "Unavailable"),
        (503, "unavailable", "Unavailable"),
    ],
)
def test_a_problem_is_the_participants_word(status: int, code: str, reason: str) -> None:
    found = outcome(status, problem(code), Retry_After="7")
    assert isinstance(found, NoUsableAnswer)
    assert (found.reason, found.retry_after) == (reason, 7.0)


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize(
    "body",
    [PAGE, json.dumps({"order_id": ORDER}), "", [], "null", [{"order_id": ORDER}], {}, {"status": "ok"},
     {"order_id": "o-2"}, {"order_id": None}, {"order_id": [ORDER]}],
)  # fmt: skip
def test_a_success_that_does_not_name_the_order_is_no_answer(status: int, body: object) -> None:
    """Text that happens to be JSON is a page as well: the media type says so."""
    for undo in (False, True):
        found = outcome(status, body, undo=undo)
        assert isinstance(found, NoUsableAnswer)
        assert found.reason == "NoAnswer"


@pytest.mark.parametrize("effect", [None, "", "maybe", True, 1, ["undone"]])
def test_an_undo_without_its_effect_is_not_done(effect: object) -> None:
    for body in ({"order_id": ORDER}, {"order_id": ORDER, "effect": effect}):
        found = outcome(200, body, undo=True)
        assert isinstance(found, NoUsableAnswer)


def test_a_success_is_believed() -> None:
    done = outcome(201, {"order_id": ORDER, "payment_id": "pay-1"})
    assert isinstance(done, Succeeded)
    assert done.external_id == "pay-1"
    undone = outcome(200, {"order_id": ORDER, "effect": "none"}, undo=True)
    assert isinstance(undone, Undone)
    assert (undone.effect, undone.closed) == ("none", False)
    closed = outcome(200, {"order_id": ORDER, "effect": "undone", "closed": True}, step="confirmation", undo=True)
    assert isinstance(closed, Undone)
    assert closed.closed


def test_a_409_with_a_code_is_a_decision() -> None:
    refused = outcome(409, problem("card_declined"))
    assert isinstance(refused, DoRefused)
    assert refused.reason == "CardDeclined"
    assert isinstance(outcome(409, problem("running")), InProgress)
    assert isinstance(outcome(409, problem("already_confirmed"), step="confirmation", undo=True), AlreadyConfirmed)
    assert isinstance(outcome(409, problem("order_id_used"), step="order"), OrderIDUsed)
    assert isinstance(outcome(422, problem("key_reused"), step="order"), OrderIDUsed)
    others = outcome(409, problem("order_id_used"), undo=True)
    assert isinstance(others, Undone)
    assert others.effect == "none"
    failed = outcome(409, problem("provider_refused"), undo=True)
    assert isinstance(failed, NoUsableAnswer)
    assert failed.reason == "ProviderRefused"


@pytest.mark.parametrize(
    ("status", "code", "told", "seen", "clock"),
    [
        (412, "stale_epoch", {}, None, None),
        (412, "stale_epoch", {"epoch": 17}, 17, None),
        (412, "stale_epoch", {"epoch": 2**63}, None, None),
        (412, "stale_epoch", {"epoch": -1}, None, None),
        (412, "stale_epoch", {"epoch": "17"}, None, None),
        (412, "stale_epoch", {"epoch": True}, None, None),
        (422, "epoch_ahead", {"clock": 1_800_000_000_000}, None, 1_800_000_000_000),
        (422, "epoch_ahead", {"clock": None}, None, None),
    ],
)
def test_an_epoch_that_was_refused_comes_with_what_the_participant_knows(
    status: int, code: str, told: dict[str, object], seen: int | None, clock: int | None
) -> None:
    found = outcome(status, {**problem(code), **told})
    assert isinstance(found, EpochRefused)
    assert (found.seen, found.clock) == (seen, clock)
    assert "why" in found.message


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("/api/payments/operations/o-1/do", "/api/payments/operations/o-1/do"),
        ("//elsewhere/x", ""),
        ("http://elsewhere/x", ""),
        ("/a b", ""),
        ("/a\nb", ""),
        ("/ü", ""),
        ("/" + "x" * 2000, ""),
        ("", ""),
    ],
)
def test_a_202_is_followed_at_a_path_of_its_own_only(location: str, kept: str) -> None:
    found = outcome(202, {"order_id": ORDER}, Location=location)
    assert isinstance(found, InProgress)
    assert found.location == kept


def test_a_202_of_a_gateway_is_no_progress() -> None:
    assert isinstance(outcome(202, PAGE), NoUsableAnswer)
    assert isinstance(outcome(202, {"order_id": "o-2"}), NoUsableAnswer)
    assert isinstance(outcome(202, "", Location="/api/payments/operations/o-1/do"), InProgress)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3.0), ("0.5", 0.5), ("-1", None), ("inf", None), ("nan", None), ("1e999", None), ("x", None)],
)
def test_a_retry_after_is_a_finite_number(text: str, seconds: float | None) -> None:
    found = outcome(503, problem("unavailable"), Retry_After=text)
    assert isinstance(found, NoUsableAnswer)
    assert found.retry_after == seconds


ANY_BODY = st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.just(ORDER),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["order_id", "code", "detail", "effect", "closed", "payment_id"]), inner)
    ),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode())
MEDIA = st.sampled_from(
    ["application/json", "application/problem+json", "APPLICATION/JSON; x=y", "text/html", "", "+json"]
)


@given(
    status=st.integers(100, 999),
    body=ANY_BODY,
    headers=st.fixed_dictionaries(
        {"Content-Type": MEDIA, "Retry-After": st.text(max_size=8), "Location": st.text(max_size=20)}
    ),
    undo=st.booleans(),
    step=st.sampled_from(sorted(BY_NAME)),
)
def test_anything_may_be_answered_and_only_a_success_that_names_the_order_counts_as_one(
    status: int, body: bytes, headers: dict[str, str], undo: bool, step: str
) -> None:
    call = Call(BY_NAME[step], undo, ORDER, 1.0, lambda: 2.0, lambda: 0.5)
    found = outcome_of(call, Answer(status, headers, body))
    if isinstance(found, Succeeded | Undone):
        assert status in (200, 201)
        assert json.loads(body)["order_id"] == ORDER
    elif not isinstance(found, NoUsableAnswer | InProgress):
        assert json.loads(body)["code"]


def test_a_body_nested_too_deeply_is_no_answer() -> None:
    deep = b"[" * 60_000
    call = Call(BY_NAME["payment"], False, ORDER, 1.0, lambda: 2.0, lambda: 0.5)
    assert isinstance(outcome_of(call, Answer(200, {"Content-Type": "application/json"}, deep)), NoUsableAnswer)


WRITTEN = "Sat, 28 Nov 2026 23:59:50 GMT"


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        ("Sun, 29 Nov 2026 00:01:50 GMT", 120.0),
        ("Sat, 28 Nov 2026 23:00:00 GMT", None),
        ("Sun, 29 Nov 2026 00:01:50 -0000", None),
        ("tomorrow", None),
    ],
)
def test_a_gateway_may_say_at_which_date_to_call_again(asked: str, wait: float | None) -> None:
    """By its own clock: the answer's Date says what time that has."""
    found = outcome(503, problem("unavailable"), Retry_After=asked, Date=WRITTEN)
    assert isinstance(found, NoUsableAnswer)
    assert found.retry_after == wait
    without = outcome(503, problem("unavailable"), Retry_After=asked)
    assert isinstance(without, NoUsableAnswer)
    assert without.retry_after is None
