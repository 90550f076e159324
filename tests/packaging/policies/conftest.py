"""Two namespaces of a real API server with the same Roles: one with the chart's admission policies, one without."""

import json
from collections.abc import Callable, Iterator
from typing import Final

import httpx
import pytest

from common.kube.config import load_access
from common.wire import Json
from dev.stack.pytest_plugin import TestControlPlane
from dev.stack.waiting import wait_until
from tests.packaging.chart.charts import rendered
from tests.packaging.policies.api import ADMIN, Api, rights
from tests.support.samples import order

NAMESPACE, OPEN = "guarded", "guarded-by-nobody"
ONCALL: Final = [{"steps": ["payment"], "actions": ["MarkCompensated"], "groups": ["payments-oncall"]}]
POLICIES = ("--set", "policies.enabled=true", "--set-json", f"policies.interventions={json.dumps(ONCALL)}")
KINDS = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
# An API server takes policies up in the order in which they were made: once this one is in force, all are.
PROBE: Final[list[Json]] = [
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": KINDS[0],
        "metadata": {"name": "ordersaga-guarded-probe"},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
                "resourceRules": [
                    {
                        "apiGroups": ["ordersaga.io"],
                        "apiVersions": ["v1alpha1"],
                        "operations": ["CREATE"],
                        "resources": ["ordersagas"],
                    }
                ],
            },
            "validations": [{"expression": "!('probe' in object.metadata.?labels.orValue({}))", "reason": "Forbidden"}],
        },
    },
    {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": KINDS[1],
        "metadata": {"name": "ordersaga-guarded-probe"},
        "spec": {"policyName": "ordersaga-guarded-probe", "validationActions": ["Deny"]},
    },
]


@pytest.fixture(scope="module")
def client(control_plane: TestControlPlane) -> Iterator[httpx.Client]:
    access = load_access(control_plane.kubeconfig)
    assert access.tls is not None
    with httpx.Client(base_url=access.server, verify=access.tls, trust_env=False, timeout=30) as made:
        yield made


@pytest.fixture(scope="module")
def apply(control_plane: TestControlPlane) -> Callable[..., None]:
    def apply(*objects: Json) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=text)

    return apply


@pytest.fixture(scope="module")
def guarded(client: httpx.Client, apply: Callable[..., None], control_plane: TestControlPlane) -> Iterator[Api]:
    """The namespace with the policies, once they are in force."""
    chart = rendered(*POLICIES, namespace=NAMESPACE)
    policies = chart.all(*KINDS)
    apply(*rights(NAMESPACE), *policies, *PROBE)
    api = Api(client, NAMESPACE)
    probe = order("o-probe")
    probe["metadata"]["labels"] = {"probe": "yes"}
    wait_until("the policies are in force", lambda: api.request(ADMIN, "POST", "", probe).status_code == 403, 30)
    yield api
    for body in (*policies, *PROBE):
        control_plane.kubectl("delete", body["kind"].lower(), body["metadata"]["name"])


@pytest.fixture(scope="module")
def unguarded(client: httpx.Client, apply: Callable[..., None]) -> Api:
    """A namespace with the same Roles and no policy."""
    apply(*rights(OPEN))
    return Api(client, OPEN)
