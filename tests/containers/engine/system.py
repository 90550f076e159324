"""The system in containers, and what tests do to it."""

import json
import os
import shutil
import subprocess
import uuid
from pathlib import Path

from dev.applications import SERVICES
from dev.binaries import find
from dev.paths import CHECKOUT
from dev.processes import free_port
from dev.shop import Json, Shop, finished, phase

PROJECT = "ordersaga-test"
# Prints what `dev.books` finds wrong with these orders. It runs inside, where the database can be reached.
AUDIT = (
    "import json, sys; from dev.books import Books; "
    "books = Books('mongodb://mongodb:27017/?replicaSet=ordersaga'); "
    "print(json.dumps(books.audit(json.load(sys.stdin))))"
)


def docker(*args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run docker at the top of the checkout; what it said is in the error."""
    return _run(["docker", *args], check=check)


class Compose:
    """`docker-compose` (or `docker compose`), with ports that nobody uses."""

    def __init__(self, folder: Path) -> None:
        self._command = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
        self._folder = folder
        self.ports = {name: free_port() for name in (*SERVICES, "apiserver")}
        self.shop = Shop({name: f"http://127.0.0.1:{self.ports[name]}" for name in SERVICES})

    def __call__(self, *args: str, input: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:  # noqa: A002
        """Run it. Raises AssertionError with what it said if `check` and it fails."""
        ports = {f"ORDERSAGA_LOCAL_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        return _run([*self._command, "-p", PROJECT, *args], env={**os.environ, **ports}, input=input, check=check)

    def require_absent(self) -> None:
        """The database's container has a fixed name: two systems can't run on one engine."""
        found = docker("ps", "-a", "--filter", "name=^saga-mongodb$", "--format", "{{.Names}}").stdout
        assert not found, "a system of docker-compose is there already: `docker-compose down` first (volumes stay)"

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers."""
        return self("ps", "-q", service).stdout.split()

    def kubectl(self, *args: str) -> str:
        """kubectl on this machine, with the kubeconfig that `run --rm kubeconfig` prints."""
        path = self._folder / "kubeconfig"
        path.write_text(self("run", "--rm", "-T", "kubeconfig").stdout)
        return _run([str(find("kubectl")), "--kubeconfig", str(path), *args]).stdout

    def place(self, name: str, **changes: Json) -> str:
        """Place an order; its id."""
        order_id = f"o-{name}-{uuid.uuid4().hex[:6]}"
        self.shop.place(order_id, **changes)
        return order_id

    def until_finished(self, *order_ids: str, seconds: float = 120) -> dict[str, str]:
        """Wait until these sagas have ended; their phases."""
        return {order_id: phase(self.shop.watch(order_id, finished, seconds=seconds)) for order_id in order_ids}

    def assert_books(self, phases: dict[str, str]) -> None:
        """Nothing is missing, nothing was done twice."""
        command = ("run", "--rm", "-T", "setup-database", "python", "-c", AUDIT)
        assert json.loads(self(*command, input=json.dumps(phases)).stdout) == []

    def keep_logs(self, path: Path) -> None:
        """All containers' logs, for whoever wants to know why a test failed."""
        target = CHECKOUT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self("logs", "--no-color", "-t", check=False).stdout)


def _run(
    command: list[str],
    *,
    env: dict[str, str] | None = None,
    input: str | None = None,  # noqa: A002 - the name it has in subprocess.run
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    given = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
    result = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False, **given)  # type: ignore[call-overload]
    assert not check or result.returncode == 0, f"{' '.join(command)}:\n{result.stdout[-3000:]}{result.stderr[-3000:]}"
    found: subprocess.CompletedProcess[str] = result
    return found
