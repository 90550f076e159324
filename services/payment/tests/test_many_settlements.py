"""Many payments wait for their settlement: replicas share the looks at the provider, and one slow answer delays few."""

import asyncio
from collections import Counter
from datetime import datetime

from common.background import Rounds
from common.barrier import Call
from common.errands import Errands
from common.mongo import Collection, Database, Mongo
from common.settings import ServiceSettings
from services.payment.models import ProcessRequest
from services.payment.provider import Captured, Charge, Outcome, Processing
from services.payment.store import Payments
from services.payment.tests.client import payment_of
from tests.support.service_client import fresh

WAITING = 40
AT_ONCE = 8


class Bank:
    """It accepts every charge, and answers the first looks only once AT_ONCE of them are made at the same time."""

    def __init__(self) -> None:
        self.looks: Counter[str] = Counter()
        self._enough = asyncio.Event()

    async def charge(self, charge: Charge) -> Outcome:
        return Processing(1)

    async def find(self, charge: Charge) -> Outcome | None:
        self.looks[charge.key] += 1
        if self.looks.total() >= AT_ONCE:
            self._enough.set()
        await self._enough.wait()
        return Captured()

    async def is_refunded(self, charge: Charge) -> bool:
        raise NotImplementedError

    async def refund(self, key: str, charge: Charge) -> None:
        raise NotImplementedError


class Silent(Bank):
    """It accepts every charge, and tells nothing of it."""

    tells = False

    async def find(self, charge: Charge) -> Outcome | None:
        if not self.tells:
            raise ConnectionError("no answer")
        return Captured()


class Frozen:
    """The database, at one moment: no second look is due, however slow this machine is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._now = database.now()

    def __getitem__(self, name: str) -> Collection:
        return self._database[name]

    def now(self) -> datetime:
        return self._now


async def test_replicas_share_the_looks_and_make_many_at_a_time(settings: ServiceSettings) -> None:
    mongo = Mongo(settings.mongodb_url)
    try:
        bank, database = Bank(), Frozen(mongo[f"{settings.database_prefix}many"])
        replicas = [Payments(database, bank, Errands()) for _ in range(2)]  # type: ignore[arg-type]
        orders = [fresh("o") for _ in range(WAITING)]
        for order in orders:
            request = ProcessRequest(**payment_of(order))
            call = Call(f"shop/{order}/payment/do", "shop", order, "do", "body")
            assert (await replicas[0].process(call, request)).status == 202
        await asyncio.gather(*(replica.settle() for replica in replicas))
        assert {(await replicas[0].of_order(order)).status for order in orders} == {"captured"}
        assert set(bank.looks.values()) == {1}, "each was looked at once, by one of the two"
        assert len(bank.looks) == WAITING
        assert not await replicas[0].settle(), "nothing waits any more"
    finally:
        await mongo.close()


async def test_a_provider_that_tells_nothing_of_any_payment_is_seen_until_it_tells_of_one(
    settings: ServiceSettings,
) -> None:
    mongo = Mongo(settings.mongodb_url)
    try:
        bank, database = Silent(), mongo[f"{settings.database_prefix}silent"]
        payments, rounds = Payments(database, bank, Errands()), Rounds()
        orders = [fresh("o") for _ in range(3)]
        for order in orders:
            call = Call(f"shop/{order}/payment/do", "shop", order, "do", "body")
            assert (await payments.process(call, ProcessRequest(**payment_of(order)))).status == 202

        async def until(state: str) -> None:
            async with asyncio.timeout(30):
                while rounds.state != state:
                    await payments.settle(rounds)

        await until("failing")
        assert "none could be looked up: unavailable" in str(rounds.described()["why"])
        bank.tells = True
        await until("ok")
    finally:
        await mongo.close()
