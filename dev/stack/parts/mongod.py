"""MongoDB for one machine: a replica set with one member, because transactions need a replica set."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from common.mongo import TRANSACTION_LIFETIME_SECONDS
from common.replicaset import NAME as REPLICA_SET
from common.replicaset import ensure_primary
from dev.setup.binaries import find
from dev.stack.processes import Process, is_listening

# Mostly tombstones and small documents: a quarter of a gigabyte holds millions of orders' working set.
CACHE_GIGABYTES = "0.25"


class Mongod(Process):
    """A mongod on 127.0.0.1 with data, log and port of its own."""

    def __init__(self, *, data: Path, port: int, log: Path, options: Sequence[str | Path] = ()) -> None:
        """`options`: more of mongod's. Raises StackError when mongod is missing."""
        self.port = port
        self.data = data
        super().__init__(
            "mongod",
            [
                find("mongod"),
                *("--dbpath", data, "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"),
                *("--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", CACHE_GIGABYTES),
                *("--setParameter", "diagnosticDataCollectionEnabled=false"),
                *("--setParameter", f"transactionLifetimeLimitSeconds={TRANSACTION_LIFETIME_SECONDS}"),
                *options,
            ],
            log=log,
            ready=self.is_primary,
        )

    @property
    def url(self) -> str:
        """The URI for applications."""
        return f"mongodb://127.0.0.1:{self.port}/?replicaSet={REPLICA_SET}"

    def start(self) -> None:
        """Start it; the data folder is made if it is missing."""
        self.data.mkdir(parents=True, exist_ok=True)
        super().start()

    def is_primary(self) -> bool:
        """Whether it takes writes; it is made a replica set if it is none yet."""
        if not is_listening(self.port):
            return False
        with MongoClient[dict[str, Any]](
            f"mongodb://127.0.0.1:{self.port}/?directConnection=true", serverSelectionTimeoutMS=2000
        ) as client:
            try:
                return ensure_primary(client, f"127.0.0.1:{self.port}")
            except PyMongoError:
                return False  # starting, stepping up or reconfiguring: asked again until the caller's patience ends
