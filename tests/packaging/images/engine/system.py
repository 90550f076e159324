"""The system in containers, and what tests do to it."""

import os
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx

from common.identity.callers import audience_of
from common.services import SERVICES
from common.wire import Json
from dev.setup.binaries import find
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT
from dev.stack.demo.shop import Shop, finished, phase
from dev.stack.processes import free_port

T = TypeVar("T")
PROJECT = "ordersaga-test"
WATCHERS = ("prometheus", "jaeger", "mailpit")
"""What watches the system. Grafana shows what these have; the dashboards have tests of their own."""


def docker(*args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run docker at the top of the checkout; what it said is in the error."""
    return _run(["docker", *args], check=check)


class Compose:
    """`docker-compose` (or `docker compose`), with ports that are free."""

    def __init__(self, folder: Path) -> None:
        self._command = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
        self._folder = folder
        self.ports = {name: free_port() for name in (*SERVICES, "apiserver", "page", *WATCHERS)}
        self.options: tuple[str, ...] = ()
        """Of docker-compose itself, before its command."""
        self._tokens = folder / "staff"
        self.shop = Shop({name: f"http://127.0.0.1:{self.ports[name]}" for name in SERVICES}, self._tokens)

    def __call__(self, *args: str, input: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:  # noqa: A002
        """Run it. Raises AssertionError with what it said if `check` and it fails."""
        ports = {f"ORDERSAGA_LOCAL_{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        return _run(
            [*self._command, "-p", PROJECT, *self.options, *args], env={**os.environ, **ports}, input=input, check=check
        )

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

    def identify(self) -> None:
        """Get tokens of the shop's own people, as the documentation says."""
        self._tokens.mkdir(exist_ok=True)
        for name in SERVICES:
            words = ("create", "token", "ordersaga-staff", "-n", "shop", "--audience", audience_of(name))
            (self._tokens / name).write_text(self.kubectl(*words, "--duration=4h"))

    def place(self, name: str, **changes: Json) -> str:
        """Place an order; its id."""
        order_id = f"o-{name}-{uuid.uuid4().hex[:6]}"
        patiently(lambda: self.shop.place(order_id, **changes))
        return order_id

    def watch(self, order_id: str, until: Callable[[Json], bool]) -> Json:
        """Wait until this is true of the order; that answer."""
        return patiently(lambda: self.shop.watch(order_id, until, seconds=120))

    def until_finished(self, *order_ids: str) -> dict[str, str]:
        """Wait until these sagas have ended; their phases."""
        return {order_id: phase(self.watch(order_id, finished)) for order_id in order_ids}

    def assert_books(self) -> None:
        """Nothing is missing, nothing was done twice, for any order that there ever was."""
        self("run", "--rm", "-T", "ordersaga", "audit")

    def keep_logs(self, path: Path) -> None:
        """All containers' logs, to find out why a test failed."""
        target = CHECKOUT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self("logs", "--no-color", "-t", check=False).stdout)


def patiently(call: Callable[[], T], seconds: float = 120) -> T:
    """Repeat the same request while a part is away (that is safe: it is what a 503 says). Raises StackError."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except (StackError, httpx.TransportError) as error:
            away = isinstance(error, httpx.TransportError) or re.search("was answered 50[234]", str(error))
            if not away or time.monotonic() > deadline:
                raise
            time.sleep(0.5)


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
