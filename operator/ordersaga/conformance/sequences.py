"""Calls one after the other: repeated, late, in reverse. Each function raises BrokenError if its promise is broken."""

from itertools import permutations

from ordersaga.conformance.trial import BrokenError, Trial, expect, expect_same, expect_success


async def do_twice(trial: Trial) -> None:
    """do, do"""
    order_id = trial.new_order()
    first = expect_success(await trial.settled("do", order_id), "do")
    again = await trial.do(order_id)
    expect_same(again, first, "do, do")
    await trial.expect_live(order_id, True, "do, do")
    await trial.expect_ledger(order_id, "do, do", lengths=(0, 1))


async def undo_twice(trial: Trial) -> None:
    """do, undo, undo"""
    order_id = trial.new_order()
    expect_success(await trial.settled("do", order_id), "do")
    first = expect_success(await trial.settled("undo", order_id), "do, undo", effect="undone")
    expect_same(await trial.undo(order_id), first, "do, undo, undo")
    await trial.expect_live(order_id, False, "do, undo, undo")
    await trial.expect_ledger(order_id, "do, undo, undo", lengths=(0, 2))


async def undo_first(trial: Trial) -> None:
    """undo, undo"""
    order_id = trial.new_order()
    first = expect_success(await trial.settled("undo", order_id), "undo without a do", effect="none")
    expect_same(await trial.undo(order_id), first, "undo, undo without a do")
    await trial.expect_live(order_id, False, "undo without a do")
    await trial.expect_ledger(order_id, "undo without a do", lengths=(0,))


async def late_do(trial: Trial) -> None:
    """undo, do"""
    order_id = trial.new_order()
    expect_success(await trial.settled("undo", order_id), "undo without a do")
    expect(await trial.do(order_id), 409, "compensated", "undo, do")
    expect(await trial.do(order_id), 409, "compensated", "undo, do, do")
    await trial.expect_live(order_id, False, "undo, do")
    await trial.expect_ledger(order_id, "undo, do", lengths=(0,))


async def do_after_undone(trial: Trial) -> None:
    """do, undo, do"""
    order_id = trial.new_order()
    expect_success(await trial.settled("do", order_id), "do")
    expect_success(await trial.settled("undo", order_id), "do, undo")
    expect(await trial.do(order_id), 409, "compensated", "do, undo, do")
    await trial.expect_live(order_id, False, "do, undo, do")


async def every_order(trial: Trial) -> None:
    """All orders of three dos and two undos."""
    for calls in sorted(set(permutations(("do", "do", "do", "undo", "undo")))):
        order_id, undone, done = trial.new_order(), False, ""
        for call in calls:
            done = f"{done}, {call}".removeprefix(", ")
            late = undone and call == "do"
            answer = await trial.settled("do" if call == "do" else "undo", order_id)
            undone = undone or call == "undo"
            if late:
                expect(answer, 409, "compensated", done)
            else:
                expect_success(answer, done)
        await trial.expect_live(order_id, False, done)
        await trial.expect_ledger(order_id, done, lengths=(0, 2))


async def undo_too_late(trial: Trial) -> None:
    """do, undo, at a participant whose effects can't be taken back"""
    order_id = trial.new_order()
    first = expect_success(await trial.settled("do", order_id), "do")
    for when in ("do, undo", "do, undo, undo"):
        answer = expect(await trial.settled("undo", order_id), 409, "", when)
        if answer.code in ("", "compensated"):
            raise BrokenError(f"{when}: the 409 needs a business reason as its code, got {answer.code!r}")
    expect_same(await trial.do(order_id), first, "do, undo, do")
    await trial.expect_live(order_id, True, "do, undo")
    await trial.expect_ledger(order_id, "do, undo", lengths=(0, 1))


async def another_body(trial: Trial) -> None:
    """do, then a do with other content under the same key"""
    order_id = trial.new_order()
    first = expect_success(await trial.settled("do", order_id), "do")
    expect(await trial.do(order_id, body=trial.subject.other), 422, "key_reused", "do, do with another body")
    expect_same(await trial.do(order_id), first, "do, do with another body, do")


async def refusal_stored(trial: Trial) -> None:
    """do that is refused, do, undo, do"""
    order_id, body = trial.new_order(), trial.subject.refused
    first = expect(await trial.settled("do", order_id, body=body), 409, "", "do that is refused")
    if first.code in ("", "compensated", "running"):
        raise BrokenError(f"do that is refused: the 409 needs the business reason as its code, got {first.code!r}")
    expect_same(await trial.do(order_id, body=body), first, "refused do, do")
    undone = expect_success(await trial.settled("undo", order_id), "refused do, undo", effect="none")
    expect_same(await trial.undo(order_id), undone, "refused do, undo, undo")
    expect(await trial.do(order_id, body=body), 409, "compensated", "refused do, undo, do")
    await trial.expect_live(order_id, False, "refused do, undo")


async def accepted(trial: Trial) -> None:
    """do that is answered 202, GETs of its Location until it has ended, and the POST again"""
    order_id, body = trial.new_order(), trial.subject.slow
    first = expect(await trial.do(order_id, body=body), 202, "", "do that takes its time")
    location = first.headers.get("location", "")
    if not location.startswith("/"):
        raise BrokenError(f"a 202 needs a Location that is a path of the same participant, got {location or 'none'!r}")
    if not first.headers.get("retry-after", "").isdigit():
        raise BrokenError("a 202 needs Retry-After in seconds")
    expect(await trial.look(order_id, location), (200, 202), "", f"GET {location}")
    final = expect_success(await trial.settled("do", order_id, body=body), "do that takes its time, in the end")
    expect_same(await trial.do(order_id, body=body), final, "the POST after the end")
    expect_same(await trial.look(order_id, location), final, f"GET {location} after the end")
    await trial.expect_ledger(order_id, "do that takes its time", lengths=(0, 1))


async def undo_of_accepted(trial: Trial) -> None:
    """do that is answered 202, undo while it isn't settled, do"""
    order_id, body = trial.new_order(), trial.subject.slow
    expect(await trial.do(order_id, body=body), 202, "", "do that takes its time")
    expect_success(await trial.settled("undo", order_id), "undo while the do is in progress")
    expect(await trial.do(order_id, body=body), 409, "compensated", "do, undo, do")
    await trial.expect_live(order_id, False, "undo while the do was in progress")
    await trial.expect_ledger(order_id, "undo while the do was in progress", lengths=(0, 2))
