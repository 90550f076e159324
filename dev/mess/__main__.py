"""`make mess`: bring the running local stack into a mess, for trying `kubectl saga` and the page on it.

    ./run-local.sh --fresh --no-demo        # in another terminal
    make mess                               # MESS_SEED, MESS_TRUTH

It takes about four minutes, and the mess stays until the stack ends: shipping is paused, payment doesn't answer.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from common.wire import Json
from dev.mess.hands import NAMESPACE, Hands
from dev.mess.plan import (
    BOUNCING,
    CUSTOMERS,
    ELSEWHERE,
    ICE,
    PRICES,
    SCARCE,
    SCARCE_PRICE,
    SCARCE_STOCK,
    Order,
    Stage,
    orders,
)
from dev.setup.errors import exit_status
from dev.stack.demo.console import print_heading, print_line
from dev.stack.layout import Layout

STOCK: Final = 100_000
FINISHED: Final = ("Completed", "Compensated")


def main(arguments: Sequence[str]) -> int:
    """0 once the mess is there, 1 if it can't be made."""
    options = argparse.ArgumentParser(prog="make mess", description=__doc__.partition("\n")[0])
    options.add_argument("--seed", type=int, default=int(os.environ.get("MESS_SEED", "13")))
    truth = os.environ.get("MESS_TRUTH") or Path(tempfile.gettempdir()) / "ordersaga-mess.json"
    options.add_argument("--truth", type=Path, default=Path(truth), help="the file for what was done to whom")
    asked = options.parse_args(arguments)
    return exit_status(lambda: Mess(Hands(Layout.from_environment()), asked.seed, asked.truth).make())


class Mess:
    """The stages, one after the other."""

    def __init__(self, hands: Hands, seed: int, truth: Path) -> None:
        self._hands, self._seed, self._truth = hands, seed, truth
        self._orders = orders(seed)

    def make(self) -> None:
        """All of it. Raises StackError."""
        started = time.monotonic()
        hands = self._hands
        hands.require_stack()
        print_heading(f"{len(self._orders)} orders, seed {self._seed}")
        products = {**{name: (STOCK, price) for name, price in PRICES.items()}, SCARCE: (SCARCE_STOCK, SCARCE_PRICE)}
        customers = [f"c-{101 + number}" for number in range(CUSTOMERS)]
        hands.furnish(products, [*customers, "c-blocked"], BOUNCING, ICE)
        for stage, act in (
            (Stage.ELSEWHERE, self._elsewhere),
            (Stage.BEFORE_NOTIFICATION, self._before_notification),
            (Stage.BEFORE_PAYMENT, self._before_payment),
            (Stage.CALM, self._calm),
            (Stage.BEFORE_SHIPPING, self._before_shipping),
            (Stage.WITHOUT_PAYMENT, self._without_payment),
        ):
            placed = [order for order in self._orders if order.kind.stage is stage]
            print_line(f"{len(placed)} {stage}  ({time.monotonic() - started:.0f} s)")
            act(placed)
        hands.write_truth(self._truth, self._seed, self._orders)
        print_line(f"The mess is there after {time.monotonic() - started:.0f} s; what was done to whom: {self._truth}")

    def _of(self, *kinds: str) -> list[Order]:
        return [order for order in self._orders if order.kind.name in kinds]

    def _elsewhere(self, placed: list[Order]) -> None:
        self._hands.make_namespace(ELSEWHERE)
        self._hands.apply(ELSEWHERE, placed, self._seed)

    def _before_notification(self, placed: list[Order]) -> None:
        hands = self._hands
        hands.pause("notification", "new templates", "olga")
        hands.place(placed, self._seed)
        hands.until("they are confirmed", placed, _is_at("notification"))
        hands.set_state(placed, "Cancelled")
        hands.until("they hear that it is too late", placed, _has("CancelRefused"))
        hands.resume("notification", "olga")

    def _before_payment(self, placed: list[Order]) -> None:
        hands = self._hands
        hands.pause("payment", "new certificates", "olga")
        hands.place(placed, self._seed)
        hands.until("they are at payment", placed, _is_at("payment"))
        hands.damage_reservations(self._of("stock-stuck"))
        hands.confirm_as_thief(self._of("confirmed-unpaid"))
        hands.set_state(self._of("suspended-at-payment"), "Suspended")
        hands.set_state(self._of("stock-stuck"), "Cancelled")
        hands.cancel_as_customer(self._of("cancelled-by-customer"))
        hands.until("those are suspended", self._of("suspended-at-payment"), _is("Suspended"))
        hands.resume("payment", "olga")

    def _calm(self, placed: list[Order]) -> None:
        hands = self._hands
        hands.place(placed, self._seed)
        stuck = self._of("refund-stuck", "refund-stuck-again", "refund-by-hand", "stock-stuck", "confirmed-unpaid")
        hands.until("the stuck ones are given up", stuck, _is("Failed"))
        hands.intervene(self._of("refund-stuck-again"), "RetryNow", "payment", "the bank says it works again")
        hands.intervene(self._of("refund-by-hand"), "MarkCompensated", "payment", "paid back by bank transfer")
        hands.intervene(self._of("confirmed-unpaid")[:1], "Skip", "payment", "paid in cash at the counter", "dana")
        hands.until("the refunds by hand are done", self._of("refund-by-hand"), _is("Compensated"))
        hands.until("the others are given up again", self._of("refund-stuck-again"), _is("Failed"))
        hands.until("those wait for their next attempt", self._of("retrying"), _is_tried_again)
        moving = [order for order in placed if order not in stuck and order.kind.name != "retrying"]
        hands.until("the rest has ended", [*moving, *self._of("cancelled-too-late")], _is(*FINISHED), gone=True)
        hands.delete(self._of("gone-by-hand"), "tidying up")

    def _before_shipping(self, placed: list[Order]) -> None:
        hands = self._hands
        hands.pause("shipping", "the carrier's maintenance until 04:00, ticket OPS-4711", "olga")
        hands.place(placed, self._seed)
        hands.until("they are at shipping", placed, _is_at("shipping"))
        hands.set_state(self._of("suspended-at-shipping"), "Suspended")
        hands.set_state(self._of("cancelled-waiting"), "Cancelled")
        hands.delete(self._of("deleted-waiting"), "ordered by mistake")
        hands.intervene(self._of("meddled-with"), "MarkCompensated", "payment", "I have paid it back")
        hands.until("those are suspended", self._of("suspended-at-shipping"), _is("Suspended"))

    def _without_payment(self, placed: list[Order]) -> None:
        hands = self._hands
        pid = hands.hang("payment")
        hands.place(placed, self._seed)
        hands.until_down("payment")
        hands.until("they wait for payment", placed, _waits)
        hands.set_state(self._of("cancelled-without-payment"), "Cancelled")
        print_line(f"  shipping is paused, and payment hangs (`kill -CONT {pid}` lets it go on); namespace {NAMESPACE}")


def _is(*phases: str) -> Callable[[Json], bool]:
    return lambda saga: saga.get("status", {}).get("phase") in phases


def _is_at(step: str) -> Callable[[Json], bool]:
    return lambda saga: saga.get("status", {}).get("currentStep") == step


def _has(kind: str) -> Callable[[Json], bool]:
    return lambda saga: any(
        each["type"] == kind and each["status"] == "True" for each in saga.get("status", {}).get("conditions", [])
    )


def _waits(saga: Json) -> bool:
    return bool(saga.get("status", {}).get("waitingSince"))


def _is_tried_again(saga: Json) -> bool:
    return bool(saga.get("status", {}).get("nextAttemptTime"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
