"""A whole system of its own for each checkout that is measured: its `dev.stack`, with its data in a temporary folder.

A checkout is started by its own code in its own virtual environment, so any commit can be measured beside any other.
"""

import contextlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from common.replicaset import NAME as REPLICA_SET
from common.services import SERVICES
from dev.setup.errors import StackError
from dev.stack.layout import PORTS
from dev.stack.ports import free_ports
from dev.stack.processes import Process, answers

ROLES = ("operator", "kube-apiserver", "etcd", "mongod", *SERVICES)
_PORT_OF = {"operator": "health", "kube-apiserver": "apiserver"}
SEEDED = "Running until Ctrl-C"
"""What a stack says when its products, address and contact are there."""
STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder with this project at some commit, made ready with `make ready`."""

    path: Path
    commit: str
    """Shortened; with a + if something was changed since."""

    @classmethod
    def at(cls, path: Path) -> "Checkout":
        """Raises StackError unless it is a checkout that is ready."""
        path = path.resolve()
        if not (path / ".ordersaga" / "venv" / "bin" / "python").exists():
            raise StackError(f"{path} is no checkout of this project that is ready: run `make ready` there")

        def git(*words: str) -> str:
            return subprocess.run(["git", "-C", path, *words], capture_output=True, text=True, check=True).stdout

        changed = git("status", "--porcelain", "--untracked-files=no").strip()
        return cls(path, git("rev-parse", "--short=7", "HEAD").strip() + ("+" if changed else ""))


class Stack:
    """The local stack of one checkout. Start it in the main thread only."""

    def __init__(self, checkout: Checkout, folder: Path, env: Mapping[str, str] | None = None) -> None:
        """`env`: more environment, for all parts."""
        self.checkout = checkout
        self._ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.kubeconfig = folder / "kubeconfig"
        self.identities = folder / "data" / "control-plane"
        self.urls = {name: f"http://127.0.0.1:{self._ports[name]}" for name in SERVICES}
        self.health = f"http://127.0.0.1:{self._ports['health']}"
        self.mongodb_url = f"mongodb://127.0.0.1:{self._ports['mongod']}/?replicaSet={REPLICA_SET}"
        self.process = Process(
            f"the stack of {checkout.commit}",
            [checkout.path / ".ordersaga" / "venv" / "bin" / "python", "-m", "dev.stack", "--no-demo"],
            log=folder / "stack.log",
            ready=self._ready,
            env={
                "ORDERSAGA_LOCAL_FOLDER": str(folder),
                **{f"ORDERSAGA_LOCAL_{name.upper()}_PORT": str(port) for name, port in self._ports.items()},
                "PYTHONPATH": "",
                "KUBECONFIG": "",
                **(env or {}),
            },
            cwd=checkout.path,
        )

    def _ready(self) -> bool:
        services = all(answers(f"{url}/ready") for url in self.urls.values())
        return services and SEEDED in self.process.log.read_text()

    def tokens(self, account: str = "ordersaga-operator") -> dict[str, str]:
        """The account's, by service; none of a checkout whose services don't identify their callers."""
        folder = self.identities / f"{account}.tokens"
        return {path.name: path.read_text() for path in folder.iterdir()} if folder.exists() else {}

    def as_staff(self, service: str) -> dict[str, str]:
        """The header with which the shop's own people call this service."""
        token = self.tokens("ordersaga-staff").get(service)
        return {"Authorization": f"Bearer {token}"} if token else {}

    def stop(self) -> None:
        """End it and all its parts."""
        self.process.ask_to_stop()
        self.process.wait_until_stopped(STOP_SECONDS)

    def roles(self) -> dict[str, psutil.Process]:
        """Each part of the system, found by the port on which it listens. Raises StackError when one is missing."""
        role_of = {self._ports[_PORT_OF.get(role, role)]: role for role in ROLES}
        found: dict[str, psutil.Process] = {}
        for part in psutil.Process(self.process.pid).children():
            for port in _listening(part):
                if port in role_of:
                    found[role_of[port]] = part
        if missing := [role for role in ROLES if role not in found]:
            raise StackError(f"{self.process.name} has no {', '.join(missing)}; see {self.process.log}")
        return found


def _listening(part: psutil.Process) -> set[int]:
    ports: set[int] = set()
    with contextlib.suppress(psutil.Error):
        for process in (part, *part.children(recursive=True)):
            for each in process.net_connections("tcp"):
                if each.status == psutil.CONN_LISTEN:
                    ports.add(each.laddr.port)
    return ports
