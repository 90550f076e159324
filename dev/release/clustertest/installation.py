"""The chart's release in a cluster: helm and kubectl for one namespace."""

import base64
import contextlib
import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from common.identity.callers import audience_of
from common.services import SERVICES
from common.wire import Json
from dev.release.clustertest.encryption import Encryption
from dev.release.clustertest.forwarding import Forward
from dev.release.render import CHART, NAMESPACE_OBJECT, RELEASE
from dev.setup.errors import StackError
from dev.stack.demo.shop import Shop
from dev.stack.waiting import wait_until

PATIENCE_SECONDS = 300.0
until = functools.partial(wait_until, seconds=PATIENCE_SECONDS, pause_seconds=0.5)


class Installation:
    """One release in one namespace. Everything raises StackError with what the program said."""

    def __init__(self, helm: Path, kubectl: Path, namespace: str, values: list[str]) -> None:
        self.namespace = namespace
        self._helm, self._kubectl, self._values = helm, kubectl, values

    def helm(self, *words: str) -> str:
        """`helm WORDS --namespace …`; what it prints."""
        return _run([str(self._helm), *words, "--namespace", self.namespace])

    def kubectl(self, *words: str, input: str | None = None) -> str:  # noqa: A002 - as in subprocess.run
        """`kubectl WORDS --namespace …`; what it prints."""
        return _run([str(self._kubectl), "--namespace", self.namespace, *words], input=input)

    def prepare(self) -> None:
        """A namespace where Pod Security `restricted` is enforced."""
        self.kubectl("apply", "-f", "-", input=NAMESPACE_OBJECT.replace(RELEASE, self.namespace, 1))

    def install(self, *arguments: str) -> None:
        """Install or upgrade, and wait until everything is ready."""
        timeout = f"--timeout={PATIENCE_SECONDS:.0f}s"
        self.helm("upgrade", "--install", RELEASE, str(CHART), "--wait", timeout, *self._values, *arguments)

    @contextlib.contextmanager
    def shop(self) -> Iterator[Shop]:
        """The shop's own people, who reach the services through `kubectl port-forward`."""
        with contextlib.ExitStack() as forwards:
            tokens = Path(forwards.enter_context(tempfile.TemporaryDirectory(prefix="ordersaga-tokens-")))
            for name in SERVICES:
                words = ("create", "token", "ordersaga-staff", "--audience", audience_of(name), "--duration=4h")
                (tokens / name).write_text(self.kubectl(*words))
            encryption, urls = self.encryption(), {}
            for number, name in enumerate(SERVICES):
                forward = forwards.enter_context(self.forward(f"svc/{name}-service", 8000 + number))
                urls[name] = f"{encryption.scheme}://127.0.0.1:{forward.port}"
            hosts = {name: encryption.host(name) for name in SERVICES} if encryption.services else {}
            yield forwards.enter_context(Shop(urls, tokens, trust=encryption.trust, hosts=hosts))

    def encryption(self) -> Encryption:
        """How its parts are reached."""
        return Encryption.of(self.kubectl, self.namespace)

    def kept(self) -> set[str]:
        """What the chart keeps on purpose, as `kind/name`."""
        objects: list[Json] = json.loads(self.kubectl("get", "pvc,secrets", "-o", "json"))["items"]
        return {
            f"{each['kind'].lower()}/{each['metadata']['name']}"
            for each in objects
            if each["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
        }

    def forward(self, target: str, port: int) -> Forward:
        """A port of this machine that leads there."""
        words = ("port-forward", "--address", "127.0.0.1", target, f":{port}")
        return Forward([str(self._kubectl), "--namespace", self.namespace, *words])

    def kill(self, part: str) -> str:
        """Kill one pod of a Deployment without a grace period; its name."""
        selector = f"app.kubernetes.io/name={part}"
        pods = self.kubectl("get", "pods", "--selector", selector, "-o", "jsonpath={.items[*].metadata.name}").split()
        if not pods:
            raise StackError(f"{part} has no pod to kill")
        self.kubectl("delete", "pod", pods[0], "--grace-period=0", "--force", "--wait=false")
        return pods[0]

    def ready(self) -> None:
        """Wait until all Deployments are complete."""
        for name in self.kubectl("get", "deployments", "-o", "jsonpath={.items[*].metadata.name}").split():
            self.kubectl("rollout", "status", f"deployment/{name}", f"--timeout={PATIENCE_SECONDS:.0f}s")

    def phases(self) -> dict[str, str]:
        """Phase by order."""
        sagas: list[Json] = json.loads(self.kubectl("get", "ordersagas", "-o", "json"))["items"]
        return {saga["metadata"]["name"]: (saga.get("status") or {}).get("phase", "Pending") for saga in sagas}

    @contextlib.contextmanager
    def log_of(self, part: str) -> Iterator[Callable[[], str]]:
        """What the part's pods say from now on; asked for it, waits until they have said their last."""
        words = ("logs", "--follow", "--since=1s", f"--selector=app.kubernetes.io/name={part}")
        with subprocess.Popen(
            [str(self._kubectl), "--namespace", self.namespace, *words], stdout=subprocess.PIPE, text=True
        ) as reader:
            try:
                yield lambda: reader.communicate(timeout=PATIENCE_SECONDS)[0]
            finally:
                reader.terminate()

    def delete_namespace(self) -> None:
        """Delete the namespace with all that is in it, and wait until it is gone."""
        _run([str(self._kubectl), "delete", "namespace", self.namespace, f"--timeout={PATIENCE_SECONDS:.0f}s"])

    def audit(self) -> str:
        """The output of `ordersaga audit` for all orders, on the bundled database."""
        with self.forward("deployment/mongodb", 27017) as database, tempfile.TemporaryDirectory() as folder:
            url = self.encryption().database_url(self._audits_uri(), database.port, Path(folder))
            words = [sys.executable, "-m", "ordersaga", "audit", "--namespace", self.namespace]
            return _run(words, environment={"ORDERSAGA_MONGODB_URL": url})  # a secret: not for the list of processes

    def _audits_uri(self) -> str:
        """Of the user who may read all of the bundled database; of nobody where it has no users."""
        volumes = json.loads(self.kubectl("get", "deployment", "mongodb", "-o", "json"))["spec"]["template"]["spec"]
        for volume in volumes["volumes"]:
            if volume["name"] == "users":
                secret = json.loads(self.kubectl("get", "secret", volume["secret"]["secretName"], "-o", "json"))
                return base64.b64decode(secret["data"]["audit"]).decode()
        return "mongodb://mongodb/"

    def audit_job(self) -> str:
        """The chart's audit, run now in the cluster; its log. Raises StackError with the log if it doesn't succeed."""
        job = "job/audit-now"
        self.kubectl("create", "job", "--from=cronjob/ordersaga-audit", "audit-now")

        def ended() -> bool:
            conditions = self.kubectl("get", job, "-o", "jsonpath={.status.conditions[?(@.status=='True')].type}")
            return bool({"Complete", "Failed"} & set(conditions.split()))

        until("the audit's job has ended", ended)
        log = self.kubectl("logs", job)
        if self.kubectl("get", job, "-o", "jsonpath={.status.succeeded}") != "1":
            raise StackError(f"the audit's job failed: {log}")
        self.kubectl("delete", job)
        return log


def _run(
    words: list[str],
    *,
    input: str | None = None,  # noqa: A002 - as in subprocess.run
    environment: Mapping[str, str] = MappingProxyType({}),
) -> str:
    known = {**os.environ, **environment}
    result = subprocess.run(words, input=input, capture_output=True, text=True, check=False, env=known)
    if result.returncode:
        raise StackError(f"{' '.join(words)}: {result.stdout.strip()} {result.stderr.strip()}")
    return result.stdout
