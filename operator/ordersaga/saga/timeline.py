"""One saga as a picture of text: its steps to the right, their compensations back to the left, each attempt. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ordersaga.saga.record import PIVOT, Attempt, Call, Record, StepRecord
from ordersaga.saga.table import Cell, Style, Table
from ordersaga.saga.words import took

WIDTH: Final = 14
"""Columns of a step in the picture: six of them and the pivot's line fit into 90."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign in the picture, with one that every terminal can show, and its colour."""

    sign: str
    ascii: str
    style: Style = Style.PLAIN


DONE = Mark("✓", "+", Style.GOOD)
NOT_YET = Mark("·", ".", Style.DIM)
NOW = Mark("▶", ">", Style.BUSY)
REFUSED = Mark("✗", "x", Style.BAD)
UNKNOWN = Mark("?", "?", Style.WARN)
STUCK = Mark("✗", "X", Style.BAD)
NOTHING = Mark("○", "o", Style.DIM)
UNDOING = Mark("◀", "<", Style.BUSY)
LEFT_OUT = Mark("–", "-", Style.WARN)
BLANK = Mark(" ", " ")


def picture(saga: Record, *, unicode: bool) -> Iterator[list[Cell]]:
    """Three lines of cells: the names, what was done, and, if it is rolled back, what was undone."""
    steps = saga.steps
    bar = " │ " if unicode else " | "
    yield [*_row([_centred(step.name, Style.PLAIN) for step in steps], steps, bar)]
    yield [*_row(_lane([_did(step, saga) for step in steps], forward=True, unicode=unicode), steps, bar)]
    if saga.failure is not None or any(step.undo is not None for step in steps):
        lane = _lane([_undid(step, saga) for step in steps], forward=False, unicode=unicode)
        yield [*_row(lane, steps, bar)]


def attempts(saga: Record) -> Table:
    """Every step with what became of it, and below it each attempt that is recorded."""
    table = Table(["STEP", "", "STATE", "BEGAN", "TOOK", "TRIED", "WHY"])
    start = saga.started or saga.created
    for step in saga.steps:
        table.add(step.name, "do", _state(step), *_call(step.do, start), _why(step.do))
        _add(table, [each for each in step.history if not each.undo], start)
        if step.undo is not None:
            stuck = step.is_stuck
            state = "Failed" if stuck else "Undone" if step.undo.ended is not None else "Undoing"
            style = Style.BAD if stuck else Style.GOOD if step.undo.ended is not None else Style.BUSY
            table.add("", "undo", Cell(state, style), *_call(step.undo, start), _why(step.undo))
            _add(table, [each for each in step.history if each.undo], start)
    return table


def _add(table: Table, history: Sequence[Attempt], start: float) -> None:
    for each in history:
        at = "" if each.at is None else f"+{took(each.at - start)}".replace("+< 1 s", "+0 s")
        dim = [Cell(text, Style.DIM) for text in (f"  {each.outcome}", at, f"{each.took} ms", "", each.reason)]
        table.add("", "", *dim)


def _call(call: Call, start: float) -> tuple[str, str, str]:
    if call.began is None:
        return "", "", str(call.attempts or "")
    began = f"+{took(call.began - start)}".replace("+< 1 s", "+0 s")
    return began, took(None if call.ended is None else call.ended - call.began), str(call.attempts or "")


def _why(call: Call) -> str:
    return f"{call.reason}: {call.message}" if call.reason and call.message else call.reason or call.message


def _state(step: StepRecord) -> Cell:
    """What became of the action, whatever has been undone since."""
    if step.do.began is None and step.state != "Pending":
        return Cell("Not called", Style.DIM)
    if step.state in ("Compensated", "CompensationFailed", "Skipped") and step.undo is not None:
        return Cell("Succeeded", Style.GOOD) if step.do.ended is not None else Cell("Unknown", Style.WARN)
    return Cell(step.state, _DID.get(step.state, NOT_YET).style)


_DID: Final = {
    "Succeeded": DONE,
    "Compensated": DONE,
    "CompensationFailed": DONE,
    "Refused": REFUSED,
    "Unknown": UNKNOWN,
    "Pending": NOT_YET,
    "Skipped": LEFT_OUT,
}


def _did(step: StepRecord, saga: Record) -> Mark:
    forward = saga.failure is None and not saga.is_finished
    if forward and step.name == saga.step and step.state == "Pending":
        return NOW
    if step.state in ("Compensated", "CompensationFailed", "Skipped") and saga.failure is not None:
        return (
            DONE if step.do.ended is not None or step.external_id else UNKNOWN if step.do.began is not None else NOT_YET
        )
    return _DID.get(step.state, NOT_YET)


def _undid(step: StepRecord, saga: Record) -> Mark:
    if step.is_stuck:
        return STUCK
    if step.undo is not None and step.undo.ended is not None:
        return NOTHING if step.state == "Skipped" else DONE
    if step.state == "Compensated":
        return DONE
    if step.name == saga.step and not saga.is_finished:
        return UNDOING
    return BLANK


def _centred(text: str, style: Style) -> Cell:
    return Cell(text.center(WIDTH), style)


def _lane(marks: Sequence[Mark], *, forward: bool, unicode: bool) -> list[Cell]:
    """Marks in the middle of their columns, with a line from the first that was reached to the last, and its arrows."""
    reached = [position for position, mark in enumerate(marks) if mark not in (NOT_YET, BLANK)]
    first, last = (reached[0], reached[-1]) if reached else (0, -1)
    line, right, left = ("─", "▶", "◀") if unicode else ("-", ">", "<")
    half = (WIDTH - 1) // 2
    cells = []
    for position, mark in enumerate(marks):
        sign = mark.sign if unicode else mark.ascii
        if mark is BLANK and first < position < last:
            sign = line
        before = after = " "
        if first < position <= last:
            before = line
        if first <= position < last:
            after = line
        if sign == line:
            text = line * WIDTH
        else:
            into = right if forward and before == line else before
            out_of = left if not forward and after == line else after
            text = before * (half - 2) + f"{into} {sign} {out_of}" + after * (WIDTH - half - 3)
        cells.append(Cell(text, mark.style))
    return cells


def _row(cells: Sequence[Cell], steps: Sequence[StepRecord], bar: str) -> Iterator[Cell]:
    for cell, step in zip(cells, steps, strict=True):
        if step.name == PIVOT:
            yield Cell(bar, Style.DIM)
        yield cell
