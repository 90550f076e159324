"""`kubectl saga trace` as a tree: what the docs show is what is printed."""

from pathlib import Path
from typing import Any

from ordersaga.saga.trace import tree
from saga_operator.process.events import DoRefused, NoUsableAnswer, Outcome, Succeeded, Undone
from saga_operator.process.saga import Saga
from saga_operator.resource.attempts import History, noted
from saga_operator.resource.trace.place import Place
from saga_operator.resource.trace.spans import Story, spans_of
from tests.unit.process.builders import CREATED, after, new_saga
from tests.unit.resource.runs import UID

DOCS = Path(__file__).parents[3] / "docs" / "tracing.md"


class Seen:
    """A saga whose calls are answered one after the other, each after so many seconds."""

    def __init__(self) -> None:
        self.now = CREATED + 0.031
        self.saga: Saga = new_saga()
        self.history: History = {}

    def answer(
        self, kind: type[Any], step: str, took: float, number: int = 1, pause: float = 0.003, **said: Any
    ) -> None:
        began = self.now = self.now + pause
        self.now += took
        outcome: Outcome = kind(step=step, started=began, at=self.now, **said)
        self.saga = after(self.saga, outcome)
        self.history = noted(self.history, outcome, undo=kind is Undone, number=number)


def test_the_docs_show_a_trace_as_it_is_printed() -> None:
    seen = Seen()
    seen.answer(Succeeded, "order", 0.012, pause=0.0)
    seen.answer(Succeeded, "inventory", 0.009)
    seen.answer(NoUsableAnswer, "payment", 0.021, undo=False, reason="Unavailable")
    seen.answer(Succeeded, "payment", 0.034, number=2, pause=0.803)
    seen.answer(DoRefused, "shipping", 0.008, reason="NotServiceable")
    for step in ("confirmation", "payment", "inventory", "order"):
        seen.answer(Undone, step, 0.011, pause=0.023 if step == "confirmation" else 0.003)
    story = Story(seen.saga, seen.history, seen=CREATED + 0.03)
    printed = list(tree(spans_of(Place.of(UID, "", lambda *_: True), story)).lines())
    shown = DOCS.read_text("utf-8").split("\n\n    SPAN", 1)[1].split("\n\n", 1)[0]
    assert ["SPAN" + line if not n else line[4:] for n, line in enumerate(shown.split("\n"))] == printed


def test_a_terminal_that_knows_ascii_alone_gets_that() -> None:
    seen = Seen()
    seen.answer(Succeeded, "order", 0.012)
    lines = tree(spans_of(Place.of(UID, "", lambda *_: True), Story(seen.saga, seen.history)), unicode=False).lines()
    assert all(line.isascii() for line in lines)
