"""Makes the mongod beside it a replica set of one member, since transactions need one, and keeps it so.

    python -m common.replicaset       runs for as long as mongod does; ORDERSAGA_MONGODB_URL names that mongod

A mongod that starts empty (with a new volume, or without one) is made a replica set without help. Its member is called
localhost, which is right under every name that clients reach mongod by; so clients have to connect directly
(`?directConnection=true`).

GET / is answered 200 while mongod takes writes, else 503. Services should wait for the 200: on a connection that was
opened before, a driver never has sessions.
"""

import logging
import os
import signal
import sys
import threading
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pydantic import Field
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from common.database_users import Users
from common.listening import listen
from common.logs import configure_logging
from common.mongod_files import NOBODY_VERIFIED, MongodFiles, ServedCertificate
from common.variables import refuse_unknown

log = logging.getLogger("ordersaga.replicaset")

NAME = "ordersaga"
HOST = "localhost"
DEFAULT_PORT = 27017
NOT_YET_INITIALIZED = 94
UNAUTHORIZED = 13
WATCH_SECONDS = 2.0
"""Pause between two looks at a working replica set: a mongod that lost its data is repaired within this time."""
FORM_SECONDS = 0.2
"""Pause between two looks while there is no primary, which every service is waiting for."""

Client = MongoClient[dict[str, Any]]


class ReplicaSetSettings(MongodFiles):
    """What this program reads from its environment."""

    mongodb_url: str = Field(
        default="mongodb://127.0.0.1:27017/?directConnection=true",
        description="The mongod that becomes the replica set's one member; it shares the pod, so it is on this host.",
    )
    mongodb_users: Path | None = Field(
        default=None,
        description="A folder with a MongoDB URI for each service, for audit and for admin (a mounted Secret): mongod "
        "asks for passwords, and these are its users. Without it there are none.",
    )
    health_host: str = Field(
        default="127.0.0.1",
        description="The address to listen at; a container needs `::`, which is all addresses, those of IPv4 as well.",
    )
    health_port: int = Field(default=8080, description="The port of the health check: 200 while mongod takes writes.")
    log_format: str = Field(default="json", description="json, or text for a terminal.")


def ensure_primary(client: Client, host: str | None = None) -> bool:
    """Form the replica set if there is none; whether mongod takes writes now.

    `host`: the member's address ("127.0.0.1:27017"); a set whose member has another one is moved there. Without it the
    member is called localhost, and a set that is there stays as it is.

    Raises:
        PyMongoError: mongod doesn't answer, or wasn't started with --replSet.
    """
    hello = client.admin.command("hello")
    if hello.get("isWritablePrimary") and hello.get("setName") and host in (None, hello.get("me")):
        return True
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code == UNAUTHORIZED and hello.get("setName"):
            return False  # it has users, and becomes primary by itself
        if error.code not in {NOT_YET_INITIALIZED, UNAUTHORIZED}:
            raise
        port = client.address[1] if client.address else DEFAULT_PORT
        member = {"_id": 0, "host": host or f"{HOST}:{port}"}
        client.admin.command("replSetInitiate", {"_id": NAME, "members": [member]})
        log.info("the replica set is formed")
        return False
    if host is not None and config["members"][0]["host"] != host:
        config["members"][0]["host"] = host
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)
    return False


class Health(ThreadingHTTPServer):
    """Answers 200 while `primary` is set."""

    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        self.primary = threading.Event()
        super().__init__((host, port), _Answer, bind_and_activate=False)
        self.socket.close()
        self.socket = listen(host, port)


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Whether mongod takes writes."""
        assert isinstance(self.server, Health)  # noqa: S101 - for mypy
        self.send_response(200 if self.server.primary.is_set() else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Logs nothing: probes come every few seconds."""


def keep(settings: ReplicaSetSettings, stopped: threading.Event) -> None:
    """Keep the replica set until `stopped`. An error is logged when it is a new one, and everything is tried again.

    Raises:
        OSError: the port of the health check is taken.
    """
    with Health(settings.health_host, settings.health_port) as health:
        threading.Thread(target=health.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        try:
            _watch(settings, health.primary, stopped)
        finally:
            health.shutdown()


def _watch(settings: ReplicaSetSettings, healthy: threading.Event, stopped: threading.Event) -> None:
    url, secret = settings.mongodb_url, settings.mongodb_certificate
    tls = NOBODY_VERIFIED if secret else {}
    users = Users(settings.mongodb_users, url, tls) if settings.mongodb_users else None
    certificate = ServedCertificate(secret, settings.mongodb_files) if secret else None
    logged = ""
    with Client(url, serverSelectionTimeoutMS=2000, appname="ordersaga-replicaset", **tls) as client:
        while not stopped.is_set():
            try:
                primary = ensure_primary(client)
                if users is not None:
                    _know(users, client, primary=primary)
                if certificate is not None and primary:
                    certificate.ensure(users.administrator if users is not None else lambda: nullcontext(client))
                now = "mongod is primary" if primary else "waiting for mongod to become primary"
            except (PyMongoError, OSError, ValueError) as error:
                primary, now = False, f"mongod isn't ready: {str(error)[:200]}"
            (healthy.set if primary else healthy.clear)()
            if now != logged:
                log.info(now)
                logged = now
            stopped.wait(WATCH_SECONDS if primary else FORM_SECONDS)


def _know(users: Users, client: Client, *, primary: bool) -> None:
    if primary:
        users.ensure(client)
    else:
        users.again()


def main() -> int:
    """Run until SIGTERM."""
    refuse_unknown(os.environ)
    settings = ReplicaSetSettings()
    configure_logging("replicaset", log_format=settings.log_format, level="INFO")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    keep(settings, stopped)
    return 0


if __name__ == "__main__":
    sys.exit(main())
