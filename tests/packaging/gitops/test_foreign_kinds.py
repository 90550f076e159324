"""Argo CD's, Flux's and the OpenShift console's kinds: the API server takes ours, without an unknown field."""

import json
import re
from collections.abc import Iterator

import pytest

from common.wire import Json
from tests.packaging.gitops import definitions
from tests.packaging.gitops.conftest import NAMESPACE, Kubectl, wait_established
from tests.packaging.gitops.test_manifests import GITOPS, ROOT, documents

OURS = [
    GITOPS / "argocd" / "root.yaml",
    *sorted((GITOPS / "argocd" / "apps").glob("*.yaml")),
    GITOPS / "argocd" / "argocd-openshift.yaml",
    *sorted((GITOPS / "flux").glob("*.yaml")),
    GITOPS / "flux" / "shop" / "release.yaml",
    *sorted(path for path in (ROOT / "manifests" / "openshift").rglob("*.yaml") if path.name != "kustomization.yaml"),
]


@pytest.fixture(scope="module")
def foreign(kubectl: Kubectl) -> Iterator[Kubectl]:
    made = {"apiVersion": "v1", "kind": "List", "items": definitions.ALL}
    kubectl("apply", "--server-side", "-f", "-", manifest=made)
    for each in definitions.ALL:
        wait_established(kubectl, each["metadata"]["name"])
    yield kubectl
    kubectl("delete", "-f", "-", manifest=made)


def applied(kubectl: Kubectl, found: list[Json]) -> str:
    """What kubectl complains of when they are applied in the tests' own namespace."""
    cluster_wide = {each["spec"]["names"]["kind"] for each in definitions.ALL if each["spec"]["scope"] == "Cluster"}
    for each in found:
        if each["kind"] not in cluster_wide:
            each["metadata"]["namespace"] = NAMESPACE
    listed = {"apiVersion": "v1", "kind": "List", "items": found}
    return kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", manifest=listed, check=False).stderr


def test_ours_are_taken_without_an_unknown_field(foreign: Kubectl) -> None:
    assert {path.parent.name for path in OURS} == {"argocd", "apps", "flux", "shop", "openshift", "page"}
    assert applied(foreign, [found for path in OURS for found in documents(path)]) == ""


def test_a_misspelt_field_would_be_noticed(foreign: Kubectl) -> None:
    found = json.loads(json.dumps(documents(GITOPS / "flux" / "3-orders.yaml")))
    found[0]["spec"]["healthCheckExpr"] = found[0]["spec"].pop("healthCheckExprs")
    assert re.search(r'unknown field "(spec\.)?healthCheckExpr"', applied(foreign, found))
