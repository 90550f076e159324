"""The life of a release, by both versions of Helm on a real API server (where no controller makes pods out of it)."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pymongo.uri_parser import parse_uri

from dev.release import render
from dev.stack.pytest_plugin import TestControlPlane
from tests.packaging.chart.charts import HELMS, rendered
from tests.packaging.chart.releases import Release
from tests.support import yamls
from tests.support.samples import order

pytestmark = pytest.mark.slow

DEFINITION = "ordersagas.ordersaga.io"
ROLES = ("ordersaga-viewer", "ordersaga-editor", "ordersaga-participant-editor")
SHARED = (f"crd/{DEFINITION}", "crd/participants.ordersaga.io", *(f"clusterrole/{name}" for name in ROLES))
CALLERS = ("ordersaga-operator", "order-service", "payment-service", "ordersaga-audit", "ordersaga-uninstall")
"""Of the API server."""


@pytest.fixture
def cluster(control_plane: TestControlPlane) -> Iterator[TestControlPlane]:
    """The cluster, whose definitions and ClusterRoles were applied with kubectl; afterwards they are nobody's again."""
    yield control_plane
    control_plane.administrator.install("shop")
    control_plane.kubectl("annotate", *SHARED, *(f"meta.helm.sh/release-{of}-" for of in ("name", "namespace")))


@pytest.fixture(params=HELMS)
def release(cluster: TestControlPlane, request: pytest.FixtureRequest) -> Iterator[Release]:
    release = Release(cluster, request.param, f"release-{request.param}")
    yield release
    cluster.kubectl("delete", "namespace", release.namespace, "--wait=false")


def owners(cluster: TestControlPlane) -> set[str | None]:
    """The namespaces of the releases that Helm takes what is there once in a cluster for parts of."""
    found = json.loads(cluster.kubectl("get", *SHARED, "-o", "json").stdout)["items"]
    assert len(found) == len(SHARED)
    return {(each["metadata"].get("annotations") or {}).get("meta.helm.sh/release-namespace") for each in found}


def open_ports(release: Release, name: str) -> set[int]:
    """Where this part may go, whoever is there."""
    rules = release.found("networkpolicy", name)["spec"]["egress"]
    return {port["port"] for rule in rules if "to" not in rule for port in rule["ports"]}


def passwords(release: Release, prefix: str) -> dict[str, str]:
    """Of the bundled database's users, if each has a URI of the database with this prefix."""
    found = {}
    for name, encoded in release.found("secret", "mongodb-users")["data"].items():
        uri = parse_uri(base64.b64decode(encoded).decode())
        database = "admin" if name in ("admin", "audit") else f"{prefix}{name}"
        assert (uri["username"], uri["database"]) == (name, database)
        found[name] = uri["password"]
    return found


@pytest.mark.parametrize("how", ["scale", "autoscale"])
def test_replicas_that_were_set_by_hand_are_helms_again_when_it_is_told_so(cluster: TestControlPlane, how: str) -> None:
    release = Release(cluster, "helm", f"by-hand-{how}")
    release.install()
    deployment = ("deployment/payment-service", "--namespace", release.namespace)
    if how == "scale":
        cluster.kubectl("scale", *deployment, "--replicas=4")
    else:  # as its controller does it
        patch = ("--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":4}}')
        cluster.kubectl("patch", *deployment, *patch, "--field-manager=kube-controller-manager")
    said = release.tried("upgrade", release.name, str(release.chart))
    assert 'with subresource "scale"' in said, said
    release.upgrade("--force-conflicts")
    assert release.replicas("payment-service") == 1
    release.uninstall()
    cluster.kubectl("delete", "namespace", release.namespace, "--wait=false")


def test_a_release_is_installed_changed_rolled_back_and_goes(release: Release, cluster: TestControlPlane) -> None:
    release.install("--set", "services.inventory.replicas=5")
    assert release.replicas("inventory-service") == 5
    assert owners(cluster) == {None}, "whoever has brought them keeps them"
    port = int(cluster.url.rpartition(":")[2])
    assert port not in (443, 6443, 8443, 16443)
    assert [name for name in CALLERS if not {443, 6443, port} <= open_ports(release, name)] == []

    release.upgrade("--set", "global.environment=production", "--set", "serviceDefaults.autoscaling.enabled=true")
    replicas = {name: release.replicas(f"{name}-service") for name in ("inventory", "payment")}
    assert replicas == {"inventory": 5, "payment": 2}, "as there were, and not below what an autoscaler is told"
    assert release.replicas("ordersaga-operator") == 2

    release.helm("rollback", release.name)
    assert release.replicas("ordersaga-operator") == 1

    before = passwords(release, "ordersaga_")
    release.upgrade("--set", "mongodb.databasePrefix=other_")
    assert passwords(release, "other_") == before, "each service's user is one of the database that it uses"
    release.upgrade()

    release.uninstall()
    everything = "deployments,services,serviceaccounts,roles,rolebindings,networkpolicies,pdb,pvc,secrets,jobs"
    assert release.names(everything) == {"persistentvolumeclaim/mongodb", "secret/mongodb-users"}
    assert owners(cluster) == {None}

    release.install()
    assert "deployment.apps/mongodb" in release.names("deployments")


