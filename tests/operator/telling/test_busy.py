"""Telling costs the API server nothing: an order has the writes that it has without a sink, and is told at once also
when the API server is at its limit.
"""

import base64
import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.stack.pytest_plugin import TestControlPlane
from saga_operator.process.steps import ORDER_SAGA
from tests.operator.apiserver.apiproxy import ApiFault, ApiProxy, Request
from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.requests.user_requests import PATIENCE
from tests.operator.scripted import Reply, ScriptedParticipants
from tests.operator.telling.conftest import NAMESPACE
from tests.support.event_sink import SECRET, ScriptedSink

ORDERS = [f"o-busy-told-{number}" for number in range(12)]


@pytest.fixture
def proxy(control_plane: TestControlPlane, kubeconfig: Path) -> Iterator[ApiProxy]:
    cluster = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]
    proxy = ApiProxy(control_plane.url, base64.b64decode(cluster["certificate-authority-data"]).decode())
    yield proxy
    proxy.stop()


@pytest.fixture
def operator(
    proxy: ApiProxy, kubeconfig: Path, participants: ScriptedParticipants, sink: ScriptedSink, tmp_path: Path
) -> Iterator[OperatorProcess]:
    config = json.loads(kubeconfig.read_text())
    config["clusters"][0]["cluster"] = {"server": proxy.url}
    proxied, secret = tmp_path / "proxied.kubeconfig", tmp_path / "secret"
    proxied.write_text(json.dumps(config))
    secret.write_text(SECRET)
    told = {"ORDERSAGA_EVENTS_SINK": sink.url, "ORDERSAGA_EVENTS_SECRET": str(secret)}
    env = {"ORDERSAGA_NAMESPACE": NAMESPACE, "ORDERSAGA_TELL_CUSTOMERS": "true", **told}
    operator = OperatorProcess(proxied, participants.url, tmp_path / "log", "busy", **env)
    operator.start()
    wait_until(lambda: any(each.answered == 200 for each in proxy.watches()) or None, "the watch", seconds=60)
    yield operator
    operator.kill()


def is_write(request: Request) -> bool:
    return request.method != "GET" and not (request.is_of_the_lease or request.is_of_a_participant)


def test_a_busy_shop_tells_at_once_and_writes_no_more_than_without_a_sink(
    sagas: Sagas, proxy: ApiProxy, participants: ScriptedParticipants, operator: OperatorProcess, sink: ScriptedSink
) -> None:
    for number in range(3):  # how quick it is when it has nothing else to do
        sagas.create(f"o-quick-told-{number}")
        sagas.wait(f"o-quick-told-{number}", "Completed")
    slow = ApiFault(lambda each: "/ordersagas/" in each.path and each.method in ("PUT", "PATCH"), delay=1.5, times=1000)
    proxy.faults.append(slow)
    operator.signal(signal.SIGSTOP)
    for number, name in enumerate(ORDERS):
        for step in ORDER_SAGA:
            participants.say(name, str(step.do), Reply(200, {"order_id": name}, delay=0.1 + 0.02 * number))
        sagas.create(name)
    before = len(proxy.requests)
    operator.signal(signal.SIGCONT)
    for name in ORDERS:
        sagas.wait(name, "Completed", seconds=PATIENCE)
    for name in ORDERS:
        wait_until(lambda name=name: sink.taken(name) == ["started", "completed"] or None, f"{name} to be told", 3.0)  # type: ignore[misc]
    told_at = {each.event["subject"]: each.at for each in sink.deliveries}
    writes = [each for each in proxy.requests[before:] if is_write(each)]
    statuses = Counter(each.path for each in writes if each.path.endswith("/status"))
    assert len(statuses) == len(ORDERS)
    assert sum(statuses.values()) <= len(ORDERS) + 4, "before the first saga has ended a few writes find out"
    assert [each.path for each in writes if each.path not in statuses] == [], "no Event, no annotation, no finalizer"
    proxy.faults.clear()
    for name in ORDERS:
        wait_until(lambda name=name: not sagas.get(name)["metadata"].get("finalizers") or None, "it to go", PATIENCE)  # type: ignore[misc]
    patched = (each.path.rsplit("/", 1)[-1] for each in proxy.requests[before:] if each.method == "PATCH")
    assert Counter(name for name in patched if name in ORDERS) == dict.fromkeys(ORDERS, 1)
    assert told_at == {each.event["subject"]: each.at for each in sink.deliveries}, "no event is sent once more"
