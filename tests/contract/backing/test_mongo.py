"""common.mongo does the same through PyMongo's client and through motor, its predecessor."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from common.mongo import Collection, Database, DuplicateKeyError, Index, Mongo, Session
from common.settings import ServiceSettings
from common.web.app import create_app


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["pymongo", "motor"])
async def mongo(request: pytest.FixtureRequest, mongodb_url: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongodb_url, driver=request.param)
    yield mongo
    await mongo.close()


@pytest_asyncio.fixture(loop_scope="session")
async def database(mongo: Mongo) -> AsyncIterator[Database]:
    name = f"test_{uuid.uuid4().hex[:8]}"
    yield mongo[name]
    await mongo.drop(name)


async def index_names(collection: Collection) -> set[str]:
    return {index["name"] for index in await collection.aggregate([{"$indexStats": {}}])}


async def test_documents_go_in_and_come_out(database: Database) -> None:
    things = database["things"]
    for n in range(5):
        await things.insert({"_id": n, "even": n % 2 == 0})
    assert await things.find_one({"_id": 3}) == {"_id": 3, "even": False}
    assert await things.find_one({"_id": 9}) is None
    assert [thing["_id"] for thing in await things.find({"even": True}, skip=1, limit=1)] == [2]
    assert await things.count({"even": True}) == 3
    assert await things.aggregate([{"$group": {"_id": None, "n": {"$sum": 1}}}]) == [{"_id": None, "n": 5}]
    assert await things.delete({"_id": 0})
    assert not await things.delete({"_id": 0})


async def test_a_conditional_write_says_whether_it_happened(database: Database) -> None:
    things = database["things"]
    await things.insert({"_id": 1, "version": 1})
    assert await things.update({"_id": 1, "version": 1}, {"$set": {"version": 2}})
    assert not await things.update({"_id": 1, "version": 1}, {"$set": {"version": 3}})
    assert await things.find_and_update({"_id": 2}, {"$inc": {"n": 1}}, upsert=True) == {"_id": 2, "n": 1}
    assert await things.find_and_update({"_id": 3}, {"$inc": {"n": 1}}) is None
    with pytest.raises(DuplicateKeyError):
        await things.insert({"_id": 1})


async def test_a_transaction_is_all_or_nothing(mongo: Mongo, database: Database) -> None:
    things = database["things"]
    await things.insert({"_id": "seen"})

    async def both(session: Session) -> str:
        await things.insert({"_id": "a"}, session=session)
        await things.insert({"_id": "b"}, session=session)
        return "done"

    async def broken(session: Session) -> None:
        await things.insert({"_id": "c"}, session=session)
        await things.insert({"_id": "seen"}, session=session)

    assert await mongo.transaction(both) == "done"
    with pytest.raises(DuplicateKeyError):
        await mongo.transaction(broken)
    assert [thing["_id"] for thing in await things.find({})] == ["a", "b", "seen"]


async def test_transactions_that_collide_are_repeated_until_each_has_happened(mongo: Mongo, database: Database) -> None:
    things = database["things"]
    await things.insert({"_id": 1, "n": 0})

    async def add(session: Session) -> None:
        found = await things.find_one({"_id": 1}, session=session)
        assert found is not None
        await things.update({"_id": 1}, {"$set": {"n": found["n"] + 1}}, session=session)

    await asyncio.gather(*(mongo.transaction(add) for _ in range(8)))
    assert await things.find_one({"_id": 1}) == {"_id": 1, "n": 8}


async def test_indexes_are_made_once_and_seen(database: Database) -> None:
    indexes = [Index.on("things", "a", "-b", unique=True), Index.on("things", "at", expireAfterSeconds=0)]
    for _ in range(2):
        await database["things"].ensure(indexes)
    assert await index_names(database["things"]) == {"_id_", "a_1_b_-1", "at_1"}


async def test_a_replica_set_is_fit_for_work(mongo: Mongo) -> None:
    # tests/unit/common/test_app.py tests the answer without any server, through motor: PyMongo loses the socket of a
    # connection that is being made while its client is closed.
    assert await mongo.why_not_ready() is None


async def test_a_service_is_not_ready_before_its_indexes_exist(mongodb_url: str) -> None:
    """Two documents contradict the unique index, so that it can't be made until one of them is gone."""
    prefix = f"test_{uuid.uuid4().hex[:8]}_"
    settings = ServiceSettings(mongodb_url=mongodb_url, database_prefix=prefix)
    app = create_app(
        "things", "Things.", routers=[], indexes=[Index.on("things", "name", unique=True)], settings=settings
    )
    async with contextlib.AsyncExitStack() as undo:
        mongo = Mongo(mongodb_url)
        undo.push_async_callback(mongo.close)
        undo.push_async_callback(mongo.drop, f"{prefix}things")
        things = mongo[f"{prefix}things"]["things"]
        for n in range(2):
            await things.insert({"_id": n, "name": "the same"})
        await undo.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app)
        client = await undo.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://t"))
        answer = await client.get("/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "indexes" in answer.json()["detail"]
        await things.delete({"_id": 1})
        for _ in range(600):
            if (await client.get("/ready")).status_code == 200:
                break
            await asyncio.sleep(0.05)
        assert "name_1" in await index_names(things)
