"""These tests need the controllers of the Operator Lifecycle Manager: only `make olm-test` runs them.

They have a cluster without nodes (nodeless.py), real OLM as processes, and a catalog that has nothing but our bundle.
Services and operator are the local stack's processes; the operator has the account and the rights that OLM made.

test_pods.py, which `make olm-pods-test` has, is for a cluster with nodes.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.wire import Json
from dev.release.judges import controllers
from dev.release.olm import PACKAGE
from dev.setup.paths import CHECKOUT
from dev.stack.pytest_plugin import TestControlPlane
from dev.stack.waiting import wait_until
from tests.e2e import nodeless
from tests.e2e.nodeless import NAMESPACE
from tests.e2e.olm.lifecycle import OLM
from tests.e2e.system import Stack
from tests.packaging.gitops.definitions import ANYTHING, crd

collect_ignore_glob = {"1": ["test_pods.py"], "pods": ["test_[!p]*.py"]}.get(
    os.environ.get("ORDERSAGA_OLM_TESTS", ""), ["test_*.py"]
)
FIRST, SECOND = "0.1.0", "0.1.1"
# Of one test with its fixtures, which install the operator.
TEST_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster with OLM, and nothing of the shop but its namespace."""

    plane: TestControlPlane
    olm: OLM

    def kubectl(self, *words: str | Path, check: bool = True) -> str:
        """In the shop's namespace; what it prints."""
        return self.plane.kubectl("--namespace", NAMESPACE, *words, check=check).stdout

    def apply_services(self) -> None:
        """What docs/openshift.md applies beside the bundle. The cluster has OpenShift's Routes only by name."""
        self.plane.kubectl("apply", "-f", "-", input=json.dumps(crd("Route", "route.openshift.io", "v1", ANYTHING)))
        words = ("apply", "-k", CHECKOUT / "manifests" / "olm" / "services")
        wait_until("the services are applied", lambda: not self.plane.kubectl(*words, check=False).returncode, 60)

    def version(self, namespace: str) -> str:
        """The version that OLM installs there, once it has made up its mind."""
        found = self.olm.until(
            f"OLM has chosen a version for {namespace}",
            lambda: self.olm.get("subscription.operators.coreos.com", PACKAGE, namespace),
            lambda subscription: bool(subscription.get("status", {}).get("currentCSV")),
        )
        chosen: str = found["status"]["currentCSV"]
        return chosen.removeprefix(f"{PACKAGE}.v")

    def collect_garbage(self) -> None:
        """Delete what a cluster's garbage collector would: what has owners, and none of them is there any more."""
        words = ("api-resources", "--verbs=list,delete", "-o", "name")
        kinds = ",".join(each for each in self.plane.kubectl(*words).stdout.split() if not each.startswith("events"))
        while True:
            everything: list[Json] = json.loads(
                self.plane.kubectl("get", kinds, "--all-namespaces", "-o", "json").stdout
            )["items"]
            there = {each["metadata"]["uid"] for each in everything}
            orphans = [each for each in everything if orphaned(each, there)]
            if not orphans:
                return
            listed = {"apiVersion": "v1", "kind": "List", "items": orphans}
            self.plane.kubectl("delete", "-f", "-", "--ignore-not-found", "--timeout=60s", input=json.dumps(listed))


def orphaned(found: Json, there: set[str]) -> bool:
    owners = found["metadata"].get("ownerReferences", [])
    return bool(owners) and not any(owner["uid"] in there for owner in owners)


@contextlib.contextmanager
def new_site(folder: Path) -> Iterator[Site]:
    """A cluster with OLM, the shop's namespace, and a catalog with the first version."""
    programs = controllers.find(controllers.OLM)
    with nodeless.cluster(folder) as plane, contextlib.ExitStack() as undo:
        olm = OLM(programs, plane.administrator, folder / "olm")
        undo.callback(olm.stop)
        olm.start()
        olm.catalog.publish(FIRST)
        plane.kubectl("create", "namespace", NAMESPACE)
        yield Site(plane, olm)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with new_site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="session")
def installed(site: Site) -> Site:
    """The site with services and operator, as docs/openshift.md says."""
    site.apply_services()
    site.olm.subscribe(NAMESPACE)
    site.olm.until_installed(FIRST, NAMESPACE)
    return site


@pytest.fixture(scope="session")
def shop(installed: Site, mongodb_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The shop that OLM has installed, at work."""
    with nodeless.processes(mongodb_url, installed.plane, tmp_path_factory.mktemp("shop"), "olm_") as stack:
        yield stack
