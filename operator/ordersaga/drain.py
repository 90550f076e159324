"""Waits until no order needs the operator any more: what `helm uninstall` does before it takes anything away.

    python -m saga_operator.drain --seconds 120 --release e-commerce-saga

Exit status 0 when nothing is left open; 1 when something is, with a text for the person at the terminal. It only reads.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass

from common.kube import FINALIZER, Forbidden, KubeClient, KubeError, NotFound, OrderSagas
from common.wire import Json
from saga_operator.process.saga import FINISHED, Phase
from saga_operator.settings import Settings

LOOK_SECONDS = 1.0
NAMED = 20
"""So many orders are named; of thousands, the rest is a number."""


@dataclass(frozen=True)
class Open:
    """An order that still needs the operator, if only to take its finalizer off."""

    name: str
    phase: str
    step: str
    deleting: bool

    @classmethod
    def of(cls, resource: Json) -> Open | None:
        """None if it is finished, and free of our finalizer."""
        status, metadata = resource.get("status") or {}, resource["metadata"]
        phase = status.get("phase") or Phase.PENDING
        if phase in FINISHED and FINALIZER not in (metadata.get("finalizers") or ()):
            return None
        return cls(metadata["name"], phase, status.get("currentStep") or "-", bool(metadata.get("deletionTimestamp")))

    @property
    def hopeless(self) -> bool:
        """Whether only a person can end it, so that waiting is in vain. A deletion overrides a suspension."""
        return self.phase == Phase.FAILED or (self.phase == Phase.SUSPENDED and not self.deleting)


async def drained(sagas: OrderSagas, seconds: float) -> list[Open]:
    """Wait up to `seconds` for the open orders of this namespace; those that are left.

    Returns at once when only a person could end what is left. Raises KubeError when the API server can't be asked.
    """
    deadline = time.monotonic() + seconds
    told = -1
    while True:
        try:
            left = [order async for page in sagas.list() for order in map(Open.of, page.items) if order]
        except NotFound:
            return []  # the definition is gone, and all orders with it
        except Forbidden:
            raise
        except KubeError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(LOOK_SECONDS)
            continue
        if not left or all(order.hopeless for order in left) or time.monotonic() > deadline:
            return left
        if len(left) != told:
            say(f"{len(left)} orders are open: waiting")
            told = len(left)
        await asyncio.sleep(LOOK_SECONDS)


def advice(left: list[Open], *, namespace: str, release: str) -> str:
    """Which orders are left, and what a person can do."""
    lines = [f"  {order.name}  {order.phase}  {order.step}" for order in left[:NAMED]]
    if len(left) > NAMED:
        lines.append(f"  and {len(left) - NAMED} more: kubectl -n {namespace} get ordersagas")
    one, uninstall = left[0].name, f"helm uninstall {release} -n {namespace}"
    return "\n".join(
        [
            f"{len(left)} orders of namespace {namespace} are still open, so nothing was uninstalled: without the",
            "operator they could neither end nor be deleted.",
            *lines,
            f"Wait and repeat `{uninstall}`; if more keep coming in, close their source first.",
            f"Cancel one:    kubectl -n {namespace} patch ordersaga {one} --type=merge "
            """-p '{"spec":{"state":"Cancelled"}}'""",
            "A Failed one needs a decision (RetryNow or MarkCompensated), a Suspended one its state back: see",
            "docs/ordersaga.md.",
            f"To give them up as they are, with whatever was charged or reserved: {uninstall} --no-hooks, then let",
            f"each go:       kubectl -n {namespace} patch ordersaga {one} --type=merge "
            """-p '{"metadata":{"finalizers":null}}'""",
        ]
    )


def say(text: str) -> None:
    """To whoever reads the log, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def run(namespace: str, release: str, seconds: float) -> int:
    """Wait, and tell; the exit status."""
    async with KubeClient.from_config(user_agent="ordersaga-uninstall") as client:
        left = await drained(OrderSagas(client, namespace), seconds)
    if left:
        say(advice(left, namespace=namespace, release=release))
        return 1
    say(f"no order of namespace {namespace} is open")
    return 0


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m saga_operator.drain", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="how long to wait (default: %(default)s)")
    parser.add_argument("--release", default="e-commerce-saga", help="the Helm release, for the advice")
    options = parser.parse_args()
    try:
        return asyncio.run(run(Settings().namespace, options.release, options.seconds))
    except KubeError as error:
        say(f"the API server can't be asked which orders are open: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
