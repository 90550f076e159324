"""In every order of moves, deaths and lost answers there is at most one charge and one refund, and each call ends.

Afterwards the participant is down for so long that the provider has forgotten its keys.
"""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.common.simulation import SimulatedOrder, Simulation

KINDS = st.sampled_from(["captured", "declined", "unavailable", "pending-captured", "pending-declined"])
CHOICES = st.lists(st.integers(0, 10_000), min_size=20, max_size=120)
EXAMPLES = 400
"""Takes about ten seconds; nearly every run finds the bugs that were put in on trial."""


@settings(max_examples=EXAMPLES, deadline=None)
@given(KINDS, st.lists(st.sampled_from(["do", "undo", "resume"]), min_size=2, max_size=5), CHOICES)
def test_after_an_undo_nothing_is_left(kind: str, moves: list[str], choices: list[int]) -> None:
    async def scenario() -> None:
        simulation = Simulation(choices)
        order = SimulatedOrder(simulation, kind)
        answers = await simulation.run([getattr(order, move) for move in moves])
        order.provider.forget()
        undone = await order.until_answered(order.undo)
        assert undone.status == 200
        assert order.provider.ledger in ([], ["charge", "refund"])
        assert undone.body["effect"] == ("undone" if order.provider.ledger else "none")
        assert {a.body["effect"] for a in answers if "effect" in a.body} <= {undone.body["effect"]}
        shown = order.documents.kept["o-1"]
        assert shown.get("status", "none") in ("none", "refunded", "failed", "declined")
        assert "waiting" not in shown["barrier"]
        late = await order.until_answered(order.do)
        assert (late.status, late.body["code"]) == (409, "compensated")
        assert order.provider.ledger in ([], ["charge", "refund"])

    asyncio.run(scenario())


@settings(max_examples=EXAMPLES, deadline=None)
@given(KINDS, st.lists(st.sampled_from(["do", "do", "resume"]), min_size=2, max_size=5), CHOICES)
def test_without_an_undo_it_happens_once_and_all_answers_agree(kind: str, moves: list[str], choices: list[int]) -> None:
    async def scenario() -> None:
        simulation = Simulation(choices)
        order = SimulatedOrder(simulation, kind)
        answers = await simulation.run([getattr(order, move) for move in moves])
        order.provider.forget()
        done = await order.until_answered(order.do)
        given = [a for a in answers if a.status == 200 or a.body.get("code") == "card_declined"]
        assert all((a.status, a.body) == (done.status, done.body) for a in given)
        if kind.endswith("declined"):
            assert (done.status, done.body["code"]) == (409, "card_declined")
            assert order.provider.ledger == []
        else:
            assert (done.status, done.body["status"]) == (200, "captured")
            assert order.provider.ledger == ["charge"]

    asyncio.run(scenario())
