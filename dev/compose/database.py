"""The database's replica set, formed from outside: the database's image needs no shell for it."""

import os
import time
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from dev.compose.state import PATIENCE_SECONDS
from dev.setup.errors import StackError
from dev.stack.mongod import is_primary


def prepare_database() -> None:
    """Wait for mongod, form the replica set if it isn't there, and wait until it takes writes. Raises StackError."""
    host = os.environ.get("ORDERSAGA_COMPOSE_MONGODB", "mongodb:27017")
    deadline = time.monotonic() + PATIENCE_SECONDS
    trouble = "it elects no primary"
    with MongoClient[dict[str, Any]](
        f"mongodb://{host}/?directConnection=true", serverSelectionTimeoutMS=2000
    ) as client:
        while True:
            try:
                if is_primary(client, host):
                    return
            except PyMongoError as error:
                trouble = str(error)[:300]
            if time.monotonic() > deadline:
                raise StackError(f"MongoDB at {host} is not ready after {PATIENCE_SECONDS:.0f} seconds: {trouble}")
            time.sleep(0.2)
