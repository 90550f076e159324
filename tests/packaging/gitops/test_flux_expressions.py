"""Flux's healthCheckExprs on recorded statuses of real orders, evaluated by the CEL of the API server.

A ValidatingAdmissionPolicy that refuses everything tells in its message what the expressions say. Flux asks them in
the same order (inProgress, failed, current), with the fields of the resource as variables.
"""

import re
import time
from collections.abc import Iterator

import pytest

from common.wire import Json
from tests.packaging.gitops import argo_lua, kstatus
from tests.packaging.gitops.conftest import NAMESPACE, Kubectl, wait_established
from tests.packaging.gitops.test_manifests import kustomizations

RECORDED = dict(argo_lua.recorded())
GROUP = "recorded.ordersaga.io"
ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
# Something that may hold a whole OrderSaga, generation and all, without anybody changing it.
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"recordings.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "recordings", "kind": "Recording"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": ANYTHING}}],
    },
}


def policy(check: Json) -> list[Json]:
    expressions = {
        name: re.sub(r"(?<![.\w])(status|metadata)\b", r"object.recorded.\1", check[name])
        for name in ("inProgress", "failed", "current")
    }
    verdict = "({inProgress}) ? 'InProgress' : ({failed}) ? 'Failed' : ({current}) ? 'Current' : 'InProgress'"
    rules = {"apiGroups": [GROUP], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["recordings"]}
    message = "'verdict: ' + (" + verdict.format(**expressions) + ")"
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy"}
    return [
        {
            **kind,
            "metadata": {"name": GROUP},
            "spec": {
                "matchConstraints": {"resourceRules": [rules]},
                "validations": [{"expression": "false", "messageExpression": message}],
            },
        },
        {
            **kind,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": GROUP},
            "spec": {"policyName": GROUP, "validationActions": ["Deny"]},
        },
    ]


@pytest.fixture(scope="module")
def verdicts(kubectl: Kubectl) -> Iterator[dict[str, str]]:
    """What the expressions say of each recorded resource, and of one that has no conditions."""
    (check,) = kustomizations()["ordersaga-orders"]["spec"]["healthCheckExprs"]
    assert (check["apiVersion"], check["kind"]) == ("ordersaga.io/v1alpha1", "OrderSaga")
    generation = RECORDED["unseen"]["metadata"]["generation"]
    bare = {"bare": {**RECORDED["unseen"], "status": {"observedGeneration": generation}}}
    asked = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": f"{GROUP}/v1",
                "kind": "Recording",
                "metadata": {"name": name.replace("_", "-"), "namespace": NAMESPACE},
                "recorded": {"metadata": resource["metadata"], "status": resource["status"]},
            }
            for name, resource in (RECORDED | bare).items()
        ],
    }
    made = {"apiVersion": "v1", "kind": "List", "items": [DEFINITION, *policy(check)]}
    kubectl("apply", "-f", "-", manifest=made)
    wait_established(kubectl, f"recordings.{GROUP}")
    until = time.monotonic() + 30
    while True:  # a new policy takes a moment to be obeyed
        answer = kubectl("create", "--dry-run=server", "-f", "-", manifest=asked, check=False)
        found = dict(re.findall(r'recordings\.\S+ "([\w-]+)" is forbidden.*?verdict: (\w+)', answer.stderr))
        if len(found) == len(asked["items"]):
            break
        assert time.monotonic() < until, answer
        time.sleep(0.2)
    yield {name.replace("-", "_"): verdict for name, verdict in found.items()}
    kubectl("delete", "-f", "-", manifest=made)


def test_the_expressions_say_what_kstatus_says(verdicts: dict[str, str]) -> None:
    expected = {name: kstatus.status_of(resource) for name, resource in RECORDED.items()}
    assert verdicts == {**expected, "bare": "InProgress"}
    assert set(expected.values()) == {"InProgress", "Failed", "Current"}
