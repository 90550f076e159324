"""A process that is killed in the middle of a transaction leaves its products locked, and that passes soon."""

import asyncio
import subprocess
import sys

from common.settings import ServiceSettings
from services.inventory.tests.client import InventoryClient
from tests.support.service_client import code, fresh

# Neither commit nor abort, nor a goodbye to the server: what a kill -9 leaves behind.
DIES_IN_A_TRANSACTION = """
import os, sys
from pymongo import MongoClient
url, database, product = sys.argv[1:]
client = MongoClient(url)
session = client.start_session()
session.start_transaction()
found = client[database].products.update_one({"_id": product}, {"$set": {"touched": 1}}, session=session)
os._exit(0 if found.modified_count else 1)
"""


def die_holding(settings: ServiceSettings, product: str) -> None:
    names = (settings.mongodb_url, f"{settings.database_prefix}inventory", product)
    subprocess.run([sys.executable, "-c", DIES_IN_A_TRANSACTION, *names], check=True, timeout=60)


async def test_a_product_locked_by_a_dead_process_is_busy_for_seconds(
    inventory: InventoryClient, settings: ServiceSettings
) -> None:
    """Each is told so before its caller hangs up. `running` costs the saga no attempt and doesn't count as an outage:
    the circuit breaker stays closed.
    """
    product = fresh("p")
    await inventory.stock(product, 10)
    await asyncio.to_thread(die_holding, settings, product)
    began = asyncio.get_running_loop().time()

    async def until_reserved(order: str) -> set[str]:
        seen = set()
        while (answer := await inventory.reserve(order, {product: 1})).status_code != 200:
            seen.add(code(answer)[1])
            assert answer.headers["Retry-After"] == "1"
        return seen

    seen = await asyncio.gather(*(until_reserved(fresh("o")) for _ in range(8)))
    assert set().union(*seen) <= {"running"}
    # The server's default is 60 s; ours is 3 s, and it looks every 1.5 s. The rest is for a slow machine.
    assert asyncio.get_running_loop().time() - began < 30
    assert (await inventory.product(product))["reserved"] == 8
