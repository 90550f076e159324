"""All real parts at once: an API server, a MongoDB, five service processes, and the operator as a process."""

import json
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.identity.callers import audience_of
from common.services import NEIGHBOURS, SERVICES
from common.wire import Json
from dev.stack.demo.books import Books
from dev.stack.demo.shop import Shop, finished, phase
from dev.stack.parts.applications import Operator, Service, Wiring
from dev.stack.processes import Process, free_port, wait_ready
from dev.stack.pytest_plugin import TestControlPlane

# A namespace and databases of their own: other suites make orders, too, and no operator is to touch those.
NAMESPACE = "e2e"
PREFIX = "e2e_"


class Stack:
    """The system, and what tests do to it."""

    def __init__(
        self,
        mongodb_url: str,
        plane: TestControlPlane,
        folder: Path,
        *,
        prefix: str = PREFIX,
        namespace: str = NAMESPACE,
        install: bool = True,
        **env: str,
    ) -> None:
        """`prefix`: of the databases' names; `env`: more environment for all processes.

        `install`: False where definitions, accounts and Roles are in the namespace already.
        """
        if install:
            plane.administrator.install(namespace)
        self._plane, self._folder, self._namespace = plane, folder, namespace
        self.wiring = Wiring(
            mongodb_url=mongodb_url,
            logs=folder,
            service_ports={name: free_port() for name in SERVICES},
            health_port=free_port(),
            database_prefix=prefix,
            namespace=namespace,
            extra={
                "ORDERSAGA_SWEEP_INTERVAL": "3",  # seconds: tests of the time to live don't wait half a minute
                "ORDERSAGA_LOST_SAGAS_SECONDS": "2",  # nor half a minute for a resource that is lost
                "ORDERSAGA_COMPENSATION_ATTEMPTS": "4",
                "ORDERSAGA_COMPENSATION_SECONDS": "3",  # nor a quarter of an hour for an undo that is stuck
                **env,
            },
        )
        self.services = {
            name: Service(
                name,
                self.wiring,
                kubeconfig=plane.identity(f"{name}-service", namespace),
                tokens=self.tokens_of(name),
            )
            for name in SERVICES
        }
        self.tokens, self.staff = folder / "ordersaga-operator.tokens", folder / "ordersaga-staff.tokens"
        self.identify()
        self.operator = Operator(
            self.wiring, kubeconfig=plane.identity("ordersaga-operator", namespace), tokens=self.tokens
        )
        self.shop = Shop({name: self.wiring.url(name) for name in SERVICES}, self.staff)
        self.books = Books(mongodb_url, prefix)

    def identify(self) -> None:
        """Write new tokens for all who call."""
        tokens = self._plane.administrator.tokens
        for account in ("ordersaga-operator", "ordersaga-staff"):
            tokens(account, self._namespace, self._folder)
        for name, called in NEIGHBOURS.items():
            tokens(f"{name}-service", self._namespace, self._folder, called)

    @property
    def processes(self) -> list[Process]:
        """All of them, in the order in which they start."""
        return [*self.services.values(), self.operator]

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self._plane.kubeconfig

    def tokens_of(self, service: str) -> Path:
        """The folder with the tokens that this service shows its neighbours."""
        return self._folder / f"{service}-service.tokens"

    def stolen(self, service: str) -> dict[str, str]:
        """The header with the operator's own token for this service."""
        return {"Authorization": f"Bearer {(self.tokens / service).read_text()}"}

    def token(self, account: str, service: str) -> str:
        """A token of another ServiceAccount, for this service."""
        self.kubectl("create", "serviceaccount", account, check=False)
        return self.kubectl("create", "token", account, "--audience", audience_of(service)).stdout.strip()

    def start(self) -> None:
        """Start everything that isn't running, and wait until all are ready."""
        for process in self.processes:
            if not process.running():
                process.start()
        wait_ready(self.processes)

    def stop(self) -> None:
        """End everything."""
        for process in reversed(self.processes):
            process.stop()

    def new_id(self, name: str) -> str:
        """An unused order id, which names the test that it belongs to."""
        return f"o-{name}-{uuid.uuid4().hex[:6]}"

    def kubectl(self, *args: str, manifest: Json | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        """kubectl as administrator in this installation's namespace."""
        given = json.dumps(manifest) if manifest is not None else None
        return self._plane.kubectl("--namespace", self._namespace, *args, input=given, check=check)

    def resource(self, order_id: str) -> Json:
        """The OrderSaga as the API server has it."""
        found: Json = json.loads(self.kubectl("get", "ordersaga", order_id, "-o", "json").stdout)
        return found

    def until(self, order_id: str, condition: Callable[[Json], bool], seconds: float = 60) -> Json:
        """Wait until this is true of the order as REST shows it; that answer."""
        return self.shop.watch(order_id, condition, seconds=seconds)

    def until_finished(self, *order_ids: str, seconds: float = 60) -> dict[str, str]:
        """Wait until these sagas have ended; their phases."""
        return {order_id: phase(self.until(order_id, finished, seconds)) for order_id in order_ids}

    def assert_books(self, phases: dict[str, str]) -> None:
        """Nothing is missing, nothing was done twice."""
        assert self.books.audit(phases) == []


def step_states(order: Json) -> dict[str, Any]:
    """State by step, as REST shows it."""
    return {step["name"]: step["state"] for step in (order.get("saga") or {}).get("steps") or []}
