"""A database of one's own, with TLS, and with a user for each service as docs/install.md makes them."""

import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo.errors import OperationFailure, PyMongoError

from common.mongo import Collection, DuplicateKeyError, Index, Mongo, Session
from common.services import SERVICES
from tests.support.secrets import MountedSecret
from tests.support.secured_mongod import PASSWORD, Client, Secured, secured_mongod

NOT_AUTHORIZED = 13
UNCLOSED = r"ignore:(?s).*unclosed <:pytest.PytestUnraisableExceptionWarning"
"""motor's threads may be opening a connection while their client is closed, and leave it to the garbage collector."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with secured_mongod(tmp_path_factory.mktemp("secured")) as running:
        running.make_users()
        yield running


@pytest.fixture
def secret(database: Secured, tmp_path: Path) -> MountedSecret:
    """The payment service's."""
    uri = database.uri("payment", "ordersaga_payment")
    return MountedSecret(tmp_path / "mongodb", {"uri": uri.encode(), "ca.crt": database.ca_file.read_bytes()})


@pytest.mark.parametrize("service", SERVICES)
async def test_the_user_of_a_service_can_do_what_the_service_does(service: str, database: Secured) -> None:
    mongo = Mongo(database.uri(service, f"ordersaga_{service}"))
    things = mongo[f"ordersaga_{service}"]["things"]

    async def put(session: Session) -> None:
        await things.insert({"_id": 1}, session=session)

    await things.ensure([Index.on("things", "n", unique=True)])
    await mongo.transaction(put)
    assert await things.find_and_update({"_id": 1}, {"$inc": {"n": 1}}) == {"_id": 1, "n": 1}
    await things.drop_index("n_1")
    assert await mongo.why_not_ready() is None
    await mongo.close()


@pytest.mark.parametrize("service", SERVICES)
def test_the_user_of_a_service_reaches_nothing_else(service: str, database: Secured) -> None:
    others = [f"ordersaga_{name}" for name in SERVICES if name != service] + ["admin", "local", "another"]
    with Client(database.uri(service, f"ordersaga_{service}")) as client:
        for other in others:
            for attempt in (
                lambda where: where.things.find_one(),
                lambda where: where.things.insert_one({}),
                lambda where: where.list_collection_names(),
                lambda where: where.command("usersInfo"),
            ):
                with pytest.raises(OperationFailure) as refused:
                    attempt(client[other])
                assert refused.value.code == NOT_AUTHORIZED
        own = client[f"ordersaga_{service}"]
        for command in ({"usersInfo": 1}, {"createUser": "thief", "pwd": "x", "roles": ["readWrite"]}):
            with pytest.raises(OperationFailure, match="not authorized"):
                own.command(command)
        assert set(client.list_database_names()) <= {f"ordersaga_{service}"}


def test_the_user_of_the_audit_reads_all_five_and_writes_none(database: Secured) -> None:
    with Client(database.uri("audit", "admin")) as client:
        for service in SERVICES:
            assert client[f"ordersaga_{service}"].things.find_one({"_id": "none"}) is None
            assert isinstance(client[f"ordersaga_{service}"].list_collection_names(), list)
            with pytest.raises(OperationFailure, match="not authorized"):
                client[f"ordersaga_{service}"].things.insert_one({})


async def test_nobody_gets_in_without_a_password_or_without_tls(database: Secured) -> None:
    wrong = database.uri("payment", "ordersaga_payment", "guessed")
    in_the_clear = database.uri("payment", "ordersaga_payment").replace("&tls=true", "").partition("&tlsCAFile")[0]
    strange = database.uri("payment", "ordersaga_payment").partition("&tlsCAFile")[0]  # the system's authorities
    for uri in (wrong, in_the_clear, strange):
        mongo = Mongo(uri, timeout_ms=500)
        with pytest.raises(PyMongoError):
            await mongo["ordersaga_payment"]["things"].find_one({})
        reason = await mongo.why_not_ready()
        await mongo.close()
        assert reason is not None
        assert "guessed" not in reason
        assert ("refuses the user or the password" in reason) == (uri is wrong)


@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_a_password_is_changed_under_load_and_each_effect_happens_once(
    driver: str, database: Secured, secret: MountedSecret
) -> None:
    mongo = Mongo("", url_file=secret / "uri", driver=driver)
    books, tally = mongo["ordersaga_payment"][f"{driver}_books"], mongo["ordersaga_payment"][f"{driver}_tally"]
    has_ended = asyncio.Event()

    async def charge(key: str) -> None:
        async def once(session: Session) -> None:
            await books.insert({"_id": key}, session=session)
            await tally.find_and_update({"_id": key[0]}, {"$inc": {"n": 1}}, upsert=True, session=session)

        await mongo.transaction(once)

    async def customer(number: int) -> int:
        made = 0
        while not has_ended.is_set():
            try:
                await charge(f"{number}-{made}")
            except DuplicateKeyError:
                pass  # the call before this one has made it, and its answer was lost
            except PyMongoError:
                continue  # as the operator does: the same call again, until it is answered
            made += 1
        return made

    customers = [asyncio.create_task(customer(number)) for number in range(8)]
    for password in ("second password", "third password", PASSWORD):
        await asyncio.sleep(0.3)
        await asyncio.to_thread(database.change_password, "payment", "ordersaga_payment", password)
        await asyncio.sleep(0.1)  # the kubelet takes its time
        uri = database.uri("payment", "ordersaga_payment", password)
        secret.replace({"uri": uri.encode(), "ca.crt": database.ca_file.read_bytes()})
    await asyncio.sleep(0.5)
    has_ended.set()
    made = await asyncio.gather(*customers)
    assert min(made) > 0
    assert await books.count({}) == sum(made)
    assert sum(each["n"] for each in await tally.find({})) == sum(made)
    await mongo.close()


