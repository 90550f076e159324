"""Other systems are told of each order's lifecycle, whatever happens to the sink or to the operator."""

from tests.operator.conftest import Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants, refused
from tests.operator.telling.conftest import Start
from tests.operator.telling.sink import ScriptedSink


def until_told(sink: ScriptedSink, order: str, *types: str, seconds: float = 20.0) -> None:
    wait_until(lambda: sink.taken(order) == list(types) or None, f"{order} to be told as {types}", seconds)


def test_each_order_is_told_by_a_start_and_its_end(
    start: Start, sagas: Sagas, sink: ScriptedSink, participants: ScriptedParticipants
) -> None:
    participants.say("o-told-undone", "/api/payments/process", refused("card_declined"))
    participants.say("o-told-cancelled", "/api/inventory/reserve", always=Reply(503))
    start()
    for name in ("o-told", "o-told-undone", "o-told-cancelled"):
        sagas.create(name)
    until_told(sink, "o-told", "started", "completed")
    until_told(sink, "o-told-undone", "started", "compensated")
    sagas.patch("o-told-cancelled", state="Cancelled")
    until_told(sink, "o-told-cancelled", "started", "cancelled")
    started, undone = (each.event for each in sink.of("o-told-undone"))
    resource = sagas.get("o-told-undone")
    uid = resource["metadata"]["uid"]
    assert [started["id"], undone["id"]] == [f"{uid}/started", f"{uid}/compensated"]
    assert undone["source"] == f"/ordersaga/{sagas.namespace}"
    assert undone["time"] == undone["data"]["ended_at"] == resource["status"]["completionTime"]
    assert undone["data"]["failure"] == {"step": "payment", "reason": "CardDeclined"}