def test_two_installations_side_by_side_are_no_concern_of_each_other(cluster: TestControlPlane) -> None:
    first, second = Release(cluster, "helm", "side-a"), Release(cluster, "helm3", "side-b", name="other")
    first.install("--set", "crds.adopt=true", "--take-ownership")
    second.install()
    assert owners(cluster) == {"side-a"}
    before = second.names("all,networkpolicies,roles,rolebindings,secrets,pvc")

    first.uninstall()
    assert second.names("all,networkpolicies,roles,rolebindings,secrets,pvc") == before
    cluster.kubectl("get", "clusterrolebinding", "ordersaga-side-b-token-reviews")
    assert owners(cluster) == {"side-a"}, "they are there still"

    second.upgrade("--set", "crds.adopt=true", "--take-ownership")
    assert owners(cluster) == {"side-b"}
    second.uninstall()
    cluster.kubectl("delete", "namespace", "side-a", "side-b", "--wait=false")


@pytest.mark.parametrize("program", HELMS)
def test_a_definition_of_somebody_else_that_lacks_a_field_is_refused(cluster: TestControlPlane, program: str) -> None:
    field = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/steps/items/properties/compensation"
    release = Release(cluster, program, "default", name="younger")
    install = ("install", release.name, str(render.CHART), "--dry-run=server")
    cluster.kubectl("patch", "crd", DEFINITION, "--type=json", "-p", json.dumps([{"op": "remove", "path": field}]))
    said = release.tried(*install)
    assert "that is there (of nobody) is an older one, without OrderSaga.status.steps[].compensation" in said, said
    cluster.administrator.install("shop")
    release.helm(*install)


def test_the_chart_of_before_is_upgraded_with_an_order_in_it_and_back(cluster: TestControlPlane) -> None:
    """docs/upgrades.md, "From the release before": installed with Helm 3, upgraded with Helm 4."""
    before = Release(cluster, "helm3", "upgraded", chart=next((Path(__file__).parent / "before").glob("*.tgz")))
    before.install("--take-ownership", "--set", "services.payment.replicas=3")
    assert owners(cluster) == {"upgraded", None}, "it had fewer definitions"
    cluster.kubectl("apply", "-n", "upgraded", "-f", "-", input=yaml.safe_dump(order("o-before")))
    claim = before.found("pvc", "mongodb")["metadata"]["uid"]

    now = Release(cluster, "helm", "upgraded")
    for program in ("helm", "helm3"):
        careless = Release(cluster, program, "upgraded")
        said = careless.tried("upgrade", careless.name, str(render.CHART), "--reuse-values")
        assert "at '/global': missing properties 'ipFamilyPolicy', 'namespaceEndSeconds', " in said, said
    now.upgrade("--reset-then-reuse-values", "--set", "crds.adopt=true", "--take-ownership")
    assert owners(cluster) == {"upgraded"}
    definition = json.loads(cluster.kubectl("get", "crd", DEFINITION, "-o", "json").stdout)
    source = yamls.load((render.CHECKOUT / "crds" / "ordersaga.yaml").read_text())
    assert definition["spec"]["versions"] == source["spec"]["versions"]
    assert now.replicas("payment-service") == 3
    assert now.found("pvc", "mongodb")["metadata"]["uid"] == claim
    wanted = {body["metadata"]["name"] for body in rendered("--no-hooks", namespace="upgraded").all("Deployment")}
    assert {name.partition("/")[2] for name in now.names("deployments")} == wanted
    assert now.found("ordersaga", "o-before")["spec"].items() >= order("o-before")["spec"].items()
    cancelled = (
        "patch",
        "ordersaga",
        "o-before",
        "-n",
        "upgraded",
        "--type=merge",
        "-p",
        '{"spec":{"state":"Cancelled"}}',
    )
    cluster.kubectl(*cancelled)

    now.helm("rollback", now.name)
    assert now.found("ordersaga", "o-before")["spec"]["state"] == "Cancelled"
    cluster.kubectl("delete", "namespace", "upgraded", "--wait=false")
