"""The ledger of a test provider: one entry for each key, whatever dies in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from common.mongo import Database, Document, Mongo, Session
from common.shop.ledger import FORMER_REQUESTS, LEDGER, Ledger
from common.wire import utcnow
from tests.support.service_client import fresh, own_databases


@pytest.fixture(scope="module")
async def mongo(mongodb_url: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongodb_url)
    yield mongo
    await mongo.close()


@pytest.fixture(scope="module")
async def database(mongodb_url: str, mongo: Mongo) -> AsyncIterator[Database]:
    with own_databases(mongodb_url, "ledger") as settings:
        database = mongo[f"{settings.database_prefix}payment"]
        await Ledger(database).once("warm-up", "o-warm-up", "charge")  # makes the collections
        yield database


async def entries(database: Database, order_id: str) -> list[tuple[str, int]]:
    return [(entry["kind"], entry["amount_minor"]) for entry in await database[LEDGER].find({"order_id": order_id})]


async def test_calls_at_the_same_time_make_one_entry(database: Database) -> None:
    order_id, replicas = fresh("o"), [Ledger(database) for _ in range(8)]
    appended = await asyncio.gather(*(it.once(f"{order_id}/charge", order_id, "charge", 2500) for it in replicas))
    assert sorted(appended) == [False] * 7 + [True]
    assert await entries(database, order_id) == [("charge", 2500)]


async def test_a_call_that_dies_before_its_entry_leaves_nothing_and_the_next_one_makes_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, ledger = fresh("o"), Ledger(database)

    async def die(_: Document, *, session: Session = None) -> None:
        raise ConnectionError("the process is killed here")

    with monkeypatch.context() as patched:
        patched.setattr(ledger._entries, "insert", die)
        with pytest.raises(ConnectionError):
            await ledger.once(f"{order_id}/charge", order_id, "charge", 2500)
    assert await entries(database, order_id) == []
    assert await ledger.once(f"{order_id}/charge", order_id, "charge", 2500)
    assert await entries(database, order_id) == [("charge", 2500)]


async def test_an_accepted_key_is_settled_once(database: Database) -> None:
    order_id, ledger = fresh("o"), Ledger(database)
    key, due = f"{order_id}/charge", utcnow() + timedelta(seconds=2)
    assert await ledger.accept(key, order_id, 2500, due)
    assert not await ledger.accept(key, order_id, 2500, due), "its time doesn't begin again"
    assert await entries(database, order_id) == []
    assert await ledger.settles_at(key) == due
    assert await ledger.once(key, order_id, "charge", 2500)
    assert not await ledger.once(key, order_id, "charge", 2500)
    assert await ledger.settles_at(key) is None
    assert await entries(database, order_id) == [("charge", 2500)]


async def test_keys_of_one_order_have_an_entry_each(database: Database) -> None:
    order_id, ledger = fresh("o"), Ledger(database)
    for kind in ("booking", "cancellation", "booking"):
        await ledger.once(f"{order_id}/{kind}", order_id, kind)
    assert await entries(database, order_id) == [("booking", 0), ("cancellation", 0)]


async def test_nothing_happens_under_a_key_that_was_withdrawn(database: Database) -> None:
    order_id, ledger = fresh("o"), Ledger(database)
    key, sent = f"{order_id}/late", f"{order_id}/sent"
    assert await ledger.withdraw(key, order_id)
    assert not await ledger.once(key, order_id, "message")
    assert await ledger.withdraw(key, order_id), "however often it is asked"
    assert await ledger.once(sent, order_id, "message")
    assert not await ledger.withdraw(sent, order_id), "it has gone"
    assert await entries(database, order_id) == [("message", 0)]


async def test_a_key_that_the_release_before_has_accepted_is_settled(database: Database) -> None:
    order_id, ledger, due = fresh("o"), Ledger(database), utcnow()
    key = f"{order_id}/charge"
    kept = {"_id": key, "order_id": order_id, "amount_minor": 2500, "settles_at": due, "status": "processing"}
    await database[FORMER_REQUESTS].insert(kept)
    assert await ledger.settles_at(key) == due
    assert await ledger.once(key, order_id, "charge", 2500)
    assert await ledger.has(order_id, key)
