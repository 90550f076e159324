"""MongoDB for one machine: a replica set with one member, because transactions need a replica set."""

from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from dev.stack.processes import Process, accepts

REPLICA_SET = "ordersaga"
NOT_YET_INITIALIZED = 94
# Mostly tombstones and small documents: a quarter of a gigabyte holds millions of orders' working set.
CACHE_GIGABYTES = "0.25"


class Mongod(Process):
    """A mongod on 127.0.0.1 with data, log and port of its own."""

    def __init__(self, binary: Path, *, data: Path, port: int, log: Path) -> None:
        self.port = port
        self.data = data
        super().__init__(
            "mongod",
            [
                binary,
                *("--dbpath", data, "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"),
                *("--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", CACHE_GIGABYTES),
                *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            ],
            log=log,
            ready=self._initiated,
        )

    @property
    def url(self) -> str:
        """The URI for applications."""
        return f"mongodb://127.0.0.1:{self.port}/?replicaSet={REPLICA_SET}"

    def start(self) -> None:
        """Start it; the data folder is made if it is missing."""
        self.data.mkdir(parents=True, exist_ok=True)
        super().start()

    def _initiated(self) -> bool:
        if not accepts(self.port):
            return False
        with MongoClient[dict[str, Any]](
            f"mongodb://127.0.0.1:{self.port}/?directConnection=true", serverSelectionTimeoutMS=2000
        ) as client:
            try:
                return is_primary(client, f"127.0.0.1:{self.port}")
            except PyMongoError:
                return False  # starting, stepping up or reconfiguring: asked again until the caller's patience ends


def is_primary(client: MongoClient[dict[str, Any]], host: str) -> bool:
    """Form the replica set if it isn't there, move it to this address if the port changed, and look for the primary."""
    hello = client.admin.command("hello")
    if hello.get("isWritablePrimary") and hello.get("me") == host:
        return True
    try:
        config = client.admin.command("replSetGetConfig")["config"]
    except OperationFailure as error:
        if error.code != NOT_YET_INITIALIZED:
            raise
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [{"_id": 0, "host": host}]})
        return False
    if config["members"][0]["host"] != host:
        config["members"][0]["host"] = host
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)
    return False
