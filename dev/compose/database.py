"""The database's replica set, formed from outside: the database's image needs no shell for it."""

import os

from pymongo.errors import PyMongoError

from common.replicaset import Client, ensure_primary
from dev.compose.state import PATIENCE_SECONDS
from dev.stack.waiting import wait_until


def prepare_database() -> None:
    """Wait for mongod, form the replica set if it isn't there, and wait until it takes writes. Raises StackError."""
    host = os.environ.get("ORDERSAGA_COMPOSE_MONGODB", "mongodb:27017")
    trouble = "it elects no primary"
    with Client(f"mongodb://{host}/?directConnection=true", serverSelectionTimeoutMS=2000) as client:

        def primary() -> bool:
            nonlocal trouble
            try:
                return ensure_primary(client, host)
            except PyMongoError as error:
                trouble = str(error)[:300]
                return False

        wait_until(lambda: f"MongoDB at {host} is ready: {trouble}", primary, PATIENCE_SECONDS, pause_seconds=0.2)
