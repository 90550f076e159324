"""Other systems are told of each order, whatever happens to the sink or to the operator. A `brief` operator has seconds
in the place of minutes.
"""

import itertools
import time
from collections.abc import Iterable

from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.requests.user_requests import DO, PATIENCE, UNDO
from tests.operator.scripted import ScriptedParticipants, refused
from tests.operator.telling.conftest import Start
from tests.support.event_sink import ScriptedSink

OK, BROKEN, DROPS, HANGS = 202, 500, 0, -1


def until_told(sink: ScriptedSink, order: str, *types: str, seconds: float = PATIENCE) -> None:
    wait_until(lambda: sink.taken(order) == list(types) or None, f"{order} to be told as {types}", seconds)


def until_off(sagas: Sagas, name: str) -> None:
    wait_until(lambda: not sagas.get(name)["metadata"].get("finalizers") or None, f"the finalizer of {name} to go")


def create(sagas: Sagas, names: Iterable[str], **spec: int) -> None:
    for name in names:
        sagas.create(name, **spec)


def assert_each_is_told_in_order_and_repetitions_are_known(sink: ScriptedSink, names: Iterable[str]) -> None:
    for name in names:
        until_told(sink, name, "started", "completed")
        of = sink.of(name)
        for one, other in itertools.combinations(of, 2):
            assert (one.id == other.id) == (one.event == other.event), "a repetition says the same"
        taken = [each.type for each in of if each.answered == OK]
        assert taken == sorted(taken, key=["started", "completed"].index), "the start first, also when it is repeated"


def stuck(participants: ScriptedParticipants, name: str) -> None:
    participants.say(name, DO["shipping"], refused("not_serviceable"))
    participants.say(name, UNDO["payment"], always=refused("refund_failed"))


def intervention(id_: str, action: str = "RetryNow") -> dict[str, str]:
    return {"id": id_, "action": action, "step": "payment", "reason": "a test"}


def test_each_order_is_told_by_a_start_and_its_end(
    start: Start, sagas: Sagas, sink: ScriptedSink, participants: ScriptedParticipants
) -> None:
    participants.say("o-told-undone", DO["payment"], refused("card_declined"))
    participants.say("o-told-cancelled", DO["inventory"], always=refused("running", "wait"))
    start()
    create(sagas, ["o-told", "o-told-undone", "o-told-cancelled"])
    until_told(sink, "o-told", "started", "completed")
    until_told(sink, "o-told-undone", "started", "compensated")
    until_told(sink, "o-told-cancelled", "started")
    sagas.patch("o-told-cancelled", state="Cancelled")
    until_told(sink, "o-told-cancelled", "started", "cancelled")
    begun, undone = (each.event for each in sink.of("o-told-undone"))
    resource = sagas.get("o-told-undone")
    uid = resource["metadata"]["uid"]
    assert [begun["id"], undone["id"]] == [f"{uid}/started", f"{uid}/compensated"]
    assert undone["source"] == f"/ordersaga/{sagas.namespace}"
    assert undone["time"] == undone["data"]["ended_at"] == resource["status"]["completionTime"]
    assert undone["data"]["failure"] == {"step": "payment", "reason": "CardDeclined"}
    until_off(sagas, "o-told")
    assert len(sink.of("o-told")) == 2, "not once more when its finalizer goes"
    sagas.create("o-told-deleted")
    until_told(sink, "o-told-deleted", "started", "completed")
    began = time.monotonic()
    sagas.delete("o-told-deleted")
    wait_until(lambda: not sagas.exists("o-told-deleted") or None, "a deletion that waits for nobody", 4.0)
    assert time.monotonic() - began < 4.0


def test_a_sink_that_is_away_while_an_operator_is_killed_misses_nothing(
    start: Start, sagas: Sagas, sink: ScriptedSink
) -> None:
    first, later, live = [f"o-away-{n}" for n in range(8)], [f"o-away-later-{n}" for n in range(4)], "o-away-live"
    sink.status = BROKEN
    operator = start(faulty="brief")
    create(sagas, first)
    for name in first:
        sagas.wait(name, "Completed", seconds=PATIENCE)
    operator.kill()
    sink.status = DROPS
    create(sagas, [*later, live])
    operator = start(faulty="brief")
    for name in later:
        sagas.wait(name, "Completed", seconds=PATIENCE)
    assert not any(sink.taken(name) for name in [*first, *later])
    assert all(sagas.get(name)["metadata"]["finalizers"] for name in first), "it is the outbox"
    sink.lose_answers = 3
    sink.status = OK
    assert_each_is_told_in_order_and_repetitions_are_known(sink, [*first, *later])
    for name in [*first, *later]:
        until_off(sagas, name)
    metrics = operator.metrics()
    assert 'ordersaga_lifecycle_events_waiting{type="completed"} 0.0' in metrics
    assert "ordersaga_lifecycle_events_oldest_waiting_seconds 0.0" in metrics
    log = operator.log.read_text()
    assert "doesn't take messages: it answered" in log or "doesn't take messages: no answer" in log
    assert "takes messages again" in log


