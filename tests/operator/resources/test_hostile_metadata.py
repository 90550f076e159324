"""What an author fills in beside an order bounds itself under the chart's policies: the operator hardly grows by it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from common.kube.config import load_access
from common.wire import Json
from tests.operator.conftest import OperatorProcess, Sagas, wait_until
from tests.operator.scripted import ScriptedParticipants
from tests.packaging.chart.charts import rendered
from tests.support.samples import order

NAMESPACE = "sagas-of-hostile-authors"
POLICY = "ordersaga-sagas-of-hostile-authors-metadata"
NUMBER = 40
GROWTH = 24 * 2**20
"""Bytes that the operator may hold more in the end: as many of 1.4 MB, without the policy, made it 114 MiB."""
LARGE = 400_000
"""Characters; etcd takes three times as many."""
OWNER: Json = {"apiVersion": "v1", "kind": "ConfigMap", "uid": "u-1"}
FIELDS: Json = {"manager": "m", "operation": "Apply", "apiVersion": "ordersaga.io/v1alpha1", "fieldsType": "FieldsV1"}


def filled(size: int) -> dict[str, Json]:
    """Metadata of about so many characters, one of each kind that an author may fill."""
    labels = {f"l-{n}": "x" * 60 for n in range(size // 100)}
    names = [f"example.com/{n:050}" for n in range(size // 65)]
    return {
        "labels": {"labels": labels},
        "finalizers": {"finalizers": names},
        "owners": {"ownerReferences": [{**OWNER, "name": "x" * size}]},
        "fields": {"managedFields": [{**FIELDS, "fieldsV1": {"f:spec": {f"f:{'x' * size}": {}}}}]},
    }


@pytest.fixture
def author(control_plane: Any) -> Iterator[httpx.Client]:
    """An administrator, in fact; the policies are in force."""
    control_plane.administrator.install(NAMESPACE)
    chart = rendered("--set", "policies.enabled=true", namespace=NAMESPACE)
    policies = [
        body
        for body in chart.all("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
        if body["metadata"]["name"] == POLICY
    ]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": policies})
    control_plane.kubectl("apply", "--server-side", "-f", "-", input=text)
    access = load_access(control_plane.kubeconfig)
    assert access.tls is not None
    path = f"{access.server}/apis/ordersaga.io/v1alpha1/namespaces/{NAMESPACE}/ordersagas"
    with httpx.Client(base_url=path, verify=access.tls, trust_env=False, timeout=60) as client:
        probe = order("o-probe")
        probe["metadata"]["finalizers"] = [f"example.com/{n}" for n in range(17)]
        wait_until(
            lambda: client.post("", params={"dryRun": "All"}, json=probe).status_code == 403 or None,
            "the policy to be in force",
            30,
        )
        yield client
    for body in policies:
        control_plane.kubectl("delete", body["kind"].lower(), body["metadata"]["name"])


@pytest.fixture
def own_operator(
    control_plane: Any, author: httpx.Client, participants: ScriptedParticipants, tmp_path: Path
) -> Iterator[OperatorProcess]:
    identity = control_plane.administrator.identity("ordersaga-operator", NAMESPACE, tmp_path)
    process = OperatorProcess(identity, participants.url, tmp_path / "log", ORDERSAGA_NAMESPACE=NAMESPACE)
    process.start()
    yield process
    process.stop()


def suspended(order_id: str, metadata: Json) -> Json:
    manifest = order(order_id, state="Suspended")
    return {**manifest, "metadata": {**manifest["metadata"], **metadata}}


def test_the_largest_orders_that_there_may_be_hardly_make_the_operator_grow(
    author: httpx.Client, own_operator: OperatorProcess, control_plane: Any
) -> None:
    sagas = Sagas(control_plane.kubeconfig, NAMESPACE)
    sagas.create("o-before")
    sagas.wait("o-before", "Completed")
    assert own_operator.process is not None
    process = psutil.Process(own_operator.process.pid)
    before = process.memory_info().rss
    for kind, metadata in filled(LARGE).items():
        answer = author.post("", json=suspended(f"o-too-large-{kind}", metadata))
        assert answer.status_code == 403, f"{kind}: {answer.text[:300]}"
    largest = {**filled(54_000)["labels"], **filled(900)["finalizers"], **filled(4000)["owners"]}
    for number in range(NUMBER):
        answer = author.post("", json=suspended(f"o-large-{number}", largest))
        assert answer.status_code == 201, answer.text[:300]
    wait_until(lambda: all(item.get("status") for item in sagas.listed()["items"]) or None, "each to be taken up", 60)
    grown = process.memory_info().rss - before
    size = len(json.dumps(answer.json()["metadata"]))
    print(f"{NUMBER} orders with {size} characters of metadata, grown by {grown / 2**20:.1f} MiB")
    assert grown < GROWTH
    assert own_operator.healthz()[0] == 200
