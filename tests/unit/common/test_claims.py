"""What a call is told while the provider hasn't settled it."""

from typing import Any

import pytest

from common.barrier import Accepted, Barrier, Call, Claims, Happened
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
    claims = Claims(Barrier(Documents(simulation)), Slow(simulation, estimate), location="/operations")  # type: ignore[arg-type]
    answer = await claims.do(Call("shop/o-1/payment/do", "shop", "o-1", "do", "body"), {"status": "processing"})
    assert (answer.status, answer.headers["Retry-After"], answer.headers["Location"]) == (
        202,
        told,
        "/operations/o-1/do",
    )


async def test_a_provider_that_settles_later_needs_an_operations_endpoint() -> None:
    simulation = calm()
    claims = Claims(Barrier(Documents(simulation)), Slow(simulation, 1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="location"):
        await claims.do(Call("shop/o-1/payment/do", "shop", "o-1", "do", "body"), {"status": "processing"})
