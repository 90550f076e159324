"""Who may create OrderSagas and nothing else (and who may change them as well) writes what they like.

Each is refused by the API server, or it is an order that ends as every other: the operator lives, answers in time, and
doesn't grow. The suite writes the same ones each time; `make fuzz` others, and more of them.
"""

import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from common.kube.config import load_access
from common.wire import Json
from tests.operator.conftest import NAMESPACE, OperatorProcess, Sagas, wait_until
from tests.support.hostile_sagas import APPLY, MERGE, HostileSagas, Sent
from tests.support.samples import ended

SEED = os.environ.get("ORDERSAGA_FUZZ_SEED", "17")
NUMBER = int(os.environ.get("ORDERSAGA_FUZZ_SAGAS", "250"))
"""Resources that are sent to be created; half as many changes."""
GROWTH = 128 * 1024 * 1024
"""Bytes that the operator may hold more at the end than in the beginning: half of what the chart gives its pod. A dozen
of these resources are of a megabyte and a half, and are read and written several at a time.
"""
FINISHED = ("Completed", "Compensated", "Failed")
RIGHTS = {"author": ["create"], "editor": ["create", "get", "patch", "update", "delete"]}


@dataclass
class Identity:
    """One ServiceAccount at the API server."""

    client: httpx.Client

    def create(self, sent: Sent) -> int:
        """The status of the answer; 0 if the API server hangs up, as on a body that is too large for it."""
        return self._sent("POST", "", sent)

    def patch(self, name: str, sent: Sent, subresource: str = "") -> int:
        """The same."""
        return self._sent("PATCH", f"/{name}{subresource}", sent)

    def _sent(self, method: str, path: str, sent: Sent) -> int:
        applied = {"fieldManager": "hostile", "force": "true"} if sent.content_type == APPLY else {}
        headers = {"Content-Type": sent.content_type}
        try:
            answer = self.client.request(method, path, content=sent.body, headers=headers, params=applied)
        except httpx.TransportError:
            return 0
        return answer.status_code


@pytest.fixture(scope="module")
def identities(
    control_plane: Any, operator_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Identity]]:
    """Each with its rights on ordersagas, and none on anything else."""
    folder, found = tmp_path_factory.mktemp("hostile"), {}
    path = f"/apis/ordersaga.io/v1alpha1/namespaces/{NAMESPACE}/ordersagas"
    for name, verbs in RIGHTS.items():
        api = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name, "namespace": NAMESPACE}}
        rules = [{"apiGroups": ["ordersaga.io"], "resources": ["ordersagas"], "verbs": verbs}]
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
        objects = [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": api["metadata"]},
            {**api, "kind": "Role", "rules": rules},
            {**api, "kind": "RoleBinding", "roleRef": role, "subjects": [subject]},
        ]
        control_plane.kubectl(
            "apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        )
        access = load_access(control_plane.administrator.identity(name, NAMESPACE, folder))
        assert access.tls is not None
        headers = {"Authorization": access.authorization or ""}
        found[name] = Identity(
            httpx.Client(base_url=access.server + path, verify=access.tls, headers=headers, trust_env=False, timeout=60)
        )
    yield found
    for identity in found.values():
        identity.client.close()


def size_of(operator: OperatorProcess) -> int:
    """Bytes of memory that it holds."""
    assert operator.process is not None
    return int(psutil.Process(operator.process.pid).memory_info().rss)


def unfinished(sagas: Sagas, prefix: str) -> dict[str, str]:
    """Those of this prefix that have not ended, with their phase."""
    items: list[Json] = sagas.listed()["items"]
    phases = {item["metadata"]["name"]: (item.get("status") or {}).get("phase", "") for item in items}
    return {name: phase for name, phase in phases.items() if name.startswith(prefix) and phase not in FINISHED}


@pytest.mark.timeout(300 + NUMBER)
def test_whatever_an_author_writes_is_refused_or_an_order_that_ends(
    operator: OperatorProcess, sagas: Sagas, identities: dict[str, Identity]
) -> None:
    author, editor = identities["author"], identities["editor"]
    sagas.create("o-hostile-before")
    sagas.wait("o-hostile-before", "Completed")
    assert operator.process is not None
    process, before, logged = operator.process.pid, size_of(operator), operator.log.stat().st_size
    hostile = HostileSagas("o-hostile", dice := random.Random(SEED))
    answers, changes, accepted = Counter[int](), Counter[int](), list[str]()
    for _ in range(NUMBER):
        made = hostile.create()
        answers[status := author.create(made)] += 1
        if status == 201:
            accepted.append(made.order_id)
        if accepted and dice.random() < 0.5:
            name = dice.choice(accepted)
            changes[editor.patch(name, hostile.change(name))] += 1
    assert len(accepted) > NUMBER / 10, answers
    assert answers.total() - len(accepted) > NUMBER / 10, answers
    wait_until(lambda: "" not in unfinished(sagas, "o-hostile").values() or None, "each to be taken up", 60)
    for name in unfinished(sagas, "o-hostile"):  # some are suspended, for as long as their author likes
        sagas.patch(name, state="Cancelled")
    wait_until(lambda: not unfinished(sagas, "o-hostile") or None, "each to end", 60)
    sagas.create("o-hostile-after")
    sagas.wait("o-hostile-after", "Completed")
    assert operator.process.pid == process
    assert operator.healthz()[0] == 200
    grown = size_of(operator) - before
    print(f"created {dict(answers)}, changed {dict(changes)}, grown by {grown / 2**20:.1f} MiB")
    assert grown < GROWTH
    assert "Traceback" not in operator.log.read_text()[logged:]


@pytest.mark.parametrize("name", RIGHTS)
def test_no_author_writes_a_status(name: str, sagas: Sagas, identities: dict[str, Identity]) -> None:
    sagas.create(f"o-forged-{name}")
    sent = Sent(json.dumps({"status": ended("Completed")}).encode(), MERGE)
    assert identities[name].patch(f"o-forged-{name}", sent, "/status") == 403


def test_who_may_only_create_sees_changes_and_removes_nothing(sagas: Sagas, identities: dict[str, Identity]) -> None:
    sagas.create("o-of-another")
    client = identities["author"].client
    patch = {"content": b"{}", "headers": {"Content-Type": MERGE}}
    for method, path, options in (
        ("GET", "", {}),
        ("GET", "/o-of-another", {}),
        ("PUT", "/o-of-another", {"content": b"{}"}),
        ("PATCH", "/o-of-another", patch),
        ("DELETE", "/o-of-another", {}),
        ("DELETE", "", {}),
    ):
        assert client.request(method, path, **options).status_code == 403, f"{method} {path}"
