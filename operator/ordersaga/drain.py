"""`ordersaga drain`: waits until no order needs the operator any more.

`helm uninstall` runs it before it removes anything. It only reads.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from common.kube import Forbidden, KubeClient, KubeError, ObjectNotFound, OrderSagas
from common.order_saga import FINALIZER
from common.wire import Json
from ordersaga.phases import FINISHED, Phase
from ordersaga.settings import Settings

DRAINED, ORDERS_LEFT = 0, 1

LOOK_SECONDS = 1.0
"""Seconds between two lists of the orders: short beside the seconds that an order takes."""
NAMED = 20
"""Orders that are named; of the others the text gives the number, so that it fits a terminal."""

EPILOG = """\
example: wait at most two minutes for the orders of the namespace e-commerce-saga

  ordersaga drain --namespace e-commerce-saga --release e-commerce-saga --seconds 120

It returns at once when the orders that are left need a person's decision: waiting would not help.

exit status: 0 no order is open, 1 orders are open (their names, and what to do about them, are printed) or the API
server could not be asked.

The API server is found by KUBECONFIG or the pod's service account."""


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that still needs the operator, if only to remove its finalizer."""

    name: str
    phase: str
    step: str
    """The step that the saga is at; `-` before the first one."""
    deleting: bool

    @classmethod
    def of(cls, resource: Json) -> Self | None:
        """Read an OrderSaga's JSON; None if the saga is finished and our finalizer is gone."""
        status, metadata = resource.get("status") or {}, resource["metadata"]
        phase = status.get("phase") or Phase.PENDING
        if phase in FINISHED and FINALIZER not in (metadata.get("finalizers") or ()):
            return None
        return cls(metadata["name"], phase, status.get("currentStep") or "-", bool(metadata.get("deletionTimestamp")))

    @property
    def needs_a_person(self) -> bool:
        """Whether only a person can end it, so that waiting is in vain. A deletion overrides a suspension."""
        return self.phase == Phase.FAILED or (self.phase == Phase.SUSPENDED and not self.deleting)


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", settings: Settings) -> None:
    """Add the command's parser."""
    parser = commands.add_parser(
        "drain",
        help="wait until no order needs the operator (helm uninstall runs it)",
        description="Waits until every order of the namespace has ended, and names the orders that have not.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=120, help="how long to wait (default: %(default)s)")
    parser.add_argument(
        "--release",
        default="e-commerce-saga",
        help="the name of the Helm release, which the advice mentions (default: %(default)s)",
    )
    parser.add_argument(
        "--namespace", default=settings.namespace, help="namespace of the orders (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Wait, and print which orders are left; the exit status."""
    try:
        left = asyncio.run(_open_orders(options.namespace, options.seconds))
    except KubeError as error:
        _print(f"the API server can't be asked which orders are open: {error}")
        return ORDERS_LEFT
    if left:
        _print(advice(left, namespace=options.namespace, release=options.release))
        return ORDERS_LEFT
    _print(f"no order of namespace {options.namespace} is open")
    return DRAINED


async def drained(sagas: OrderSagas, seconds: float) -> Sequence[OpenOrder]:
    """Wait up to `seconds` for the open orders of this namespace; those that are left.

    Returns at once when only a person could end what is left.

    Raises:
        KubeError: when the API server refuses the list, or can't be reached until the time is over.
    """
    deadline = time.monotonic() + seconds
    last_count = -1
    while True:
        try:
            left = [order async for page in sagas.list() for order in map(OpenOrder.of, page.items) if order]
        except ObjectNotFound:
            return []  # the definition is gone, and all orders with it
        except Forbidden:
            raise
        except KubeError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(LOOK_SECONDS)
            continue
        if not left or all(order.needs_a_person for order in left) or time.monotonic() > deadline:
            return left
        if len(left) != last_count:
            _print(f"{_orders(len(left))} open: waiting")
            last_count = len(left)
        await asyncio.sleep(LOOK_SECONDS)


def advice(left: Sequence[OpenOrder], *, namespace: str, release: str) -> str:
    """Which orders are left, and what a person can do. At least one order has to be left."""
    lines = [f"  {order.name}  {order.phase}  {order.step}" for order in left[:NAMED]]
    if len(left) > NAMED:
        lines.append(f"  and {len(left) - NAMED} more: kubectl -n {namespace} get ordersagas")
    one, uninstall = left[0].name, f"helm uninstall {release} -n {namespace}"
    untold = [
        "A Completed or Compensated one has ended, and waits until all are told who are to be: see docs/events.md. To",
        "go without, upgrade with events.sink and operator.tellCustomers set to nothing, and repeat.",
    ]
    return "\n".join(
        [
            f"{_orders(len(left))} still open in namespace {namespace}, so nothing was uninstalled: without the",
            "operator no order could end or be deleted.",
            *lines,
            f"Wait and repeat `{uninstall}`; if new orders keep coming in, stop their source first.",
            f"Cancel one:    kubectl -n {namespace} patch ordersaga {one} --type=merge "
            """-p '{"spec":{"state":"Cancelled"}}'""",
            "A Failed order needs a decision (RetryNow, MarkCompensated, Skip); a Suspended one needs spec.state",
            "set back to Active, or to Cancelled: see docs/ordersaga.md.",
            *(untold if any(order.phase in FINISHED for order in left) else ()),
            f"To give the orders up, with everything that was charged or reserved for them: {uninstall} --no-hooks,",
            f"then, for each: kubectl -n {namespace} patch ordersaga {one} --type=merge "
            """-p '{"metadata":{"finalizers":null}}'""",
        ]
    )


async def _open_orders(namespace: str, seconds: float) -> Sequence[OpenOrder]:
    async with KubeClient.from_config(user_agent="ordersaga-uninstall") as client:
        return await drained(OrderSagas(client, namespace), seconds)


def _orders(number: int) -> str:
    return "1 order is" if number == 1 else f"{number} orders are"


def _print(text: str) -> None:
    """Write at once: Helm shows the log while the job runs."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
