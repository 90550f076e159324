"""OpenShift: nothing needs a grant beyond restricted-v2, and the console's pieces show what is true."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from common.wire import Json
from dev.release.observing.drawn import console
from ordersaga.saga.ui.app import Filter
from tests.packaging.gitops.conftest import NAMESPACE, Kubectl
from tests.packaging.gitops.test_bundle import CSV
from tests.packaging.gitops.test_manifests import ROOT, documents
from tests.support import yamls

OPENSHIFT = ROOT / "manifests" / "openshift"
HOST = "ordersaga-page.apps.example.com"
"""What whoever installs the links puts the Route's host in the place of."""
FIXED_BY_OPENSHIFT = {"runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy", "supplementalGroups"}
# What restricted-v2 lets a pod mount.
VOLUMES = {
    *(
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
}


def built(kubectl: Kubectl, folder: str) -> list[Json]:
    return list(yamls.load_all(kubectl("kustomize", str(ROOT / folder)).stdout))


@pytest.fixture(params=["openshift-deployment.yaml", "manifests/overlays/openshift", "manifests/olm/bundle"])
def deployed(request: pytest.FixtureRequest, kubectl: Kubectl) -> list[Json]:
    """What is put on an OpenShift cluster, in each of the three ways."""
    if request.param.endswith(".yaml"):
        return documents(ROOT / request.param)
    if request.param.endswith("bundle"):
        made = CSV["spec"]["install"]["spec"]["deployments"]
        return [{"kind": "Deployment", "metadata": {"name": each["name"]}, "spec": each["spec"]} for each in made]
    return built(kubectl, request.param)


def pods(found: list[Json]) -> Iterator[Json]:
    for each in found:
        if "template" in each.get("spec", {}):
            yield each["spec"]["template"]["spec"]
        elif each["kind"] == "Pod":
            yield each["spec"]


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for each in value.values():
            yield from keys(each)
    elif isinstance(value, list):
        for each in value:
            yield from keys(each)


def test_users_and_groups_are_left_to_openshift(deployed: list[Json]) -> None:
    assert not FIXED_BY_OPENSHIFT & set(keys(deployed))


def test_no_pod_asks_for_more_than_restricted_v2_gives(deployed: list[Json]) -> None:
    found = list(pods(deployed))
    assert found
    for pod in found:
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(pod)
        assert {kind for volume in pod.get("volumes", []) for kind in volume if kind != "name"} <= VOLUMES
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in (*pod["containers"], *pod.get("initContainers", [])):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context.get("privileged", False) is False
            assert not any("hostPort" in port for port in container.get("ports", []))


def test_nothing_grants_a_security_context_constraint(deployed: list[Json]) -> None:
    assert "SecurityContextConstraints" not in {each["kind"] for each in deployed}
    assert "securitycontextconstraints" not in json.dumps(deployed)


@pytest.mark.parametrize("folder", ["openshift-deployment.yaml", "manifests/overlays/openshift"])
def test_orders_are_reachable_at_a_route_and_nothing_else_is(kubectl: Kubectl, folder: str) -> None:
    found = documents(ROOT / folder) if folder.endswith(".yaml") else built(kubectl, folder)
    (route,) = [each for each in found if each["kind"] == "Route"]
    assert route["spec"]["to"]["name"] == "order-service"
    assert route["spec"]["path"] == "/api/orders"
    assert route["spec"]["port"] == {"targetPort": "public"}, "where the saga's own steps don't exist"
    assert route["spec"]["tls"]["termination"] == "edge"


def test_the_topology_view_gets_icons_and_arrows_to_what_exists() -> None:
    found = {each["metadata"]["name"]: each for each in documents(ROOT / "openshift-deployment.yaml")
             if each["kind"] == "Deployment"}  # fmt: skip
    for name, deployment in found.items():
        labels = deployment["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "ordersaga"
        assert labels["app.openshift.io/runtime"] == ("mongodb" if name == "mongodb" else "python")
        arrows = deployment["metadata"].get("annotations", {}).get("app.openshift.io/connects-to", "")
        for target in filter(None, arrows.split(",")):
            assert target in found, f"{name} → {target}"
    arrows = found["ordersaga-operator"]["metadata"]["annotations"]["app.openshift.io/connects-to"]
    assert len(arrows.split(",")) == 5


def test_the_consoles_samples_are_ours_and_are_taken(kubectl: Kubectl) -> None:
    samples = {each["metadata"]["name"]: each["spec"] for each in documents(OPENSHIFT / "samples.yaml")}
    for sample, file in (("ordersaga-mug", "o-sample-mug"), ("ordersaga-declined", "o-sample-declined")):
        assert yamls.load(samples[sample]["yaml"]) == documents(ROOT / "manifests/samples" / f"{file}.yaml")[0]
    order = yamls.load(samples["ordersaga-mug"]["yaml"])
    snippet = yamls.load(samples["ordersaga-retry-now"]["yaml"])
    order["spec"] |= snippet
    kubectl("apply", "--dry-run=server", "-f", "-", manifest=order)


def test_the_quick_starts_order_is_taken(kubectl: Kubectl) -> None:
    (start,) = documents(OPENSHIFT / "quickstart.yaml")
    blocks = re.findall(r"```\n(apiVersion.*?)```", start["spec"]["tasks"][0]["description"], re.DOTALL)
    (order,) = [yamls.load(block) for block in blocks]
    kubectl("apply", "--dry-run=server", "--namespace", NAMESPACE, "-f", "-", manifest=order)


def test_the_links_to_the_page_lead_to_what_it_shows(kubectl: Kubectl) -> None:
    """Apart from the other links, since the page has to be installed first; its address is put in by one word."""
    links = {each["metadata"]["name"]: each["spec"] for each in built(kubectl, "manifests/openshift/page")}
    assert not links.keys() & {each["metadata"]["name"] for each in built(kubectl, "manifests/openshift")}
    addresses = [urlsplit(link["href"]) for link in links.values()]
    assert {(address.scheme, address.netloc, address.path) for address in addresses} == {("https", HOST, "/")}
    assert HOST in (ROOT / "docs" / "openshift.md").read_text()
    for address in addresses:
        said = dict(parse_qsl(address.query))
        assert Filter(**said).model_dump(include=set(said)) == dict.fromkeys(said, True)  # type: ignore[arg-type]
    assert {link["text"] for link in links.values()} == {"Orders, live", "Orders that need a person"}
    assert "*Orders, live*" in (OPENSHIFT / "quickstart.yaml").read_text()


def test_the_dashboard_is_off_by_default_and_the_one_that_is_made_from_code(kubectl: Kubectl) -> None:
    (dashboard,) = built(kubectl, "manifests/openshift/dashboard")
    assert dashboard["metadata"]["namespace"] == "openshift-config-managed"
    assert dashboard["metadata"]["labels"]["console.openshift.io/dashboard"] == "true"
    assert "dashboard" not in json.dumps(documents(OPENSHIFT / "kustomization.yaml"))
    shown = json.loads(dashboard["data"]["ordersaga.json"])
    assert shown == console()
