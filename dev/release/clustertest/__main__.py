"""`make cluster-test`: installs the chart into the cluster of KUBECONFIG, and prints what it saw.

Pods ready under `restricted`; an order completed and one compensated through the Service; an operator pod and a service
pod killed in the middle of 50 orders; upgrade and rollback with orders on their way; the books of all of them, also as
the chart's own job finds them; uninstallation with an open order refused, and without one complete; after a second
installation, the namespace deleted in the middle of 50 orders.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable

from common.wire import Json
from dev.release import helm
from dev.release.clustertest.installation import Installation, until
from dev.release.deploy import images
from dev.release.deploy.contexts import Cluster
from dev.release.deploy.shell import Shell
from dev.setup.binaries import find
from dev.setup.errors import StackError, exit_status
from dev.stack.demo.shop import ADDRESS_REF, CUSTOMER, finished, phase

ORDERS = 50
# Seven in ten complete; the others end at a step of their own.
METHODS = ("test-ok",) * 7 + ("test-declined", "test-processing", "test-unavailable-2")
# What Kubernetes puts into every namespace, and what outlives the release of itself.
NOT_OURS = ("configmap/kube-root-ca.crt", "configmap/openshift-service-ca.crt", "serviceaccount/default")


class ClusterTest:
    """The steps of the test; each returns a line about what it saw, and raises StackError when a promise is broken."""

    def __init__(self, installation: Installation) -> None:
        self._it = installation
        self._stamp = time.strftime("%H%M%S")

    def run(self) -> None:
        """Run all steps in order, and print a line after each."""
        first = (self.installs, self.tests_itself, self.works)
        for step in (*first, self.survives, self.changes, self.balances, self.goes, self.is_deleted):
            started = time.monotonic()
            seen = step()
            print(f"{step.__name__:13} {time.monotonic() - started:6.1f} s  {seen}", flush=True)

    def installs(self) -> str:
        """Namespace and release, all pods ready."""
        self._it.prepare()
        self._it.install()
        speak = self._it.encryption()
        spoken = f"services speak {speak.scheme}, the database {'TLS' if speak.database else 'no TLS'}"
        return f"{len(self._it.kubectl('get', 'pods', '-o', 'name').split())} pods ready; {spoken}"

    def tests_itself(self) -> str:
        """`helm test`."""
        self._it.helm("test", "e-commerce-saga", "--timeout", "240s")
        return "helm test"

    def works(self) -> str:
        """Two orders over REST and through the Services: one completes, one is compensated."""
        outcomes = []
        with self._it.shop() as shop:
            shop.seed()
            for method in ("test-ok", "test-declined"):
                shop.place(f"ct-{self._stamp}-{method}", payment={"method_ref": method})
                outcomes.append(phase(shop.watch(f"ct-{self._stamp}-{method}", finished)))
        if outcomes != ["Completed", "Compensated"]:
            raise StackError(f"the two orders ended as {outcomes}")
        return ", ".join(outcomes)

    def survives(self) -> str:
        """Two pods are killed while fifty orders run; all end, and the audit finds nothing."""

        def kill() -> str:
            return f"killed {self._it.kill('ordersaga-operator')} and {self._it.kill('payment-service')}"

        return self._with_orders_running("kill", kill)

    def changes(self) -> str:
        """The release is upgraded and rolled back while fifty orders run; all end, and the audit finds nothing."""

        def change() -> str:
            self._it.install("--set", "log.level=DEBUG", "--set", "services.payment.replicas=2")
            self._it.helm("rollback", "e-commerce-saga", "--wait", "--timeout=300s")
            return "upgraded and rolled back"

        return self._with_orders_running("change", change)

    def balances(self) -> str:
        """The nightly audit, now: its job succeeds, with its own few rights and behind its network policy."""
        return self._it.audit_job().strip().splitlines()[-1]

    def goes(self) -> str:
        """An open order stops the uninstallation; without one, nothing is left but what is kept."""
        stuck = f"ct-{self._stamp}-stuck"
        self._place([self._order(stuck, "test-ok") | {"state": "Suspended"}])
        until("the operator has seen the suspended order", lambda: self._it.phases()[stuck] == "Suspended")
        try:
            self._it.helm("uninstall", "e-commerce-saga", "--timeout", "240s")
        except StackError as refusal:
            said = f"{refusal} {self._it.kubectl('logs', 'job/ordersaga-uninstall')}"
            if stuck not in said:
                raise StackError(f"the uninstallation failed without naming {stuck}: {said}") from refusal
        else:
            raise StackError(f"the uninstallation went on although {stuck} is open")
        self._it.kubectl("patch", "ordersaga", stuck, "--type=merge", "-p", '{"spec":{"state":"Cancelled"}}')
        until("the cancelled order has ended", lambda: self._it.phases()[stuck] == "Compensated")
        kept = self._it.kept()
        self._it.helm("uninstall", "e-commerce-saga", "--wait", "--timeout", "300s")
        kinds = "deployments,pods,services,jobs,networkpolicies,pdb,pvc,serviceaccounts,roles,rolebindings"
        until("pods and jobs are gone", lambda: not self._it.kubectl("get", "pods,jobs", "-o", "name").strip())
        left = set(self._it.kubectl("get", f"{kinds},cronjobs,configmaps", "-o", "name").split())
        # Certificates come from whoever issues them, and stay with him.
        of_the_chart = ("get", "secrets", "--field-selector", "type!=kubernetes.io/tls", "-o", "name")
        left |= set(self._it.kubectl(*of_the_chart).split())
        ours = {each.replace(".apps", "").replace(".networking.k8s.io", "") for each in left} - set(NOT_OURS)
        if ours != kept:
            raise StackError(f"left behind: {sorted(ours - kept)}, missing: {sorted(kept - ours)}")
        return (
            f"an open order was named and waited for; left: {', '.join(sorted(kept))}, {len(self._it.phases())} orders"
        )

    def is_deleted(self) -> str:
        """Everything is installed again, and the namespace deleted while fifty orders run: no finalizer holds it."""
        self._it.install()
        with self._it.shop() as shop:
            shop.seed()
        orders = [f"ct-{self._stamp}-gone-{number}" for number in range(ORDERS)]
        self._place([self._order(order, METHODS[i % len(METHODS)]) for i, order in enumerate(orders)])
        until("one of these orders has ended", lambda: "Completed" in map(self._it.phases().get, orders))
        with self._it.log_of("ordersaga-operator") as log:
            self._it.delete_namespace()
            said = log()
        if "the namespace is being deleted with its operator" not in said:
            raise StackError(f"the operator has not seen that its namespace goes: {said[-1000:]}")
        if lost := [line for line in said.splitlines() if "can't end in its namespace" in line]:
            raise StackError(f"{len(lost)} orders did not end in time, among them: {lost[0]}")
        return f"{said.count('saga finished')} sagas ended after the deletion, and the namespace is gone"

    def _with_orders_running(self, name: str, act: Callable[[], str]) -> str:
        """Place fifty orders, `act` while they run, wait for their ends, and audit them."""
        orders = [f"ct-{self._stamp}-{name}-{number}" for number in range(ORDERS)]
        self._place([self._order(order, METHODS[i % len(METHODS)]) for i, order in enumerate(orders)])
        done = act()

        def ended() -> bool:
            phases = self._it.phases()
            return all(phases[order] in ("Completed", "Compensated") for order in orders)

        until(f"all orders of {name} have ended", ended)
        self._it.ready()
        phases = self._it.phases()
        completed = sum(phases[order] == "Completed" for order in orders)
        if completed != sum(METHODS[i % len(METHODS)] != "test-declined" for i in range(ORDERS)):
            raise StackError(f"{completed} of {ORDERS} orders completed")
        books = self._it.audit().strip().splitlines()
        return f"{done}; {completed} completed, {ORDERS - completed} compensated; audit: {books[-1] if books else 'ok'}"

    def _place(self, specs: list[Json]) -> None:
        items = [
            {"apiVersion": "ordersaga.io/v1alpha1", "kind": "OrderSaga", "metadata": {"name": s["orderID"]}, "spec": s}
            for s in specs
        ]
        self._it.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))

    @staticmethod
    def _order(name: str, method: str) -> Json:
        return {
            "orderID": name,
            "customerID": CUSTOMER,
            "currency": "EUR",
            "items": [{"productID": "p-mug", "quantity": 1, "unitPriceMinor": 1250}],
            "payment": {"methodRef": method},
            "shipTo": {"addressRef": ADDRESS_REF},
        }


def parser() -> argparse.ArgumentParser:
    """The options; their texts are the manual."""
    options = argparse.ArgumentParser(
        prog="make cluster-test", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    environment = os.environ
    options.add_argument("--namespace", default=environment.get("CLUSTER_NAMESPACE", "e-commerce-saga"))
    options.add_argument(
        "--load",
        default=environment.get("CLUSTER_LOAD", "none"),
        metavar="COMMAND",
        help="how an image gets into the cluster: a command with {image} in it (CLUSTER_LOAD; default: they are there)",
    )
    options.add_argument(
        "--values",
        default=environment.get("CLUSTER_VALUES", ""),
        metavar="WORDS",
        help="more for helm, as in '--set global.imageRegistry=…' (CLUSTER_VALUES)",
    )
    return options


def main(arguments: list[str]) -> int:
    """The exit status: 1 with one sentence when something was not as promised."""
    options = parser().parse_args(arguments)
    if not os.environ.get("KUBECONFIG"):
        print("KUBECONFIG has to name the cluster: everything in its namespace is at stake", file=sys.stderr)
        return 1

    def work() -> None:
        here = Cluster("kubectl", "of KUBECONFIG", "")
        if command := images.loader(here, options.load):
            images.load(Shell(dry_run=False), "docker", command)
        installation = Installation(helm.find(), find("kubectl"), options.namespace, options.values.split())
        ClusterTest(installation).run()
        print("All as promised.")

    return exit_status(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
