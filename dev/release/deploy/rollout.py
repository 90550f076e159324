"""What both deploy scripts do with a cluster: apply a file, wait for it, place a smoke order."""

import contextlib
import copy
import json
from typing import Any

from dev.release.deploy.contexts import Cluster
from dev.release.deploy.shell import Shell
from dev.setup.errors import StackError
from dev.stack.waiting import wait_until

NAMESPACE = "e-commerce-saga"
PATIENCE = "300s"
SMOKE_SECONDS = 180.0
TEST = "ordersaga-test"
DEFINITIONS = ("crd/ordersagas.ordersaga.io", "crd/participants.ordersaga.io")

Json = dict[str, Any]


class Rollout:
    """One installation in one cluster."""

    def __init__(self, shell: Shell, cluster: Cluster) -> None:
        self._shell = shell
        self._cluster = cluster

    def _kubectl(self, *words: str) -> list[str]:
        return self._cluster.command("--namespace", NAMESPACE, *words)

    def exists(self) -> bool:
        """Whether the operator is already installed."""
        return self._shell.read(self._kubectl("get", "deployment", "ordersaga-operator", "-o", "name")) is not None

    def apply(self, file: str, *, restart: bool) -> None:
        """Apply the file; `restart`: also restart the pods, which may run an older image of the same name."""
        again = restart and self.exists()
        self._shell.run(self._cluster.command("apply", "--server-side", "--force-conflicts", "-f", file))
        if again:
            ours = "app.kubernetes.io/component in (service, operator)"
            self._shell.run(self._kubectl("rollout", "restart", "deployment", "--selector", ours))
        self._shell.run(self._cluster.command("wait", "--for=condition=Established", *DEFINITIONS))

    def wait(self) -> None:
        """Wait until every Deployment is complete."""
        for name in self._deployments():
            self._shell.run(self._kubectl("rollout", "status", f"deployment/{name}", f"--timeout={PATIENCE}"))

    def _deployments(self) -> list[str]:
        listed = self._shell.read(
            self._kubectl(
                *("get", "deployments", "--selector", "app.kubernetes.io/part-of=ordersaga"),
                *("-o", "jsonpath={.items[*].metadata.name}"),
            )
        )
        return (listed or "").split()

    def smoke(self) -> None:
        """Place one order inside the cluster, as `helm test` does. Raises StackError when it isn't Completed."""
        deployment = self._shell.read(self._kubectl("get", "deployment", "ordersaga-operator", "-o", "json"))
        if deployment is None:
            self._shell.print("would place one order and wait for it")
            return
        self._shell.run(self._kubectl("delete", "pod", TEST, "--ignore-not-found", "--wait"))
        self._shell.run(self._kubectl("apply", "-f", "-"), input=json.dumps(smoke_pod(json.loads(deployment))))
        if self._shell.dry_run:
            return
        with contextlib.suppress(StackError):  # the pod's log says more than that the time is up
            wait_until(
                "the pod has ended", lambda: self._phase() in ("Succeeded", "Failed"), SMOKE_SECONDS, pause_seconds=1
            )
        self._shell.run(self._kubectl("logs", TEST))
        if (phase := self._phase()) != "Succeeded":
            raise StackError(f"the smoke order did not complete (its pod is {phase})")
        self._shell.run(self._kubectl("delete", "pod", TEST))

    def _phase(self) -> str | None:
        return self._shell.read(self._kubectl("get", "pod", TEST, "-o", "jsonpath={.status.phase}"))


def smoke_pod(operator: Json) -> Json:
    """The chart's test pod, made from the operator's Deployment: the same image, another command, and the tokens of
    the shop's own people.
    """
    template = operator["spec"]["template"]
    container = copy.deepcopy(template["spec"]["containers"][0])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe", "ports", "lifecycle"):
        container.pop(probe, None)
    labels = {**template["metadata"]["labels"], "app.kubernetes.io/name": TEST, "app.kubernetes.io/component": "hook"}
    spec = {
        "restartPolicy": "Never",
        "serviceAccountName": "ordersaga-staff",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "activeDeadlineSeconds": int(SMOKE_SECONDS),
        "securityContext": template["spec"]["securityContext"],
        "imagePullSecrets": template["spec"].get("imagePullSecrets", []),
        "volumes": template["spec"].get("volumes", []),
        "containers": [{**container, "name": "order", "command": ["python", "-m", "ordersaga", "smoke"]}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": TEST, "labels": labels}, "spec": spec}