def test_what_was_not_delivered_before_a_kill_is_told_by_the_successor_and_what_is_live_is_told_again(
    start: Start, sagas: Sagas, sink: ScriptedSink, participants: ScriptedParticipants
) -> None:
    participants.say("o-kill-live", DO["payment"], always=refused("running", "wait"))
    operator = start(faulty="brief")
    sagas.create("o-kill-live")
    until_told(sink, "o-kill-live", "started")
    sink.status = HANGS
    sagas.create("o-kill")
    sagas.wait("o-kill", "Completed", seconds=PATIENCE)
    wait_until(lambda: sink.hanging or None, "a delivery that hangs")
    operator.kill()
    sink.status = OK
    start(faulty="brief")
    until_told(sink, "o-kill", "started", "completed")
    wait_until(lambda: len(sink.of("o-kill-live")) > 1 or None, "the start of a live order, told again")
    assert len({each.id for each in sink.of("o-kill-live")}) == 1
    participants.say("o-kill-live", DO["payment"])
    until_told(sink, "o-kill-live", "started", "completed")


def test_a_sink_that_hangs_slows_no_order_and_a_person_s_deletion_only_so_long(
    start: Start, sagas: Sagas, sink: ScriptedSink, participants: ScriptedParticipants
) -> None:
    sink.status = HANGS
    operator = start(faulty="brief")
    names = [f"o-hang-{n}" for n in range(20)]
    sagas.create("o-hang-first")
    sagas.wait("o-hang-first", "Completed", seconds=PATIENCE)
    began = time.monotonic()
    create(sagas, names)
    for name in names:
        sagas.wait(name, "Completed", seconds=PATIENCE)
    assert time.monotonic() - began < 10.0
    assert sink.most_hanging <= 8, "no more than a few at once"
    began = time.monotonic()
    sagas.delete("o-hang-0")
    wait_until(lambda: not sagas.exists("o-hang-0") or None, "the deletion", seconds=15)
    assert 3.0 < time.monotonic() - began < 15.0
    wait_until(lambda: ("Warning", "EventsNotTold") in sagas.events("o-hang-0") or None, "the Event")
    assert "io.ordersaga.order.completed.v1" in operator.log.read_text()
    assert "o-hang-0" in participants.archived, "its story is kept all the same"
    assert 'ordersaga_lifecycle_events_missed_total{type="completed"} 1.0' in operator.metrics()
    sink.status = OK
    assert_each_is_told_in_order_and_repetitions_are_known(sink, names[1:])


def test_a_time_to_live_waits_for_the_sink(start: Start, sagas: Sagas, sink: ScriptedSink) -> None:
    sink.status = BROKEN
    operator = start(faulty="brief")
    create(sagas, ["o-brief-life"], ttlSecondsAfterFinished=1)
    sagas.wait("o-brief-life", "Completed", seconds=PATIENCE)
    time.sleep(4.0)
    assert sagas.get("o-brief-life")["metadata"]["finalizers"]
    assert not sink.taken("o-brief-life")
    operator.kill()
    start(faulty="brief")
    time.sleep(3.0)
    assert sagas.exists("o-brief-life")
    sink.status = OK
    until_told(sink, "o-brief-life", "started", "completed")
    wait_until(lambda: not sagas.exists("o-brief-life") or None, "its time to be over")


def test_each_failure_is_told_and_the_same_one_has_the_same_id_after_a_restart(
    start: Start, sagas: Sagas, sink: ScriptedSink, participants: ScriptedParticipants
) -> None:
    name = "o-fails"
    stuck(participants, name)
    operator = start(faulty="brief")
    sagas.create(name)
    until_told(sink, name, "started", "failed", seconds=60)
    operator.kill()
    start(faulty="brief")
    wait_until(lambda: [each.type for each in sink.of(name)].count("failed") == 2 or None, "the failure, told again")
    assert len({each.id for each in sink.of(name)}) == 2
    sagas.patch(name, intervention=intervention("try-1"))
    until_told(sink, name, "started", "failed", "failed", seconds=60)
    participants.say(name, UNDO["payment"])
    sagas.patch(name, intervention=intervention("try-2"))
    until_told(sink, name, "started", "failed", "failed", "compensated", seconds=60)
    ids = list(dict.fromkeys(each.id for each in sink.of(name)))
    uid = sagas.get(name)["metadata"]["uid"]
    assert ids == [f"{uid}/{each}" for each in ("started", "failed", "failed/try-1", "compensated")]
    assert sink.of(name)[1].event["data"]["stuck"] == [{"step": "payment", "reason": "RefundFailed"}]


def test_an_operator_without_a_sink_has_none_of_it(start: Start, sagas: Sagas, sink: ScriptedSink) -> None:
    operator: OperatorProcess = start(ORDERSAGA_EVENTS_SINK="")
    sagas.create("o-untold")
    sagas.wait("o-untold", "Completed", seconds=PATIENCE)
    until_off(sagas, "o-untold")
    assert not sink.deliveries
    assert "ordersaga_lifecycle_events_waiting{" not in operator.metrics()
