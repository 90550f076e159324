"""What the operator counts of sagas: how they end, how long their steps take, what holds them up, who intervened."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from prometheus_client import REGISTRY

from saga_operator import metrics
from saga_operator.engine.resting import seen_of
from saga_operator.live_sagas import Bounded, LiveSaga, LiveSagas
from saga_operator.process import reasons
from saga_operator.process.events import Event, NoUsableAnswer, Succeeded
from saga_operator.process.evolve import evolve
from saga_operator.process.saga import Phase, Saga
from tests.unit.process.builders import CREATED, NOW, STEPS, after, asked, done, new_saga, refused, seen

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def value(name: str, **labels: str) -> float:
    families = REGISTRY.restricted_registry([name]).collect()  # others may ask parts that other tests have left behind
    found = [s.value for each in families for s in each.samples if (s.name, s.labels) == (name, labels)]
    return found[0] if found else 0.0


def counted(saga: Saga, *events: Event, trace_id: str = "") -> Saga:
    """The saga once all of it has happened and was counted."""
    states = [saga]
    for event in events:
        states.append(evolve(states[-1], event))
    for before, then in pairwise(states):
        metrics.saga_changed(before, then, trace_id=trace_id)
    return states[-1]


@pytest.fixture
def live() -> Iterator[None]:
    look = metrics.LIVE.look
    yield
    metrics.LIVE.look = look


def test_a_step_lasts_from_its_first_call_to_its_end_with_the_pauses_between() -> None:
    name, labels = "ordersaga_step_duration_seconds_sum", {"step": "order", "operation": "do", "outcome": "Succeeded"}
    before = value(name, **labels)
    no_answer = NoUsableAnswer(step="order", started=NOW, at=NOW + 5, undo=False, reason=reasons.NO_ANSWER)
    counted(new_saga(), no_answer, Succeeded(step="order", started=NOW + 9, at=NOW + 10, external_id="1"))
    assert value(name, **labels) == pytest.approx(before + 10)


def test_a_saga_that_was_undone_is_counted_with_its_reason_and_its_time_leads_to_its_trace() -> None:
    saga = after(new_saga(), *done("order"), refused("inventory", "OutOfStock"))
    labels = {"phase": "Completed", "reason": "Completed"}
    before = value("ordersaga_sagas_finished_total", **labels)
    metrics.worker_started(saga)
    metrics.worker_ended(saga, NOW)  # it has not ended
    complete = after(new_saga(), *done(*STEPS))
    metrics.worker_started(complete)
    metrics.worker_ended(complete, NOW, trace_id=TRACE)
    assert value("ordersaga_sagas_finished_total", **labels) == before + 1
    shown = [
        sample.exemplar.labels["trace_id"]
        for family in (*metrics.DURATION.collect(), *metrics.SAGAS_FINISHED.collect())
        for sample in family.samples
        if sample.exemplar is not None
    ]
    assert shown == [TRACE, TRACE]


def test_an_intervention_is_counted_once_by_what_became_of_it() -> None:
    def interventions() -> dict[str, float]:
        return {
            outcome: value("ordersaga_interventions_total", action="RetryNow", outcome=outcome)
            for outcome in (reasons.INTERVENED, reasons.INTERVENTION_REFUSED)
        }

    before = interventions()
    counted(new_saga(), *done("order"), asked("RetryNow", "order"), asked("RetryNow", "order"))
    assert interventions() == {
        reasons.INTERVENED: before[reasons.INTERVENED],
        reasons.INTERVENTION_REFUSED: before[reasons.INTERVENTION_REFUSED] + 1,
    }


@pytest.mark.usefixtures("live")
def test_what_holds_up_live_sagas_is_counted_by_step_and_reason_and_the_oldest_of_each_phase_is_told() -> None:
    no_answer = NoUsableAnswer(step="inventory", started=NOW, at=NOW, undo=False, reason=reasons.NO_ANSWER)
    waiting = after(new_saga(), *done("order"), no_answer)
    sagas = [new_saga(), waiting, waiting, after(new_saga(), *done("order"), seen("Suspended"))]
    metrics.LIVE.look = lambda: (CREATED + 100, map(seen_of, sagas))
    labels = {"phase": "Running", "step": "inventory", "reason": reasons.NO_ANSWER}
    assert value("ordersaga_sagas_held_up", **labels) == 2
    assert value("ordersaga_oldest_open_seconds", phase="Running") == 100
    assert value("ordersaga_oldest_open_seconds", phase="Pending") == 100
    assert value("ordersaga_oldest_saga_seconds", phase="Running") == 90, "its order step has ended since"
    assert value("ordersaga_oldest_open_seconds", phase="Failed") == 0
    assert value("ordersaga_sagas_late") == 3, "what people have suspended isn't late"


def test_a_participant_can_make_up_a_thousand_reasons_and_they_are_few_labels() -> None:
    sagas = [LiveSaga(Phase.RUNNING, CREATED, CREATED, ("payment", f"MadeUp{number:04}")) for number in range(1000)]
    collector = LiveSagas(Bounded(100))
    collector.look = lambda: (CREATED, sagas)
    families = {family.name: family for family in collector.collect()}
    shown = families["ordersaga_sagas_held_up"].samples
    assert len(shown) == 101
    assert sum(sample.value for sample in shown) == 1000
