"""A namespace goes with its operator: a sink that hangs holds up neither its end nor what its sagas have to undo."""

import time
from typing import Any

from tests.operator.apiserver.test_namespace import Doomed
from tests.operator.conftest import Operators
from tests.operator.requests.user_requests import DO, PATIENCE
from tests.operator.scripted import ScriptedParticipants, refused
from tests.support.event_sink import ScriptedSink


def test_a_sink_that_hangs_holds_up_no_namespace(
    control_plane: Any, operators: Operators, participants: ScriptedParticipants, sink: ScriptedSink
) -> None:
    doomed = Doomed(control_plane, "doomed-untold")
    env = {"ORDERSAGA_NAMESPACE": doomed.name, "ORDERSAGA_EVENTS_SINK": sink.url, "ORDERSAGA_TELL_CUSTOMERS": "true"}
    operator = operators.start(kubeconfig=control_plane.kubeconfig, ORDERSAGA_NAMESPACE_END_SECONDS="9", **env)
    sink.status = -1
    names = [f"o-untold-{n}" for n in range(12)]
    for name in names:
        doomed.sagas.create(name)
        doomed.sagas.wait(name, "Completed", seconds=PATIENCE)
    participants.say("o-untold-live", DO["payment"], always=refused("running", "wait"))
    doomed.sagas.create("o-untold-live")
    doomed.sagas.wait("o-untold-live", "Running", seconds=PATIENCE)
    doomed.delete()
    began = time.monotonic()
    assert operator.stop() == 0
    assert time.monotonic() - began < 13.0
    for resource in doomed.sagas.listed()["items"]:
        assert not resource["metadata"].get("finalizers"), resource["metadata"]["name"]
    assert doomed.sagas.status("o-untold-live")["phase"] == "Compensated"
    assert set(names) <= set(participants.archived), "their stories are kept"
    sink.unsigned.clear()  # it was told of no secret
    doomed.empty()
    doomed.finish()
