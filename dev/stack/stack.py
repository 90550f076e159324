"""All parts of the local stack on one machine: started in order, shown at work, described."""

import os
import sys
import time

from common.services import NEIGHBOURS, SERVICES
from dev.setup.binaries import find
from dev.setup.paths import VENV
from dev.stack.api_keys import ApiKeys
from dev.stack.demo.console import print_heading, print_line
from dev.stack.demo.demonstration import Demo
from dev.stack.demo.shop import CUSTOMER, Shop
from dev.stack.layout import PORTS, Layout
from dev.stack.parts.applications import Operator, Page, Service, Wiring
from dev.stack.parts.control_plane import ControlPlane
from dev.stack.parts.mongod import Mongod
from dev.stack.supervisor import Supervisor

PATIENCE = {"ORDERSAGA_COMPENSATION_ATTEMPTS": "5", "ORDERSAGA_COMPENSATION_SECONDS": "30"}
"""Whoever tries out a refund that is stuck needn't wait a quarter of an hour: it is given up after half a minute. That
is longer than a part that is killed takes to come back. The environment's own values come before these."""
DAY_SECONDS = 24 * 3600.0
OPERATOR, STAFF, AUDIT = "ordersaga-operator", "ordersaga-staff", "ordersaga-audit"


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
            log_format=os.environ.get("ORDERSAGA_LOG_FORMAT", "text"),
            extra={name: os.environ.get(name, value) for name, value in PATIENCE.items()},
        )
        self._identities = layout.data / "control-plane"
        self._keys = ApiKeys(self.wiring, layout.data / "keys")
        self.operator = Operator(
            self.wiring,
            kubeconfig=self._identities / f"{OPERATOR}.kubeconfig",
            tokens=self._identities / f"{OPERATOR}.tokens",
        )
        self.services = {
            name: Service(
                name,
                self.wiring,
                kubeconfig=self._identities / f"{name}-service.kubeconfig",
                tokens=self._identities / f"{name}-service.tokens",
            )
            for name in SERVICES
        }
        self.page = Page(
            self.wiring, kubeconfig=layout.kubeconfig, secret=layout.data / "page.secret", port=ports["page"]
        )

    def start(self) -> None:
        """Start everything; whoever has an identity starts when it is made."""
        print_line("Starting etcd, kube-apiserver, mongod, five services, operator and page (usually 10 seconds)")
        started = time.monotonic()
        watch = self.supervisor
        watch.start(self.plane.etcd, self.mongod)
        watch.start(self.plane.apiserver)
        watch.wait_ready(self.plane.etcd, self.plane.apiserver)
        self.plane.administrator.install(self.wiring.namespace)
        self._identify()
        watch.start(*self.services.values(), self.operator, self.page)
        watch.wait_ready(self.mongod, *self.services.values(), self.operator, self.page)
        watch.every(DAY_SECONDS, self._identify)
        if self.is_guarded:
            self._keys.make()
        _write_kubectl(self.layout)
        print_line(f"All parts are ready after {time.monotonic() - started:.1f} s")

    def _identify(self) -> None:
        """Write each part's kubeconfig, and the tokens for the services of all who call them."""
        administrator, namespace = self.plane.administrator, self.wiring.namespace
        for account in (OPERATOR, *(f"{name}-service" for name in SERVICES)):
            administrator.identity(account, namespace, self._identities)
        for account in (OPERATOR, STAFF, AUDIT):
            administrator.tokens(account, namespace, self._identities)
        for name, called in NEIGHBOURS.items():
            administrator.tokens(f"{name}-service", namespace, self._identities, called)

    @property
    def is_guarded(self) -> bool:
        """Whether the order service asks its clients who they are."""
        return os.environ.get("ORDERSAGA_CLIENTS") != "development"

    def shop(self) -> Shop:
        """This stack's services, as its staff call them."""
        urls = {name: self.wiring.url(name) for name in SERVICES}
        return Shop(urls, self._identities / f"{STAFF}.tokens")

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
        if self.is_guarded:
            bearer = f'-H "Authorization: Bearer $(cat {self._keys.staff})"'
            print_line(f"  all orders     curl {bearer} {self.wiring.url('order')}/api/orders")
            print_line(f"  a customer's   the key of {CUSTOMER}, who sees their own: {self._keys.customer}")
        else:
            print_line("  OPEN           whoever reaches the order service sees and cancels every order", "bold red")
        print_line(f"  the page       {self.page.url}   (all orders, live; whoever knows it does what you may)")
        print_line(f"  sagas          {self.layout.kubectl} get ordersagas -o wide")
        print_line(
            f"  one of them    {self.layout.kubectl} saga show ORDER   (why, watch, retry, …: docs/kubectl-saga.md)"
        )
        print_line(f"  kubeconfig     export KUBECONFIG={self.layout.kubeconfig}")
        print_line(
            f"  staff          TOKEN=$(cat {self._identities / f'{STAFF}.tokens'}/inventory)   (docs/security.md)"
        )
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
    """A kubectl of the right version that needs no environment variable, and knows `kubectl saga`.

    It is this stack's, whatever KUBECONFIG is: whoever has another one's exported must not change that by mistake.
    """
    orders = f"ORDERSAGA_ORDER_URL=http://127.0.0.1:{layout.ports['order']}"
    known = f"PATH='{VENV / 'bin'}':$PATH KUBECONFIG='{layout.kubeconfig}' {orders}"
    layout.kubectl.write_text(f"#!/bin/sh\n{known} exec '{find('kubectl')}' \"$@\"\n")
    layout.kubectl.chmod(0o755)
