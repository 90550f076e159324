"""The chart's own MongoDB speaks TLS: mongod with the chart's arguments, and what the chart runs beside it."""

import asyncio
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from pymongo.errors import ServerSelectionTimeoutError

from common import replicaset
from common.deadline import within
from common.mongo import Mongo, PyMongoError
from common.services import SERVICES
from dev.setup.paths import CHECKOUT
from dev.stack.parts.mongod import Mongod
from dev.stack.processes import free_port, is_listening, wait_ready
from dev.stack.waiting import wait_until
from tests.contract.tls.test_database_users import uris
from tests.packaging.chart.charts import rendered
from tests.support import asking
from tests.support.secrets import MountedSecret, pair

SOON = 1.5
"""Seconds that a client tries for that isn't let in: a handshake takes hundredths of one."""


class Bundled:
    """A database, and where its Secrets are mounted."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.port, self.health_port = free_port(), free_port()
        self.files, self.log = folder / "run", folder / "log"
        self.files.mkdir()
        self.certificate = MountedSecret(folder / "tls", pair(self.authority, "localhost"))
        self.users = MountedSecret(folder / "users", uris(self.port, "first"))

    @property
    def environment(self) -> dict[str, str]:
        """As the chart sets it."""
        folders = {"FILES": self.files, "CERTIFICATE": self.certificate.folder, "USERS": self.users.folder}
        return {f"ORDERSAGA_MONGODB_{name}": str(folder) for name, folder in folders.items()}

    @property
    def arguments(self) -> list[str]:
        """Those of the chart that are about files and TLS."""
        pod = rendered("--set", "tls.enabled=true")("Deployment", "mongodb")["spec"]["template"]["spec"]
        (mongod,) = pod["containers"]
        wanted = [each for each in mongod["args"] if each.startswith(("--tls", "--keyFile"))]
        return [each.replace("/run/mongodb", str(self.files)) for each in wanted]

    def mongo(self, **options: Path) -> Mongo:
        """A client of the payment service, whose URI says nothing about TLS."""
        uri = uris(self.port, "first")["payment"].decode().replace("127.0.0.1", "localhost")
        return Mongo(uri, timeout_ms=1000, **options)

    @property
    def serial(self) -> int:
        """Of the certificate that new connections get."""
        served = ssl.get_server_certificate(("localhost", self.port), timeout=5)
        return x509.load_pem_x509_certificate(served.encode()).serial_number

    @property
    def wanted_serial(self) -> int:
        """Of the one in the Secret."""
        return x509.load_pem_x509_certificates((self.certificate / "tls.crt").read_bytes())[0].serial_number


@contextmanager
def bundled(folder: Path) -> Iterator[Bundled]:
    it, stopped = Bundled(folder), threading.Event()
    subprocess.run([sys.executable, "-m", "common.mongod_files"], cwd=CHECKOUT, env=it.environment, check=True)
    mongod = Mongod(data=folder / "data", port=it.port, log=it.log, options=it.arguments)
    mongod.ready = lambda: is_listening(it.port)
    settings = replicaset.ReplicaSetSettings(
        mongodb_url=f"mongodb://127.0.0.1:{it.port}/?directConnection=true",
        mongodb_users=it.users.folder,
        mongodb_files=it.files,
        mongodb_certificate=it.certificate.folder,
        health_port=it.health_port,
    )
    keeper = threading.Thread(target=replicaset.keep, args=(settings, stopped))
    mongod.start()
    try:
        wait_ready([mongod])
        keeper.start()
        yield it
    finally:
        stopped.set()
        if keeper.ident is not None:
            keeper.join()
        mongod.kill()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundled]:
    with bundled(tmp_path_factory.mktemp("bundled")) as it:
        asyncio.run(until_it_knows_its_users(it))
        yield it


async def until_it_knows_its_users(database: Bundled) -> None:
    mongo, why = database.mongo(ca_file=database.certificate / "ca.crt"), "not asked"
    async with asyncio.timeout(30):
        while why:
            await asyncio.sleep(0.1)
            why = await mongo.why_not_ready() or ""
    await mongo.close()


async def test_whoever_asks_it_speaks_tls_and_checks_authority_and_name(database: Bundled, tmp_path: Path) -> None:
    stranger = tmp_path / "ca.crt"
    stranger.write_bytes(trustme.CA().cert_pem.bytes())
    for options in ({}, {"ca_file": stranger}, {"ca_file": tmp_path / "none, so the system's"}):
        mongo = database.mongo(**options)
        try:
            with within(SOON), pytest.raises(PyMongoError):
                await mongo["ordersaga_payment"]["things"].find_one({})
        finally:
            await mongo.close()
    elsewhere = Mongo(
        f"mongodb://127.0.0.1:{database.port}/?directConnection=true",
        ca_file=database.certificate / "ca.crt",
        timeout_ms=500,
    )
    with within(SOON), pytest.raises(ServerSelectionTimeoutError, match="IP address mismatch"):
        await elsewhere["ordersaga_payment"]["things"].find_one({})
    await elsewhere.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_it_refuses_what_is_older_than_tls_1_2(database: Bundled) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("localhost", database.port), timeout=5) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        old.wrap_socket(plain, server_hostname="localhost")


async def test_its_certificate_is_replaced_under_load_and_no_call_is_lost(database: Bundled) -> None:
    mongo = database.mongo(ca_file=database.certificate / "ca.crt")
    things = mongo["ordersaga_payment"]["things"]
    has_ended, made = asyncio.Event(), 0

    async def customer(number: int) -> None:
        nonlocal made
        while not has_ended.is_set():
            await things.insert({"_id": f"{number}-{made}"})
            made += 1

    customers = [asyncio.create_task(customer(number)) for number in range(8)]
    for _ in range(2):
        before = await asyncio.to_thread(lambda: database.serial)
        assert before == database.wanted_serial
        database.certificate.replace(pair(database.authority, "localhost"))
        await asyncio.to_thread(
            wait_until, "the new certificate", lambda: database.serial == database.wanted_serial, 15
        )
    has_ended.set()
    await asyncio.gather(*customers)
    assert made > 0
    assert await things.count({}) == made
    await mongo.close()


@pytest.mark.parametrize("fault", ["half written", "another's key", "empty"])
def test_a_pair_that_can_not_be_used_changes_nothing_and_the_database_stays_ready(
    database: Bundled, fault: str
) -> None:
    good, other = pair(database.authority, "localhost"), pair(database.authority, "localhost")
    before = database.serial
    database.certificate.replace(
        {
            "half written": {**good, "tls.crt": good["tls.crt"][:300]},
            "another's key": {**good, "tls.key": other["tls.key"]},
            "empty": {**good, "tls.crt": b""},
        }[fault]
    )
    threading.Event().wait(replicaset.WATCH_SECONDS + 0.5)
    assert database.serial == before
    assert asking.get(f"http://127.0.0.1:{database.health_port}/").status_code == 200
    database.certificate.replace(good)
    wait_until("the good one", lambda: database.serial == database.wanted_serial, 15)


async def test_a_new_authority_is_believed_without_a_restart(database: Bundled) -> None:
    file = database.certificate / "ca.crt"
    mongo = database.mongo(ca_file=file)
    things = mongo["ordersaga_payment"]["things"]
    assert await things.find_one({"_id": "none"}) is None
    database.authority = trustme.CA()
    database.certificate.replace(pair(database.authority, "localhost"))
    await asyncio.to_thread(wait_until, "the new certificate", lambda: database.serial == database.wanted_serial, 15)
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0.2)
            # More connections than are open: these see the new certificate.
            answers = await asyncio.gather(
                *(things.find_one({"_id": "none"}) for _ in range(30)), return_exceptions=True
            )
            if answers == [None] * 30:
                break
    await mongo.close()


def test_its_files_are_for_mongod_alone(database: Bundled) -> None:
    for name in ("key", "tls.pem"):
        assert (database.files / name).stat().st_mode & 0o777 == 0o600


async def test_the_audit_asks_it_with_tls_as_well(database: Bundled, tmp_path: Path) -> None:
    uri = uris(database.port, "first")["audit"].decode().replace("127.0.0.1", "localhost")
    program = (
        "import json, os; from pathlib import Path; from ordersaga.audit.sources.databases import Databases\n"
        "uri, file = os.environ['URI'], Path(os.environ['CA'])\n"
        "urls = dict.fromkeys(json.loads(os.environ['SERVICES']), uri)\n"
        "print(sorted(Databases(urls, 'ordersaga_', authorities={uri: file}).ledgers))"
    )
    environment = {"URI": uri, "CA": str(database.certificate / "ca.crt"), "SERVICES": json.dumps(list(SERVICES))}
    words = [sys.executable, "-c", program]
    await asyncio.to_thread(subprocess.run, words, cwd=CHECKOUT / "operator", env=environment, check=True)
