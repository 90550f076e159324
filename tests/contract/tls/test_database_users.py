"""The bundled database's users are those of a mounted Secret, also after its passwords or its data are replaced."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymongo.errors import OperationFailure, PyMongoError

from common import replicaset
from common.database_users import Client, users_of
from common.services import SERVICES
from dev.stack.parts.mongod import Mongod
from dev.stack.processes import free_port, is_listening, wait_ready
from dev.stack.waiting import wait_until
from tests.support.secrets import MountedSecret


def uris(port: int, password: str) -> dict[str, bytes]:
    """As the chart writes them."""
    databases = {"admin": "admin", "audit": "admin", **{name: f"ordersaga_{name}" for name in SERVICES}}
    address = f"127.0.0.1:{port}"
    return {
        name: f"mongodb://{name}:{password}@{address}/{database}?directConnection=true".encode()
        for name, database in databases.items()
    }


@contextmanager
def mongod(folder: Path, port: int) -> Iterator[None]:
    """One that asks for passwords, with a key that only this process knows."""
    folder.mkdir(exist_ok=True)
    key = folder / "key"
    key.touch(mode=0o600)
    key.write_text("of a replica set with one member\n")
    running = Mongod(data=folder / "data", port=port, log=folder / "log", options=("--keyFile", key))
    running.ready = lambda: is_listening(port)
    running.start()
    try:
        wait_ready([running])
        yield
    finally:
        running.kill()


def gets_in(port: int, name: str, database: str, password: str) -> bool:
    with Client(
        f"mongodb://{name}:{password}@127.0.0.1:{port}/{database}?directConnection=true", serverSelectionTimeoutMS=1000
    ) as client:
        try:
            client[database].command("connectionStatus")
            return client["ordersaga_payment"].things.find_one() is None
        except PyMongoError:
            return False


def test_the_users_of_the_secret_are_made_and_changed_and_made_again(tmp_path: Path) -> None:
    port, stopped = free_port(), threading.Event()
    secret = MountedSecret(tmp_path / "users", uris(port, "first"))
    url = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    settings = replicaset.ReplicaSetSettings(mongodb_url=url, mongodb_users=secret.folder, health_port=free_port())
    keeper = threading.Thread(target=replicaset.keep, args=(settings, stopped))
    keeper.start()
    try:
        with mongod(tmp_path / "one", port):
            wait_until("the users exist", lambda: gets_in(port, "payment", "ordersaga_payment", "first"), 30)
            assert gets_in(port, "audit", "admin", "first")
            assert not gets_in(port, "order", "ordersaga_order", "first"), "another's database"
            with Client(url) as nobody, pytest.raises(OperationFailure, match="requires authentication"):
                nobody["ordersaga_payment"].things.find_one()
            with Client(uris(port, "first")["payment"].decode()) as own:
                own["ordersaga_payment"].things.insert_one({"_id": 1})
                own["ordersaga_payment"].things.delete_one({"_id": 1})
            secret.replace({**uris(port, "second"), "admin": uris(port, "first")["admin"]})
            wait_until("the new password", lambda: gets_in(port, "payment", "ordersaga_payment", "second"), 30)
            assert not gets_in(port, "payment", "ordersaga_payment", "first")
        with mongod(tmp_path / "two", port):
            wait_until("all of it again", lambda: gets_in(port, "payment", "ordersaga_payment", "second"), 30)
    finally:
        stopped.set()
        keeper.join()


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"payment": None}, "there is no MongoDB URI for payment"),
        ({"payment": "mongodb://mongodb/ordersaga_payment"}, "the MongoDB URI of payment has to say"),
        ({"payment": "mongodb://payment:guessed@mongodb"}, "the MongoDB URI of payment has to say"),
        ({"payment": "mongodb://payment:guess:ed@mongodb/x"}, "the MongoDB URI of payment is none"),
    ],
)
def test_a_secret_that_can_not_be_used_says_why_and_nothing_of_a_password(
    broken: dict[str, str | None], why: str
) -> None:
    given = {name: uri.decode() for name, uri in uris(1, "guessed").items()} | broken
    with pytest.raises(ValueError, match=why) as error:
        users_of({name: uri for name, uri in given.items() if uri is not None})
    assert "guess" not in str(error.value)
