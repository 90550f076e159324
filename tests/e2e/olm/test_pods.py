"""Real OLM installs and upgrades the operator on a cluster with nodes: it runs in the pod that OLM has made."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from dev.release import olm
from dev.release.judges import controllers
from dev.setup.paths import CHECKOUT
from tests.e2e.gitops import nodes
from tests.e2e.gitops.nodes import SHOP, Release
from tests.e2e.olm.conftest import FIRST, SECOND, TEST_SECONDS
from tests.e2e.olm.lifecycle import NAMESPACE, OLM

pytestmark = pytest.mark.timeout(TEST_SECONDS)

# Where the images are in OpenShift. The cluster of KUBECONFIG has them by their names alone.
REGISTRY = "image-registry.openshift-image-registry.svc:5000/"
IMAGE = "e-commerce-saga/operator:latest"


@dataclass(frozen=True, slots=True)
class PodSite:
    """A cluster with nodes and OLM, and the shop on it."""

    olm: OLM
    release: Release


def services(release: Release) -> str:
    """manifests/olm/services, without the Route, and with a user for the database: OpenShift makes one up."""
    built = release.kubectl("kustomize", str(CHECKOUT / "manifests" / "olm" / "services")).replace(REGISTRY, "")
    objects = [each for each in yaml.safe_load_all(built) if each["kind"] != "Route"]
    for each in objects:
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", "mongodb"):
            ids = {"runAsUser": 999, "runAsGroup": 999, "fsGroup": 999}
            each["spec"]["template"]["spec"]["securityContext"] |= ids
    return yaml.safe_dump_all(objects)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PodSite]:
    """The shop with the operator that OLM has installed, its goods, and no order."""
    with contextlib.ExitStack() as undo:
        plane = undo.enter_context(nodes.cluster(SHOP, NAMESPACE))
        release = Release()
        manifests = services(release)
        gone = ("delete", "--ignore-not-found", "--timeout=180s")
        undo.callback(plane.kubectl, *gone, "-f", "-", input=manifests)
        undo.callback(plane.kubectl, *gone, "clusterrole", "--selector=olm.managed=true")
        found = OLM(controllers.find(controllers.OLM), plane.administrator, tmp_path_factory.mktemp("pods") / "olm")
        undo.callback(found.stop)
        undo.callback(nodes.leave, plane.administrator, controllers.OLM, "subscriptions.operators.coreos.com")
        found.start()
        found.catalog.publish(FIRST, image=IMAGE)
        plane.kubectl("apply", "-f", "-", input=manifests)
        found.subscribe(SHOP)
        found.until_installed(FIRST, SHOP)
        release.kubectl("wait", "--for=condition=Available", "--timeout=300s", "deployment", "--all")
        release.seed()
        yield PodSite(found, release)


def operators(release: Release) -> set[str]:
    """The uids of the operator's pods."""
    label = "app.kubernetes.io/name"
    pods = [pod["metadata"] for pod in release.pods()]
    return {each["uid"] for each in pods if each["labels"].get(label) == olm.PACKAGE}


def test_orders_complete_and_are_undone_in_the_pods(site: PodSite) -> None:
    site.release.place("o-pods-good")
    site.release.place("o-pods-declined", payment={"methodRef": "test-declined"})
    site.release.until("o-pods-good", "Completed")
    site.release.until("o-pods-declined", "Compensated")


def test_an_order_that_is_open_while_the_operators_pod_is_replaced_completes(site: PodSite) -> None:
    shipping = ("deployment", "shipping-service")
    site.release.kubectl("scale", *shipping, "--replicas=0")
    label = "--selector=app.kubernetes.io/name=shipping-service"
    site.release.kubectl("wait", "--for=delete", "pod", label, "--timeout=120s")
    site.release.place("o-pods-open", retry={"maxAttempts": 100, "maxBackoffSeconds": 2})
    site.release.until("o-pods-open", "Running")
    before = operators(site.release)
    site.olm.catalog.publish(FIRST, SECOND, image=IMAGE)
    site.olm.until_installed(SECOND, SHOP)
    assert not before & operators(site.release)
    site.release.kubectl("scale", *shipping, "--replicas=1")
    site.release.until("o-pods-open", "Completed")
