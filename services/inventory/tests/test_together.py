"""Reservations that come at the same time share a transaction, and nobody is the worse for it."""

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from common.settings import ServiceSettings
from services.inventory.tests.client import InventoryClient
from services.inventory.tests.test_locked_products import die_holding
from tests.support.service_client import code, fresh

# A process with the whole service, which ends as by kill -9 just before, or just after, the first commit of a
# transaction that has several reservations.
DIES_AT_THE_COMMIT = """
import asyncio, os, sys
import common.mongo.clients as driver
from pymongo import AsyncMongoClient
from pymongo.monitoring import CommandListener
from common.settings import ServiceSettings
from services.inventory.main import build
from services.inventory.tests.client import InventoryClient
from tests.support.service_client import replicas_of

url, prefix, moment, product, other, *orders = sys.argv[1:]
together = set()

class Dies(CommandListener):
    def started(self, event):
        if event.command_name == "insert" and len(event.command["documents"]) > 3:
            together.add(bytes(event.command["lsid"]["id"]))
        self.at("started", event, event.command)
        if event.command_name == "commitTransaction" and bytes(event.command["lsid"]["id"]) in together:
            together.add("commit")
    def succeeded(self, event):
        self.at("succeeded", event, None)
    def failed(self, event):
        pass
    def at(self, when, event, command):
        if event.command_name != "commitTransaction" or when != moment:
            return
        if "commit" in together or (command and bytes(command["lsid"]["id"]) in together):
            os._exit(9)

driver.AsyncMongoClient = lambda url, **options: AsyncMongoClient(
    url, **{**options, "event_listeners": [*options["event_listeners"], Dies()]}
)

async def main():
    settings = ServiceSettings(mongodb_url=url, database_prefix=prefix, log_level="ERROR")
    async with replicas_of(build, settings) as (clients, app):
        inventory = InventoryClient(clients, app.database)
        lines = ({product: 1}, {other: 1})
        await asyncio.gather(*(inventory.reserve(order, lines[n % 2]) for n, order in enumerate(orders)))

asyncio.run(main())
"""


@pytest.mark.parametrize("moment", ["started", "succeeded"])
async def test_a_process_that_is_killed_in_a_shared_transaction_leaves_all_of_it_or_nothing(
    inventory: InventoryClient, settings: ServiceSettings, moment: str
) -> None:
    products, orders = [fresh("p"), fresh("p")], [fresh("o") for _ in range(24)]
    for product in products:
        await inventory.stock(product, 100)
    names = (settings.mongodb_url, settings.database_prefix, moment, *products, *orders)
    died = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", DIES_AT_THE_COMMIT, *names],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        timeout=120,
    )
    assert died.returncode == 9, died.stderr
    held: Counter[str] = Counter()
    for order in orders:
        reservation = await inventory.reservation(order)
        held.update(line["product_id"] for line in (reservation or {"lines": []})["lines"])
    assert [(await inventory.product(product))["reserved"] for product in products] == [held[p] for p in products]
    assert (moment == "succeeded") == (held.total() > 3)

    async def again(number: int, order: str) -> None:  # as the operator does, which got no answer
        while (answer := await inventory.reserve(order, {products[number % 2]: 1})).status_code != 200:
            assert code(answer) == (409, "running"), answer.text

    await asyncio.gather(*(again(number, order) for number, order in enumerate(orders)))
    assert [(await inventory.product(product))["reserved"] for product in products] == [12, 12]


async def test_whoever_is_refused_takes_nobody_along(inventory: InventoryClient) -> None:
    mug, shirt, poster, unknown = fresh("p"), fresh("p"), fresh("p"), fresh("p")
    await inventory.stock(mug, 100)
    await inventory.stock(poster, 100)
    await inventory.stock(shirt, 5)
    again = fresh("o")
    await inventory.reserve(again, {mug: 1})
    calls = [
        *(inventory.reserve(fresh("o"), {mug: 1}) for _ in range(10)),
        *(inventory.reserve(again, {mug: 1}) for _ in range(3)),
        *(inventory.reserve(fresh("o"), {shirt: 2}) for _ in range(10)),
        inventory.reserve(fresh("o"), {mug: 1}, price_minor=1),
        inventory.reserve(fresh("o"), {mug: 1}, currency="USD"),
        inventory.reserve(fresh("o"), {unknown: 1}),
        *(inventory.reserve(fresh("o"), {poster: 1}, price_minor=1) for _ in range(3)),
        inventory.reserve(again, {mug: 2}),
    ]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers[:13]} == {200}
    shirts = [answer.status_code for answer in answers[13:23]]
    assert (shirts.count(200), shirts.count(409)) == (2, 8)
    price_changed = (409, "price_changed")
    others = [price_changed, price_changed, (409, "product_unknown"), *[price_changed] * 3, (422, "key_reused")]
    assert [code(answer) for answer in answers[23:]] == others
    assert [(await inventory.product(p))["reserved"] for p in (mug, shirt, poster)] == [11, 4, 0]


async def test_a_locked_product_holds_up_no_other(inventory: InventoryClient, settings: ServiceSettings) -> None:
    locked, free = fresh("p"), [fresh("p") for _ in range(4)]
    for product in (locked, *free):
        await inventory.stock(product, 100)
    await asyncio.to_thread(die_holding, settings, locked)
    waiting = [asyncio.create_task(inventory.reserve(fresh("o"), {locked: 1})) for _ in range(4)]
    for _ in range(3):
        answers = await asyncio.gather(*(inventory.reserve(fresh("o"), {product: 1}) for product in free * 4))
        assert {answer.status_code for answer in answers} == {200}
    assert not any(task.done() for task in waiting), "the others were done while the product was locked"
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} <= {200, 409}
