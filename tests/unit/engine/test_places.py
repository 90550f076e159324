"""Where one saga waits for its turns, and that it gives them up when it doesn't need them."""

import asyncio

from saga_operator.engine.calls.breaker import CircuitBreaker
from saga_operator.engine.calls.places import Places
from saga_operator.process.decide import Undo, decide
from saga_operator.process.steps import BY_NAME
from tests.unit.engine.network import simulated
from tests.unit.process.builders import BEFORE_PIVOT, NOW, after, done, new_saga, undone

PAYMENT, SHIPPING = Undo(BY_NAME["payment"]), Undo(BY_NAME["shipping"])


class Shop:
    """Participants that make one call at a time, and the sagas whose turn came."""

    def __init__(self) -> None:
        names = ("order", "inventory", "payment", "shipping", "notification")
        self.breakers = {name: CircuitBreaker(name, now=lambda: NOW, concurrency=1, rate=0) for name in names}
        self.turns: list[str] = []

    def places(self, saga: str) -> Places:
        return Places(saga, self.breakers, lambda step: self.turns.append(f"{saga} {step}"))


def test_a_saga_that_has_nothing_to_call_any_more_gives_its_turn_away_at_once() -> None:
    async def main() -> None:
        shop = Shop()
        assert shop.places("o-first").take(PAYMENT, NOW)
        suspended, waiting = shop.places("o-suspended"), shop.places("o-waiting")
        for places in (suspended, waiting):
            assert not places.take(PAYMENT, NOW)
        with shop.breakers["payment"].call("o-first"):
            suspended.keep_only([])
        assert shop.turns == ["o-waiting payment"]
        assert waiting.take(PAYMENT, NOW)

    simulated(main())


def test_a_turn_that_has_come_is_given_away_as_well() -> None:
    async def main() -> None:
        shop = Shop()
        assert shop.places("o-first").take(PAYMENT, NOW)
        cancelled, waiting = shop.places("o-cancelled"), shop.places("o-waiting")
        for places in (cancelled, waiting):
            assert not places.take(PAYMENT, NOW)
        with shop.breakers["payment"].call("o-first"):
            pass
        assert shop.turns == ["o-cancelled payment"]
        cancelled.keep_only([SHIPPING])
        assert shop.turns == ["o-cancelled payment", "o-waiting payment"]

    simulated(main())


def test_a_turn_that_is_not_used_goes_to_the_next_one() -> None:
    async def main() -> None:
        shop = Shop()
        assert shop.places("o-first").take(PAYMENT, NOW)
        for name in ("o-deaf", "o-waiting"):
            assert not shop.places(name).take(PAYMENT, NOW)
        with shop.breakers["payment"].call("o-first"):
            pass
        await asyncio.sleep(5.0)
        assert shop.turns == ["o-deaf payment", "o-waiting payment"]

    simulated(main())


def test_a_rollback_that_waits_at_one_participant_calls_the_others_meanwhile() -> None:
    async def main() -> None:
        shop, saga = Shop(), after(new_saga(), *done(*BEFORE_PIVOT)).roll_back("payment", "Cancelled", "")
        saga = after(saga, *undone("confirmation"))
        assert shop.places("o-first").take(SHIPPING, NOW)
        places = shop.places("o-rollback")
        assert decide(saga, NOW) == SHIPPING
        assert not places.take(SHIPPING, NOW)
        assert decide(places.as_seen(saga), NOW) == PAYMENT
        with shop.breakers["shipping"].call("o-first"):
            pass
        assert shop.turns == ["o-rollback shipping"]
        assert decide(places.as_seen(saga), NOW) == SHIPPING

    simulated(main())