async def test_a_new_address_is_used_at_once_and_one_that_can_not_be_used_never(
    database: Secured, secret: MountedSecret, caplog: pytest.LogCaptureFixture
) -> None:
    right = {"uri": (secret / "uri").read_bytes(), "ca.crt": (secret / "ca.crt").read_bytes()}
    mongo = Mongo("", url_file=secret / "uri", timeout_ms=500)
    things = mongo["ordersaga_payment"]["things"]
    assert await things.find_one({"_id": "none"}) is None
    for uri in (
        b"",
        b"mongodb://payment:guessed:guess@localhost",
        b"postgres://payment:guessed@localhost",
        b"\xff",
    ):
        secret.replace({**right, "uri": uri})
        await asyncio.sleep(0.15)
        assert await things.find_one({"_id": "none"}) is None, "the one before goes on"
    assert "guess" not in caplog.text
    elsewhere = database.uri("shipping", "ordersaga_shipping").encode()
    secret.replace({**right, "uri": elsewhere})
    assert not await is_allowed_within_a_second(things, wanted=False), "who the new address says may read nothing here"
    secret.replace(right)
    assert await is_allowed_within_a_second(things, wanted=True)
    await mongo.close()


async def is_allowed_within_a_second(things: Collection, *, wanted: bool) -> bool:
    ends, allowed = time.monotonic() + 1.0, not wanted
    while allowed is not wanted and time.monotonic() < ends:
        await asyncio.sleep(0.05)
        try:
            await things.find_one({"_id": "none"})
            allowed = True
        except OperationFailure as error:
            allowed = error.code != NOT_AUTHORIZED
    return allowed


@pytest.mark.filterwarnings(UNCLOSED)
@pytest.mark.parametrize("driver", ["pymongo", "motor"])
async def test_a_new_password_that_the_database_does_not_know_yet_costs_no_call(
    driver: str, database: Secured, secret: MountedSecret, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "ordersaga.mongo")
    mongo = Mongo("", url_file=secret / "uri", driver=driver)
    things = mongo["ordersaga_payment"]["things"]
    new = database.uri("payment", "ordersaga_payment", "a password for later")

    async def ask_for(seconds: float) -> None:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            assert await things.find_one({"_id": "none"}) is None
            await asyncio.sleep(0.01)

    await ask_for(0.2)
    secret.replace({"uri": new.encode(), "ca.crt": database.ca_file.read_bytes()})
    await ask_for(1.5)
    assert caplog.text.count("doesn't let in the new MongoDB URI") == 1
    await asyncio.to_thread(database.change_password, "payment", "ordersaga_payment", "a password for later")
    await ask_for(1.5)
    assert "new operations use it" in caplog.text
    # More connections than calls one by one have left open: the old password gets no new ones.
    await asyncio.gather(*(things.find_one({"_id": "none"}) for _ in range(20)))
    await asyncio.to_thread(database.change_password, "payment", "ordersaga_payment", PASSWORD)
    await mongo.close()


async def test_a_call_whose_password_is_refused_looks_at_the_file_and_is_made_with_the_new_one(
    database: Secured, secret: MountedSecret
) -> None:
    mongo = Mongo("", url_file=secret / "uri")
    things = mongo["ordersaga_payment"]["refused"]
    await asyncio.to_thread(database.change_password, "payment", "ordersaga_payment", "another password")
    with pytest.raises(OperationFailure, match="Authentication failed"):
        await things.find_one({"_id": "none"})
    uri = database.uri("payment", "ordersaga_payment", "another password")
    secret.replace({"uri": uri.encode(), "ca.crt": database.ca_file.read_bytes()})

    async def put(session: Session) -> None:
        await things.insert({"_id": "of the refused"}, session=session)

    await mongo.transaction(put)
    assert await things.find_one({"_id": "of the refused"}) is not None
    await asyncio.to_thread(database.change_password, "payment", "ordersaga_payment", PASSWORD)
    await mongo.close()


def test_a_service_does_not_start_without_its_address_and_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the MongoDB URI in .*/uri can't be read"):
        Mongo("", url_file=tmp_path / "uri")
