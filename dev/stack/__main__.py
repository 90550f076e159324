"""The local stack: starts every part, seeds, demonstrates, keeps watch, and ends everything in order.

Run by `dev.setup.bootstrap` with the checkout's virtual environment; see `dev.setup.options` for what it takes.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

from common.services import SERVICES
from dev.setup.binaries import find
from dev.setup.errors import StackError
from dev.setup.locks import locked
from dev.setup.options import parser
from dev.stack.demo.console import heading, say
from dev.stack.demo.demonstration import Demo
from dev.stack.demo.shop import Shop
from dev.stack.layout import Layout
from dev.stack.parts.applications import Operator, Service, Wiring
from dev.stack.parts.control_plane import ControlPlane
from dev.stack.parts.mongod import Mongod
from dev.stack.supervisor import Supervisor

DAY_SECONDS = 24 * 3600.0
OPERATOR, ORDER_SERVICE = "ordersaga-operator", "order-service"


class Stack:
    """All parts on one machine."""

    def __init__(self, layout: Layout) -> None:
        _set_aside_logs(layout)
        ports = layout.ports
        self.layout = layout
        self.supervisor = Supervisor(lambda text: say(text, "bold yellow"))
        self.mongod = Mongod(
            find("mongod"), data=layout.data / "mongod", port=ports["mongod"], log=layout.logs / "mongod.log"
        )
        self.plane = ControlPlane(
            layout.data / "control-plane",
            kubeconfig=layout.kubeconfig,
            logs=layout.logs,
            ports=(ports["etcd"], ports["etcd_peer"], ports["apiserver"]),
        )
        self.wiring = Wiring(
            mongodb_url=self.mongod.url,
            logs=layout.logs,
            service_ports={name: ports[name] for name in SERVICES},
            health_port=ports["health"],
        )
        identities = layout.data / "control-plane"
        self.operator = Operator(self.wiring, kubeconfig=identities / f"{OPERATOR}.kubeconfig")
        self.services = {
            name: Service(
                name, self.wiring, kubeconfig=identities / f"{ORDER_SERVICE}.kubeconfig" if name == "order" else None
            )
            for name in SERVICES
        }

    def start(self) -> None:
        """Start everything; what needs nothing but the database starts beside the control plane."""
        say("Starting etcd, kube-apiserver, mongod, five services and the operator (usually 10 seconds)")
        started = time.monotonic()
        watch = self.supervisor
        watch.start(self.plane.etcd, self.mongod)
        watch.start(self.plane.apiserver)
        watch.start(*(service for name, service in self.services.items() if name != "order"))
        watch.wait_ready(self.plane.etcd, self.plane.apiserver)
        self.plane.administrator.install(self.wiring.namespace)
        self._identities()
        watch.start(self.services["order"])
        watch.start(self.operator)
        watch.wait_ready(self.mongod, *self.services.values(), self.operator)
        watch.every(DAY_SECONDS, self._identities)
        _write_kubectl(self.layout)
        say(f"All parts are ready after {time.monotonic() - started:.1f} s")

    def _identities(self) -> None:
        for account in (OPERATOR, ORDER_SERVICE):
            self.plane.administrator.identity(account, self.wiring.namespace, self.layout.data / "control-plane")

    def shop(self) -> Shop:
        """A customer of this stack's services."""
        return Shop({name: self.wiring.url(name) for name in SERVICES})

    def demonstrate(self, shop: Shop, *, kill: bool) -> bool:
        """Show what it does; whether all went as it should."""
        demo = Demo(shop, self.supervisor.tick, float(os.environ.get("ORDERSAGA_STARTED", time.time())))
        well = demo.completes()
        well = demo.compensates() and well
        if kill:
            database = f"{self.wiring.database_prefix}payment"
            well = demo.survives(self.operator, self.mongod.url, database) and well
        return well

    def describe(self) -> None:
        """Where to look further."""
        heading("Look further")
        say(f"  orders         {self.wiring.url('order')}/docs   (the other services: 8001 to 8004, /docs each)")
        say(f"  sagas          {self.layout.kubectl} get ordersagas -o wide")
        say(f"  kubeconfig     export KUBECONFIG={self.layout.kubeconfig}")
        say(f"  database       {self.mongod.url}")
        say(f"  health         {sys.executable} scripts/check_health.py")
        say(f"  logs           {self.layout.logs}")


def main(arguments: list[str]) -> int:
    """Run the stack. Exit status 0 if all went as it should, 1 with one sentence on stderr, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    layout = Layout.from_environment()
    for number in (signal.SIGINT, signal.SIGTERM):  # explicitly: a shell starts background jobs with SIGINT ignored
        signal.signal(number, _interrupt)
    stack: Stack | None = None
    try:
        with _only_one(layout):
            try:
                if options.fresh:
                    shutil.rmtree(layout.data, ignore_errors=True)
                layout.require_free_ports()
                stack = Stack(layout)
                return _run(stack, once=options.once, demo=not options.no_demo, kill=options.demo_kill)
            finally:
                if stack is not None:
                    stack.supervisor.stop()
    except StackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: everything is ended, the data stays.", file=sys.stderr)
        return 130


def _run(stack: Stack, *, once: bool, demo: bool, kill: bool) -> int:
    stack.start()
    with stack.shop() as shop:
        shop.seed()
        well = stack.demonstrate(shop, kill=kill) if demo else True
    stack.describe()
    if once:
        say("Ending everything (the data stays)")
        return 0 if well else 1
    heading("Running until Ctrl-C; the data stays")
    try:
        stack.supervisor.run()
    except KeyboardInterrupt:
        say("\nEnding everything")
    return 0 if well else 1


@contextlib.contextmanager
def _only_one(layout: Layout) -> Iterator[None]:
    """Hold the stack's lock; the file is gone afterwards. Raises StackError when another stack holds it."""
    layout.folder.mkdir(parents=True, exist_ok=True)
    path = layout.folder / "lock"
    with contextlib.ExitStack() as held:
        try:
            lock = held.enter_context(locked(path, wait=False))
        except BlockingIOError:
            pid = path.read_text().strip()
            raise StackError(f"this stack runs already (process {pid}): end it with Ctrl-C or `kill {pid}`") from None
        if not path.exists() or path.stat().st_ino != os.fstat(lock).st_ino:
            raise StackError("another stack of this checkout has just ended: try again")
        path.write_text(str(os.getpid()))
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _set_aside_logs(layout: Layout) -> None:
    """Each run has logs of its own; those of the run before keep the ending `.1`."""
    for log in layout.logs.glob("*.log"):
        if not log.name.startswith("setup-"):
            log.replace(log.with_name(f"{log.name}.1"))


def _write_kubectl(layout: Layout) -> None:
    """A kubectl of the right version that needs no environment variable."""
    layout.kubectl.write_text(f'#!/bin/sh\nexec {find("kubectl")} --kubeconfig {layout.kubeconfig} "$@"\n')
    layout.kubectl.chmod(0o755)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
