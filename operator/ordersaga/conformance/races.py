"""Calls at the same time, as replicas of the operator and the participant cause them."""

import asyncio

from ordersaga.conformance.trial import BrokenError, Trial, expect, expect_same, expect_success

AT_ONCE = 6
"""Calls at the same time: within a few rounds, any two database accesses of two calls interleave."""


async def concurrent_dos(trial: Trial) -> None:
    """dos at once"""
    for _ in range(trial.rounds):
        order_id = trial.new_order()
        answers = await asyncio.gather(*(trial.settled("do", order_id) for _ in range(AT_ONCE)))
        for answer in answers:
            expect_success(answer, f"{AT_ONCE} dos at once")
            expect_same(answer, answers[0], f"{AT_ONCE} dos at once")
        await trial.expect_live(order_id, True, f"{AT_ONCE} dos at once")
        await trial.expect_ledger(order_id, f"{AT_ONCE} dos at once", lengths=(0, 1))


async def concurrent_undos(trial: Trial) -> None:
    """do, undos at once"""
    when = f"do, {AT_ONCE} undos at once"
    for _ in range(trial.rounds):
        order_id = trial.new_order()
        expect_success(await trial.settled("do", order_id), "do")
        answers = await asyncio.gather(*(trial.settled("undo", order_id) for _ in range(AT_ONCE)))
        for answer in answers:
            expect_success(answer, when, effect="undone")
            expect_same(answer, answers[0], when)
        await trial.expect_live(order_id, False, when)
        await trial.expect_ledger(order_id, when, lengths=(0, 2))


async def race(trial: Trial) -> None:
    """dos and undos at once: whichever comes first, nothing is left after the undo"""
    when = "dos and undos at once"
    for number in range(2 * trial.rounds):
        order_id = trial.new_order()
        calls = [trial.do, trial.undo, trial.do, trial.undo]
        if number % 2:
            calls.reverse()
        for answer in await asyncio.gather(*(call(order_id) for call in calls)):
            conflict = answer.status == 409 and answer.code in ("compensated", "running")
            if not (answer.succeeded or answer.status == 202 or conflict):
                raise BrokenError(f"{when}: {answer.label} was answered {answer.summary()}")
        expect_success(await trial.settled("undo", order_id), f"{when}, undo")
        expect(await trial.do(order_id), 409, "compensated", f"{when}, undo, do")
        await trial.expect_live(order_id, False, when)
        await trial.expect_ledger(order_id, when, lengths=(0, 2))
