"""Every order of do and undo at every participant: duplicate, late, reversed, concurrent."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import permutations

import httpx
import pytest

from tests.contract.conftest import Stage

ROUNDS = 5
"""Concurrent tests are a matter of luck; five rounds on two replicas have found every race that was put in on trial."""


async def until_settled(call: Callable[[str], Awaitable[httpx.Response]], order_id: str) -> httpx.Response:
    """Ask again while somebody else is at work, as the engine does."""
    for _ in range(200):
        answer = await call(order_id)
        if answer.status_code != 409 or answer.json()["code"] != "running":
            return answer
        await asyncio.sleep(0.02)
    raise AssertionError("running for ever")


async def test_a_do_happens_once_and_its_answer_is_repeated(stage: Stage, order_id: str) -> None:
    first = await stage.do(order_id)
    assert first.status_code == 200, first.text
    again = await stage.do(order_id)
    assert (again.status_code, again.json()) == (200, first.json())
    assert await stage.is_live(order_id)
    assert len(await stage.ledger(order_id)) <= 1


async def test_the_same_key_with_another_body_is_refused(stage: Stage, order_id: str) -> None:
    first = await stage.do(order_id)
    other = await stage.do(order_id, body=stage.participant.other(order_id))
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    assert (await stage.do(order_id)).json() == first.json()


async def test_an_undo_takes_the_effect_back_and_its_answer_is_repeated(returning: Stage, order_id: str) -> None:
    await returning.do(order_id)
    first = await returning.undo(order_id)
    assert (first.status_code, first.json()["effect"]) == (200, "undone"), first.text
    again = await returning.undo(order_id)
    assert (again.status_code, again.json()) == (200, first.json())
    assert not await returning.is_live(order_id)
    assert len(await returning.ledger(order_id)) in (0, 2)


async def test_an_undo_that_finds_nothing_succeeds_and_shows_nothing(stage: Stage, order_id: str) -> None:
    first = await stage.undo(order_id)
    assert (first.status_code, first.json()["effect"]) == (200, "none"), first.text
    assert (await stage.undo(order_id)).json() == first.json()
    assert (await stage.resource(order_id)).status_code == 404


async def test_a_late_do_meets_the_tombstone(stage: Stage, order_id: str) -> None:
    await stage.undo(order_id)
    late = await stage.do(order_id)
    assert (late.status_code, late.json()["code"]) == (409, "compensated")
    assert not await stage.is_live(order_id)
    assert await stage.ledger(order_id) == []


async def test_a_tombstone_outranks_a_stored_answer(returning: Stage, order_id: str) -> None:
    await returning.do(order_id)
    await returning.undo(order_id)
    late = await returning.do(order_id)
    assert (late.status_code, late.json()["code"]) == (409, "compensated")
    assert not await returning.is_live(order_id)


async def test_concurrent_dos_are_one_effect(stage: Stage, order_id: str) -> None:
    for n in range(ROUNDS):
        one = f"{order_id}-{n}"
        answers = await asyncio.gather(*(until_settled(stage.do, one) for _ in range(6)))
        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert len(await stage.ledger(one)) <= 1


async def test_concurrent_undos_are_one_effect(returning: Stage, order_id: str) -> None:
    for n in range(ROUNDS):
        one = f"{order_id}-{n}"
        await returning.do(one)
        answers = await asyncio.gather(*(until_settled(returning.undo, one) for _ in range(6)))
        assert {(answer.status_code, answer.json()["effect"]) for answer in answers} == {(200, "undone")}
        assert not await returning.is_live(one)
        assert len(await returning.ledger(one)) in (0, 2)


async def test_when_do_and_undo_race_nothing_is_left(returning: Stage, order_id: str) -> None:
    for n in range(2 * ROUNDS):
        one = f"{order_id}-{n}"
        calls = [returning.do, returning.undo, returning.do, returning.undo]
        if n % 2:
            calls.reverse()
        await asyncio.gather(*(call(one) for call in calls))
        undone = await until_settled(returning.undo, one)
        assert undone.status_code == 200, undone.text
        late = await returning.do(one)
        assert (late.status_code, late.json()["code"]) == (409, "compensated")
        assert not await returning.is_live(one)
        ledger = await returning.ledger(one)
        assert len(ledger) == len(set(ledger)), f"an effect happened twice: {ledger}"
        assert len(ledger) in (0, 2), f"an effect was left, or taken back without being there: {ledger}"


@pytest.mark.parametrize("order", sorted(set(permutations("ddduu", 5))), ids="".join)
async def test_every_order_of_calls_ends_the_same(returning: Stage, order_id: str, order: tuple[str, ...]) -> None:
    """Three dos and two undos, one after the other: effects at most once, and none left after the last undo."""
    undone = False
    for call in order:
        answer = await (returning.do if call == "d" else returning.undo)(order_id)
        undone = undone or call == "u"
        expected = 409 if undone and call == "d" else 200
        assert answer.status_code == expected, answer.text
    assert not await returning.is_live(order_id)
    ledger = await returning.ledger(order_id)
    assert len(ledger) == len(set(ledger))
