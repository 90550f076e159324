"""One saga as a picture of text."""

import pytest

from ordersaga.saga import timeline
from ordersaga.saga.record import Record
from ordersaga.saga.table import line
from saga_operator.process.events import Event
from tests.unit.process.builders import STEPS, after, done, lost, new_saga, refused, undone
from tests.unit.seeing.resources import record, resource


def drawn(saga: Record, *, unicode: bool = True) -> list[str]:
    return [line(cells) for cells in timeline.picture(saga, unicode=unicode)]


def test_a_completed_saga_is_one_line_through_all_steps() -> None:
    names, did = drawn(record(*done(*STEPS)))
    assert names.split() == ["order", "inventory", "payment", "shipping", "│", "confirmation", "notification"]
    assert did.count("✓") == 6
    assert did.count("▶") == 5


def test_a_rolled_back_one_goes_there_and_back() -> None:
    rolled_back = [*done("order", "inventory"), refused("payment"), *undone(*STEPS[:5])]
    _, did, undid = drawn(record(*rolled_back))
    assert [did.count(sign) for sign in "✓✗·"] == [2, 1, 3]
    assert did.index("✗") < did.index("│"), "the pivot is a line that it didn't reach"
    assert "◀" in undid
    assert "✗" not in undid


def test_every_sign_has_one_that_every_terminal_shows() -> None:
    rolling = record(*done("order", "inventory"), refused("payment"), *undone("confirmation"))
    for text in drawn(rolling, unicode=False):
        assert text.isascii()
    shown, plain = drawn(rolling), drawn(rolling, unicode=False)
    assert [len(each) for each in shown] == [len(each) for each in plain]


@pytest.mark.parametrize("events", [[], done("order"), [*done("order"), refused("inventory")], done(*STEPS)])
def test_every_step_stands_under_its_name(events: list[Event]) -> None:
    names, did, *_ = drawn(record(*events))
    for step in STEPS:
        begins = names.index(step)
        assert did[begins : begins + len(step)].strip(), f"nothing is under {step}:\n{names}\n{did}"


def test_below_it_each_step_has_its_attempts_and_why() -> None:
    saga = after(new_saga(), *done("order"), lost("inventory"), lost("inventory"))
    lines = list(timeline.attempts(Record(resource(saga))).lines())
    assert lines[0].split() == ["STEP", "STATE", "BEGAN", "TOOK", "TRIED", "WHY"]
    inventory = next(each for each in lines if each.startswith("inventory"))
    assert inventory.endswith("NoAnswer: lost")
    assert " 2 " in inventory


def test_what_a_service_said_can_not_move_the_cursor() -> None:
    evil = refused("inventory", "Out\x1b[2Jof")
    text = "\n".join(timeline.attempts(record(*done("order"), evil)).lines())
    assert "\x1b" not in text
