"""Claims about one call after the other: repeated, late, reversed."""

from itertools import permutations

from ordersaga.conformance.claims import LASTING, OTHER, REFUSED, SLOW, UNDOABLE, Claim
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
    """do, undo, of what can't be taken back"""
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
    """do, do with other content under the same key"""
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
    """do that is answered 202, its Location until it has ended, and the POST again"""
    order_id, body = trial.new_order(), trial.subject.slow
    first = expect(await trial.do(order_id, body=body), 202, "", "do that takes its time")
    location = first.headers.get("location", "")
    if not location.startswith("/"):
        raise BrokenError(f"a 202 needs a Location that is a path of the same participant, got {location or 'none'!r}")
    if not first.headers.get("retry-after", "").isdigit():
        raise BrokenError("a 202 needs Retry-After in seconds")
    expect(await trial.look(order_id, location), (200, 202), "", f"GET {location}")
    final = expect_success(await trial.settled("do", order_id, body=body), "do that takes its time, at last")
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


CLAIMS = (
    Claim(
        "do-twice",
        "A do happens once, and its answer is repeated.",
        "the operator calls again whenever an answer was lost: each repetition would happen again",
        do_twice,
    ),
    Claim(
        "undo-first",
        "An undo that finds nothing succeeds with effect none.",
        "a rollback undoes every step, also those whose do never arrived: it would hang for ever",
        undo_first,
    ),
    Claim(
        "late-do",
        "A do that comes after the undo is refused: 409 compensated.",
        "a do that was slow on its way would happen after its order was rolled back, and nobody would undo it",
        late_do,
    ),
    Claim(
        "undo-twice",
        "An undo takes the effect back once, and its answer is repeated.",
        "the operator calls again whenever an answer was lost: money would be given back twice",
        undo_twice,
        (UNDOABLE,),
    ),
    Claim(
        "do-after-undone",
        "A do that was undone stays undone: its key is answered 409 compensated, not with the stored answer.",
        "a second orchestrator would take the stored success for a step that stands, and confirm the order",
        do_after_undone,
        (UNDOABLE,),
    ),
    Claim(
        "every-order",
        "Whatever order dos and undos come in, after an undo nothing is left.",
        "calls overtake each other on the network, and processes die between any two of them",
        every_order,
        (UNDOABLE,),
    ),
    Claim(
        "undo-too-late",
        "An undo of what can't be taken back is 409 with a business reason; nothing is stored.",
        "the books would say that something was taken back which was not",
        undo_too_late,
        (LASTING,),
    ),
    Claim(
        "another-body",
        "The same key with other content is 422 key_reused, and changes nothing.",
        "an order's content never changes: whoever comes with another one would be told that it was done",
        another_body,
        (OTHER,),
    ),
    Claim(
        "refusal-stored",
        "A business no is 409 with its reason, the same for ever, and there is nothing to undo.",
        "a repeated call would be told yes after the saga was told no, and the rollback would not undo it",
        refusal_stored,
        (REFUSED,),
    ),
    Claim(
        "accepted",
        "What takes its time is 202 with Location and Retry-After; the Location ends with the POST's answer.",
        "the operator looks at the Location instead of asking again, and would never learn the outcome",
        accepted,
        (SLOW,),
    ),
    Claim(
        "undo-of-accepted",
        "An undo while the do is in progress takes it back as soon as it is settled.",
        "what settles after the rollback would be left",
        undo_of_accepted,
        (SLOW, UNDOABLE),
    ),
)
