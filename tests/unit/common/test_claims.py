"""What a call is told while the provider hasn't settled it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.barrier import Accepted, Answer, Barrier, Call, Claims, Happened, Operation
from common.errors import Unavailable
from common.wire import utcnow
from tests.unit.common.simulation import Documents, SimulatedProvider, Simulation


class Slow(SimulatedProvider):
    """A provider that accepts everything and settles nothing; `seconds` is its estimate."""

    def __init__(self, simulation: Simulation, seconds: float) -> None:
        super().__init__(simulation, "pending-captured")
        self._seconds = seconds

    async def ask(self, document: Any) -> Happened | Accepted:
        return Accepted(retry_after=self._seconds)

    resolve = ask


def calm() -> Simulation:
    return Simulation([], calm=True)


@pytest.mark.parametrize(
    ("estimate", "told"), [(2, "2"), (2.1, "3"), (0, "1"), (-5, "1"), (3600, "60"), (float("inf"), "60")]
)
async def test_a_202_passes_on_the_providers_estimate_in_whole_seconds_and_within_bounds(
    estimate: float, told: str
) -> None:
    simulation = calm()
    claims = Claims(Barrier(Documents(simulation)), Slow(simulation, estimate), location="/operations", clock=utcnow)  # type: ignore[arg-type]
    answer = await claims.do(Call("shop/o-1/payment/do", "shop", "o-1", "do", "body"), {"status": "processing"})
    assert (answer.status, answer.headers["Retry-After"], answer.headers["Location"]) == (
        202,
        told,
        "/operations/o-1/do",
    )


async def test_a_provider_that_settles_later_needs_an_operations_endpoint() -> None:
    simulation = calm()
    claims = Claims(Barrier(Documents(simulation)), Slow(simulation, 1), clock=utcnow)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="location"):
        await claims.do(Call("shop/o-1/payment/do", "shop", "o-1", "do", "body"), {"status": "processing"})


class Watched(SimulatedProvider):
    """A provider that notes what it is asked; it gives no answer to the first charge."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(simulation, "captured")
        self.asked: list[str] = []

    async def ask(self, document: Any) -> Happened | Accepted:
        self.asked.append("ask")
        result = await super().ask(document)
        if self.asked == ["ask"]:
            raise TimeoutError("the answer got lost")
        return result

    async def find(self, document: Any) -> Happened | Accepted | None:
        self.asked.append("find")
        return await super().find(document)


async def test_only_what_may_have_been_asked_before_is_looked_up() -> None:
    provider = Watched(simulation := calm())
    claims = Claims(Barrier(Documents(simulation)), provider, location="/operations", clock=utcnow)  # type: ignore[arg-type]
    call, fields = Call("shop/o-1/payment/do", "shop", "o-1", "do", "body"), {"order_id": "o-1", "status": "processing"}
    with pytest.raises(Unavailable):
        await claims.do(call, fields)
    provider.forget()
    assert (await claims.do(call, fields)).status == 200
    assert provider.asked == ["ask", "find"]
    assert provider.ledger == ["charge"]


class Overtaken(SimulatedProvider):
    """A provider that says the first time that it goes on with a charge, and by then has told somebody else its end."""

    undo: Callable[[], Awaitable[Answer]]

    def __init__(self, simulation: Simulation, kind: str) -> None:
        super().__init__(simulation, kind)
        self._asked = 0

    async def ask(self, document: Any) -> Happened | Accepted:
        self._asked += 1
        if self._asked == 1:
            raise TimeoutError("the answer got lost")
        if self._asked > 2:
            return await super().ask(document)
        await self.undo()
        return Accepted()

    resolve = ask


@pytest.mark.parametrize(
    ("kind", "status", "effect"), [("captured", "refunded", "undone"), ("declined", "declined", "none")]
)
async def test_an_undo_that_is_overtaken_leaves_what_the_other_one_has_found_out(
    kind: str, status: str, effect: str
) -> None:
    now = [NOW]
    documents = Documents(simulation := calm())
    provider = Overtaken(simulation, kind)
    claims = Claims(Barrier(documents), provider, location="/operations", clock=lambda: now[0])  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        await claims.do(
            Call("shop/o-1/payment/do", "shop", "o-1", "do", "body"), {"order_id": "o-1", "status": "processing"}
        )

    async def undo() -> Answer:
        now[0] += timedelta(seconds=11)  # the claim of the one before is over
        return await claims.undo(Call("shop/o-1/payment/undo", "shop", "o-1", "undo", "body"))

    provider.undo = undo
    answer = await undo()
    assert (answer.status, answer.body["effect"]) == (200, effect)
    assert documents.kept["o-1"]["status"] == status


LEASE = timedelta(seconds=10)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "held"), [(-1, False), (1, True), (10, True), (15, True), (21, False), (3600, False), (10**8, False)]
)
def test_a_lease_that_ends_further_away_than_any_can_is_not_believed(seconds: int, held: bool) -> None:
    """A host whose clock was an hour ahead died in a charge: nobody waits an hour for it."""
    claim = Operation("body", "running", token="t", until=NOW + timedelta(seconds=seconds))
    assert claim.held(NOW, LEASE) is held
