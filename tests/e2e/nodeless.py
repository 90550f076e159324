"""A cluster without nodes, for what installs the shop: Flux, Argo CD, OLM.

What Deployments say of themselves is simulated (workloads.py). The services and the operator are the local stack's
processes in place of the pods, with the accounts and rights that the installation made.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dev.stack.parts.control_plane import ControlPlane
from dev.stack.processes import wait_ready
from dev.stack.pytest_plugin import TestControlPlane
from tests.e2e import workloads
from tests.e2e.system import Stack

NAMESPACE = "e-commerce-saga"
"""The one that all that we ship names."""


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[TestControlPlane]:
    """A control plane with nothing on it."""
    plane = ControlPlane(folder / "control-plane")
    with contextlib.ExitStack() as undo:
        undo.callback(plane.stop)
        plane.start()
        wait_ready([plane.etcd, plane.apiserver])
        undo.enter_context(workloads.simulated(plane.administrator, folder / "kubectl-proxy.log"))
        yield TestControlPlane(plane.administrator, plane.url, plane.apiserver)


@contextlib.contextmanager
def processes(mongodb_url: str, plane: TestControlPlane, folder: Path, prefix: str) -> Iterator[Stack]:
    """Services and operator as processes on this machine, in place of the installation's pods."""
    # An undo isn't given up because the service that a test has stopped takes its time to start.
    patient = {"ORDERSAGA_COMPENSATION_SECONDS": "60"}
    stack = Stack(mongodb_url, plane, folder, prefix=prefix, namespace=NAMESPACE, install=False, **patient)
    with contextlib.ExitStack() as undo:
        undo.enter_context(stack.shop)
        undo.enter_context(stack.books)
        undo.callback(stack.stop)
        # The operator comes last: the orders in Git are there already, and want something to order.
        for service in stack.services.values():
            service.start()
        wait_ready([*stack.services.values()])
        stack.shop.seed()
        stack.start()
        yield stack
