"""A mongod with TLS and access control, as one's own would be, and what docs/install.md has its administrator type."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from pymongo import MongoClient

from common.replicaset import ensure_primary
from dev.setup.paths import CHECKOUT
from dev.stack.parts.mongod import Mongod
from dev.stack.processes import free_port, is_listening, wait_ready
from tests.support.secrets import pair

Client = MongoClient[dict[str, Any]]
PASSWORD = "first password"
ROOT = "root password"


@dataclass(frozen=True, slots=True)
class Secured:
    port: int
    ca_file: Path

    def uri(self, user: str, database: str, password: str = PASSWORD) -> str:
        """As docs/install.md writes it into a Secret."""
        options = f"replicaSet=ordersaga&tls=true&tlsCAFile={self.ca_file}"
        return f"mongodb://{user}:{password.replace(' ', '%20')}@localhost:{self.port}/{database}?{options}"

    @contextmanager
    def administrator(self) -> Iterator[Client]:
        with Client(self.uri("root", "admin", ROOT)) as client:
            yield client

    def change_password(self, user: str, database: str, password: str) -> None:
        with self.administrator() as client:
            client[database].command("updateUser", user, pwd=password)

    def make_users(self, prefix: str = "ordersaga_") -> None:
        """Run the commands of the documentation, one by one."""
        written = (CHECKOUT / "docs/install.md").read_text()
        commands = re.findall(r'^    db\.getSiblingDB\("(\w+)"\)\.createUser\((\{.*?\})\)$', written, re.M | re.S)
        assert len(commands) == 6
        with self.administrator() as client:
            for database, document in commands:
                words = json.loads(document.replace("ordersaga_", prefix))
                words["pwd"] = PASSWORD
                client[database.replace("ordersaga_", prefix)].command("createUser", words.pop("user"), **words)


@contextmanager
def secured_mongod(folder: Path) -> Iterator[Secured]:
    """One that asks everybody for a password and speaks TLS alone."""
    folder.mkdir(parents=True, exist_ok=True)
    authority, key, ca_file, port = trustme.CA(), folder / "key", folder / "ca.crt", free_port()
    made = pair(authority, "localhost", "127.0.0.1")
    (folder / "server.pem").write_bytes(made["tls.crt"] + made["tls.key"])
    ca_file.write_bytes(made["ca.crt"])
    key.touch(mode=0o600)
    key.write_text("of a replica set with one member\n")
    tls = ("--tlsMode", "requireTLS", "--tlsCertificateKeyFile", folder / "server.pem")
    options = (*tls, "--keyFile", key)
    mongod = Mongod(data=folder / "data", port=port, log=folder / "mongod.log", options=options)
    mongod.ready = lambda: is_listening(port)
    mongod.start()
    try:
        wait_ready([mongod])
        with Client(
            f"mongodb://localhost:{port}/?directConnection=true", tls=True, tlsCAFile=str(ca_file)
        ) as anybody:  # by the localhost exception
            while not ensure_primary(anybody, f"localhost:{port}"):
                pass
            anybody.admin.command("createUser", "root", pwd=ROOT, roles=["root"])
        yield Secured(port, ca_file)
    finally:
        mongod.stop()
