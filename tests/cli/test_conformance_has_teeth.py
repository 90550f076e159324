"""The kit against a participant with one mistake at a time: it names the promises that are broken, and no others."""

import httpx
import pytest

from ordersaga.conformance.promises import PROMISES, Conformity, Result, try_all
from ordersaga.conformance.report import lines_of
from ordersaga.conformance.subject import Route, Subject
from ordersaga.conformance.templates import body_of, ledger_at, live_at
from tests.cli.broken import build

MISTAKES: list[tuple[str, str]] = [
    ("forgets-dos", "do-twice every-order accepted concurrent-dos"),
    ("forgets-undos", "undo-twice every-order concurrent-undos race"),
    ("undo-needs-a-do", "undo-first late-do every-order race stale-undo"),
    ("no-tombstone-for-nothing", "late-do every-order refusal-stored undo-of-accepted race"),
    ("stored-outranks-tombstone", "do-after-undone every-order refusal-stored race"),
    ("looks-then-writes", "concurrent-dos concurrent-undos race"),
    ("undo-overtakes", "concurrent-undos race"),
    ("forgets-refusals", "refusal-stored"),
    ("ignores-bodies", "another-body"),
    ("202-without-location", "accepted"),
    ("undo-forgets-the-pending", "undo-of-accepted"),
    ("ignores-namespaces", "other-namespace"),
    ("ignores-epochs", "stale-epoch raised-epoch stale-undo epoch-named"),
    ("names-no-epoch", "epoch-named"),
    ("believes-any-epoch", "epoch-ahead"),
    ("keeps-epochs-ahead", "epoch-ahead"),
    ("tells-no-time", "epoch-ahead"),
    ("replays-dont-raise", "raised-epoch"),
    ("ignores-unknown-fields", "unknown-field"),
    ("500-for-bad-bodies", "broken-body"),
    ("takes-any-key", "malformed-key"),
    ("trusts-the-body", "other-orders-key"),
    ("shows-no-key", "missing-key"),
    ("drops-correlation", "correlation"),
    ("names-no-order", "accepted names-order"),
    ("json-as-text", "names-order"),
    ("problems-as-json", "problems"),
    ("problems-without-detail", "problems missing-key unknown-field"),
]
"""A mistake, and every promise that it breaks: the first one is the report's first, the others follow from it."""


async def tried(*mistakes: str, takes_back: bool = True) -> list[Result]:
    transport = httpx.ASGITransport(build(*mistakes))
    async with httpx.AsyncClient(transport=transport, base_url="http://seats") as client:
        subject = Subject(
            do=Route("/api/seats/take", "seat", "do", body_of({"row": 1})),
            undo=Route("/api/seats/free", "seat", "undo", body_of({})),
            takes_back=takes_back,
            other=body_of({"row": 2}),
            refused=body_of({"row": 13}),
            slow=body_of({"row": 1, "pace": "slow"}),
            live=live_at(client, "/api/seats/{order_id}", "state=taken"),
            ledger=ledger_at(client, "/api/seats/{order_id}/ledger"),
        )
        return [result async for result in try_all(subject, [client], rounds=3, longest_pause=0.001)]


def broken(results: list[Result]) -> list[str]:
    return [result.promise.name for result in results if result.outcome is Conformity.BROKEN]


async def test_without_a_mistake_every_promise_is_kept() -> None:
    results = await tried()
    assert broken(results) == [], "\n".join(line for result in results for line in lines_of(result))
    assert {result.promise.name for result in results if result.outcome is Conformity.NOT_TRIED} == {"undo-too-late"}


@pytest.mark.parametrize(("mistake", "promises"), MISTAKES, ids=[mistake for mistake, _ in MISTAKES])
async def test_a_mistake_is_named_by_its_promise(mistake: str, promises: str) -> None:
    assert broken(await tried(mistake)) == promises.split()


async def test_who_says_that_it_keeps_what_it_did_must_not_take_it_back() -> None:
    assert broken(await tried(takes_back=False)) == ["undo-too-late"]


def test_every_promise_is_broken_by_some_mistake() -> None:
    assert {promise.name for promise in PROMISES} == {
        "undo-too-late",
        *" ".join(names for _, names in MISTAKES).split(),
    }


async def test_the_report_tells_the_calls_that_broke_it() -> None:
    late = next(result for result in await tried("no-tombstone-for-nothing") if result.promise.name == "late-do")
    lines = lines_of(late)
    assert lines[0].split()[:2] == ["BROKEN", "late-do"]
    assert "undo, do: expected 409 compensated, got 200" in lines[1]
    assert "because:" in lines[2]
    calls = [line for line in lines if "POST" in line]
    assert [("/seat/undo" in line, "/api/seats/free" in line) for line in calls] == [(True, True), (False, False)]
    assert "→ 200" in lines[-1]
