"""A process dies between its claim and its call of the provider, or between the provider's answer and its own.

The test writes into the database what such a process leaves behind: a claim whose lease has passed. If its participant
stays down for days, the provider has forgotten the keys (the `_id`s of the ledger), but not what it did.
"""

import uuid
from datetime import timedelta

import pytest

from common.wire import utcnow
from tests.contract.conftest import Stage

PAST, FUTURE = timedelta(seconds=-1), timedelta(seconds=10)


@pytest.fixture
def outside(stage: Stage) -> Stage:
    """Participants that make claims. The others have no such moment: their effect is one write."""
    if stage.participant.begun is None:
        pytest.skip(f"{stage.participant.name} claims nothing")
    return stage


@pytest.fixture
def outside_returning(outside: Stage, returning: Stage) -> Stage:
    return returning


async def die(stage: Stage, order_id: str, *, charged: bool, forgotten: bool = False, lease: timedelta = PAST) -> None:
    """Leave what a do leaves whose process was killed before the provider was asked or, if `charged`, afterwards; and
    if `forgotten`, so long ago that the provider has forgotten its key.
    """
    answer = await stage.do(order_id)
    assert answer.status_code == 200
    id = stage.participant.document_id(order_id)  # noqa: A001
    documents = stage.database[stage.participant.collection]
    document = await documents.find_one({"_id": id})
    assert document is not None
    claim = {
        "fingerprint": document["barrier"]["operations"]["do"]["fingerprint"],
        "state": "running",
        "token": "of-the-killed-process",
        "until": utcnow() + lease,
    }
    begun = stage.participant.begun or {}
    change = {"$set": {**begun, "barrier.operations.do": claim}, "$inc": {"barrier.version": 1}}
    unset = dict.fromkeys(stage.participant.not_yet, "")
    await documents.update({"_id": id}, {**change, "$unset": unset} if unset else change)
    if forgotten or not charged:
        await forget_keys(stage, order_id)
    if not charged:
        await stage.database["ledger"].delete({"order_id": order_id})


async def forget_keys(stage: Stage, order_id: str) -> None:
    """What a provider does after a day or two."""
    ledger = stage.database["ledger"]
    for entry in await ledger.find({"order_id": order_id}):
        await ledger.delete({"_id": entry["_id"]})
        await ledger.insert({**entry, "_id": uuid.uuid4().hex})


DEATHS = pytest.mark.parametrize(
    ("charged", "forgotten"), [(False, False), (True, False), (True, True)], ids=["before", "after", "days-after"]
)


@DEATHS
async def test_the_next_do_takes_over_and_there_is_one_effect(
    outside: Stage, order_id: str, charged: bool, forgotten: bool
) -> None:
    await die(outside, order_id, charged=charged, forgotten=forgotten)
    answer = await outside.do(order_id)
    assert answer.status_code == 200, answer.text
    assert await outside.is_live(order_id)
    assert len(await outside.ledger(order_id)) == 1
    assert (await outside.do(order_id)).json() == answer.json()


@DEATHS
async def test_the_next_undo_resolves_it_and_nothing_is_left(
    outside_returning: Stage, order_id: str, charged: bool, forgotten: bool
) -> None:
    stage = outside_returning
    await die(stage, order_id, charged=charged, forgotten=forgotten)
    answer = await stage.undo(order_id)
    assert (answer.status_code, answer.json()["effect"]) == (200, "undone"), answer.text
    assert not await stage.is_live(order_id)
    assert await stage.ledger(order_id) == list(stage.participant.kinds)
    assert (await stage.do(order_id)).json()["code"] == "compensated"


@pytest.mark.parametrize("traced", [True, False], ids=["killed", "answer-lost"])
async def test_an_undo_whose_process_died_days_ago_is_not_made_again(
    outside_returning: Stage, order_id: str, traced: bool
) -> None:
    """Whether its claim is still there, or was given back since the provider's answer got lost."""
    stage = outside_returning
    await stage.do(order_id)
    answer = await stage.undo(order_id)
    assert (answer.status_code, answer.json()["effect"]) == (200, "undone"), answer.text
    documents = stage.database[stage.participant.collection]
    where = {"_id": stage.participant.document_id(order_id)}
    document = await documents.find_one(where)
    assert document is not None
    operations = dict(document["barrier"]["operations"])
    fingerprint = operations.pop("undo")["fingerprint"]
    if traced:
        killed = {"state": "running", "token": "of-the-killed-process", "until": utcnow() + PAST}
        operations["undo"] = {"fingerprint": fingerprint, **killed}
    fields = {**stage.participant.undoing, "barrier.operations": operations}
    await documents.update(where, {"$set": fields, "$inc": {"barrier.version": 1}})
    await forget_keys(stage, order_id)

    assert (await stage.undo(order_id)).json() == answer.json()
    assert await stage.ledger(order_id) == list(stage.participant.kinds)


async def test_while_the_lease_lasts_others_are_told_to_wait(outside: Stage, order_id: str) -> None:
    await die(outside, order_id, charged=False, lease=FUTURE)
    answer = await outside.do(order_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "running")
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json()["retryable"] is True


async def test_an_undo_during_the_do_leaves_its_tombstone_at_once(outside: Stage, order_id: str) -> None:
    await die(outside, order_id, charged=False, lease=FUTURE)
    answer = await outside.undo(order_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "running")
    late = await outside.do(order_id)
    assert (late.status_code, late.json()["code"]) == (409, "compensated")


async def test_a_message_that_died_is_cancelled_without_being_sent(outside: Stage, order_id: str) -> None:
    if outside.participant.takes_back:
        pytest.skip("for participants that can't take back")
    await die(outside, order_id, charged=False)
    answer = await outside.undo(order_id)
    assert (answer.status_code, answer.json()["effect"]) == (200, "none"), answer.text
    assert await outside.ledger(order_id) == []


async def test_a_message_that_was_sent_days_ago_is_never_called_cancelled(outside: Stage, order_id: str) -> None:
    if outside.participant.takes_back:
        pytest.skip("for participants that can't take back")
    await die(outside, order_id, charged=True, forgotten=True)
    answer = await outside.undo(order_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "already_sent"), answer.text
    assert await outside.is_live(order_id)
