"""Flux's healthCheckExprs on recorded statuses of real orders, evaluated by the CEL of the API server.

A ValidatingAdmissionPolicy that refuses everything tells in its message what the expressions say. Flux asks them in
the same order (inProgress, failed, current), with the fields of the resource as variables.
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.gitops import argo_lua, kstatus
from tests.gitops.conftest import NAMESPACE, Kubectl
from tests.gitops.test_manifests import kustomizations

Json = dict[str, Any]
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
def verdict(kubectl: Kubectl) -> Iterator[Callable[[Json], str]]:
    (check,) = kustomizations()["ordersaga-orders"]["spec"]["healthCheckExprs"]
    assert (check["apiVersion"], check["kind"]) == ("ordersaga.io/v1alpha1", "OrderSaga")
    made = {"apiVersion": "v1", "kind": "List", "items": [DEFINITION, *policy(check)]}
    kubectl("apply", "-f", "-", manifest=made)
    kubectl("wait", "--for=condition=Established", f"crd/recordings.{GROUP}", "--timeout=30s")

    def ask(resource: Json) -> str:
        recording = {
            "apiVersion": f"{GROUP}/v1",
            "kind": "Recording",
            "metadata": {"name": "recorded"},
            "recorded": {"metadata": resource["metadata"], "status": resource["status"]},
        }
        path = f"/apis/{GROUP}/v1/namespaces/{NAMESPACE}/recordings?dryRun=All"
        until = time.monotonic() + 30
        while True:  # a new policy takes a moment to be obeyed
            answer = kubectl("create", "--raw", path, "-f", "-", manifest=recording, check=False)
            if found := re.search(r"verdict: (\w+)", answer.stderr):
                return found[1]
            assert time.monotonic() < until, answer
            time.sleep(0.2)

    yield ask
    kubectl("delete", "-f", "-", manifest=made)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_the_expressions_say_what_kstatus_says(verdict: Callable[[Json], str], name: str) -> None:
    assert verdict(RECORDED[name]) == kstatus.status_of(RECORDED[name])


def test_an_order_without_conditions_is_in_progress(verdict: Callable[[Json], str]) -> None:
    generation = RECORDED["unseen"]["metadata"]["generation"]
    bare = {**RECORDED["unseen"], "status": {"observedGeneration": generation}}
    assert verdict(json.loads(json.dumps(bare))) == "InProgress"
