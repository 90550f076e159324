"""All parts of the local stack on one machine: started in order, shown at work, described."""

import os
import sys
import time

from common.services import SERVICES
from dev.setup.binaries import find
from dev.stack.demo.console import print_heading, print_line
from dev.stack.demo.demonstration import Demo
from dev.stack.demo.shop import Shop
from dev.stack.layout import PORTS, Layout
from dev.stack.parts.applications import Operator, Service, Wiring
from dev.stack.parts.control_plane import ControlPlane
from dev.stack.parts.mongod import Mongod
from dev.stack.supervisor import Supervisor

PATIENCE = {"ORDERSAGA_COMPENSATION_ATTEMPTS": "5", "ORDERSAGA_COMPENSATION_SECONDS": "30"}
"""Whoever tries out a refund that is stuck needn't wait a quarter of an hour: it is given up after half a minute. That
is longer than a part that is killed takes to come back. The environment's own values come before these."""
DAY_SECONDS = 24 * 3600.0
OPERATOR = "ordersaga-operator"


class Stack:
    """All parts on one machine."""

    def __init__(self, layout: Layout) -> None:
        _set_aside_logs(layout)
        ports = layout.ports
        self.layout = layout
        self.supervisor = Supervisor(lambda text: print_line(text, "bold yellow"))
        self.mongod = Mongod(data=layout.data / "mongod", port=ports["mongod"], log=layout.logs / "mongod.log")
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
            extra={name: os.environ.get(name, value) for name, value in PATIENCE.items()},
        )
        self._identities = layout.data / "control-plane"
        self.operator = Operator(
            self.wiring,
            kubeconfig=self._identities / f"{OPERATOR}.kubeconfig",
            tokens=self._identities / f"{OPERATOR}.tokens",
        )
        self.services = {
            name: Service(name, self.wiring, kubeconfig=self._identities / f"{name}-service.kubeconfig")
            for name in SERVICES
        }

    def start(self) -> None:
        """Start everything; whoever has an identity starts when it is made."""
        print_line("Starting etcd, kube-apiserver, mongod, five services and the operator (usually 10 seconds)")
        started = time.monotonic()
        watch = self.supervisor
        watch.start(self.plane.etcd, self.mongod)
        watch.start(self.plane.apiserver)
        watch.wait_ready(self.plane.etcd, self.plane.apiserver)
        self.plane.administrator.install(self.wiring.namespace)
        self._identify()
        watch.start(*self.services.values(), self.operator)
        watch.wait_ready(self.mongod, *self.services.values(), self.operator)
        watch.every(DAY_SECONDS, self._identify)
        _write_kubectl(self.layout)
        print_line(f"All parts are ready after {time.monotonic() - started:.1f} s")

    def _identify(self) -> None:
        """Write each part's kubeconfig, and the operator's tokens for the services."""
        administrator, namespace = self.plane.administrator, self.wiring.namespace
        for account in (OPERATOR, *(f"{name}-service" for name in SERVICES)):
            administrator.identity(account, namespace, self._identities)
        administrator.tokens(OPERATOR, namespace, self._identities)

    def shop(self) -> Shop:
        """A customer of this stack's services."""
        return Shop({name: self.wiring.url(name) for name in SERVICES})

    def demonstrate(self, shop: Shop, *, kill: bool) -> bool:
        """Show what it does; whether each order ended as it should."""
        demo = Demo(shop, self.supervisor.tick, float(os.environ.get("ORDERSAGA_STARTED", time.time())))
        passed = demo.completes()
        passed = demo.compensates() and passed
        if kill:
            database = f"{self.wiring.database_prefix}payment"
            passed = demo.survives(self.operator, self.mongod.url, database) and passed
        return passed

    def describe(self) -> None:
        """Where to look further."""
        print_heading("Look further")
        others = [str(self.layout.ports[name]) for name in SERVICES if name != "order"]
        print_line(
            f"  orders         {self.wiring.url('order')}/docs   (the other services: ports {', '.join(others)})"
        )
        print_line(f"  sagas          {self.layout.kubectl} get ordersagas -o wide")
        print_line(f"  kubeconfig     export KUBECONFIG={self.layout.kubeconfig}")
        print_line(f"  database       {self.mongod.url}")
        print_line(f"  health         {self._elsewhere()}{sys.executable} scripts/check_health.py")
        print_line(f"  logs           {self.layout.logs}")

    def _elsewhere(self) -> str:
        """The variables that tell a script of the ports that are not the usual ones, for a shell."""
        parts = {**{name: name for name in SERVICES}, "operator": "health"}
        return "".join(
            f"ORDERSAGA_{part.upper()}_URL=http://127.0.0.1:{self.layout.ports[port]} "
            for part, port in parts.items()
            if self.layout.ports[port] != PORTS[port]
        )


def _set_aside_logs(layout: Layout) -> None:
    """Each run has logs of its own; those of the run before keep the ending `.1`."""
    for log in layout.logs.glob("*.log"):
        if not log.name.startswith("setup-"):
            log.replace(log.with_name(f"{log.name}.1"))


def _write_kubectl(layout: Layout) -> None:
    """A kubectl of the right version that needs no environment variable."""
    layout.kubectl.write_text(f'#!/bin/sh\nexec {find("kubectl")} --kubeconfig {layout.kubeconfig} "$@"\n')
    layout.kubectl.chmod(0o755)
