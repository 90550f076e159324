"""A cluster with nodes, where the shop's pods really run: the one that KUBECONFIG names, emptied afterwards."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from common.wire import Json
from dev.release import helm
from dev.release.clustertest.installation import Installation
from dev.release.judges import controllers
from dev.setup.binaries import find
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT
from dev.stack.parts.admin import Administrator
from dev.stack.pytest_plugin import TestControlPlane
from dev.stack.waiting import wait_until
from tests.e2e.test_orders_in_git import manifest

SHOP = "e-commerce-saga"
# Seconds. A release may wait five minutes for its pods.
PATIENCE = 300.0


class Release(Installation):
    """The shop's release in that cluster, and what people do beside the tool that has installed it."""

    def __init__(self) -> None:
        super().__init__(helm.find(), find("kubectl"), SHOP, [])

    def operator(self) -> Json:
        """The operator's Deployment."""
        found: Json = json.loads(self.kubectl("get", "deployment", "ordersaga-operator", "-o", "json"))
        return found

    def pods(self) -> list[Json]:
        found: list[Json] = json.loads(self.kubectl("get", "pods", "-o", "json"))["items"]
        return found

    def seed(self) -> None:
        """The goods, address and contact that the samples name."""
        with self.shop() as shop:
            shop.seed()

    def place(self, order_id: str, **spec: object) -> None:
        """An order by `kubectl apply`."""
        self.kubectl("apply", "-f", "-", input=json.dumps(manifest(order_id, **spec)))

    def cancel(self, order_id: str) -> None:
        self.kubectl("patch", "ordersaga", order_id, "--type=merge", "-p", '{"spec":{"state":"Cancelled"}}')

    def until(self, order_id: str, phase: str) -> None:
        """Wait until the order is in this phase."""
        wait_until(
            lambda: f"{order_id} is {phase}: {self.phases()}", lambda: self.phases().get(order_id) == phase, PATIENCE
        )

    def until_the_hook_names(self, order_id: str) -> None:
        """Wait until the job of the chart's uninstallation says that it waits for this order."""

        def says() -> bool:
            jobs = self.kubectl("get", "jobs", "--field-selector=metadata.name=ordersaga-uninstall", "-o", "name")
            with contextlib.suppress(StackError):  # its pod hasn't started
                return bool(jobs) and order_id in self.kubectl("logs", jobs.strip())
            return False

        wait_until(f"the chart's hook waits for {order_id}", says, PATIENCE)


@contextlib.contextmanager
def cluster(*namespaces: str) -> Iterator[TestControlPlane]:
    """The cluster of KUBECONFIG, which has the images and none of these namespaces; they are gone afterwards.

    Raises StackError if one of them is there: it is somebody's.
    """
    if not (named := os.environ.get("KUBECONFIG")):
        raise StackError("KUBECONFIG has to name a cluster with nodes: a shop is installed there, and removed")
    administrator = Administrator(find("kubectl"), Path(named))
    if there := administrator.kubectl("get", "namespace", *namespaces, "--ignore-not-found", "-o", "name").stdout:
        raise StackError(f"the cluster of KUBECONFIG has {' '.join(there.split())} already: it is not touched")
    try:
        yield TestControlPlane(administrator, "")
    finally:
        administrator.kubectl("delete", "namespace", *namespaces, "--ignore-not-found", "--timeout=180s")
        administrator.kubectl("delete", "-f", CHECKOUT / "crds", "--ignore-not-found", "--timeout=60s")
        administrator.kubectl("delete", "clusterroles,clusterrolebindings", "-l", "app.kubernetes.io/part-of=ordersaga")


def leave(administrator: Administrator, suite: controllers.Suite, first: str) -> None:
    """While controllers and operator still run: the orders go, then the tool's objects, of this kind first, then its
    kinds.
    """
    kubectl = administrator.kubectl
    kubectl("delete", "ordersagas", "--all", "--namespace", SHOP, "--timeout=120s", check=False)
    kubectl("delete", first, "--all", "--all-namespaces", "--timeout=300s")
    folder = controllers.find(suite) / controllers.DEFINITIONS
    kubectl("delete", "-f", folder, "--ignore-not-found", "--timeout=300s")
