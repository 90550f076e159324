"""A short `make chaos` in the normal suite, and tests of its own parts: of the plan, and of the checks of the calls."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from multidict import CIMultiDict

from dev.chaos.network.calls import Call, Delivery
from dev.chaos.network.http import Request
from dev.chaos.plan.call_faults import CallFault, CallFaultKind, delayed_step
from dev.chaos.plan.faults import SCHEDULE, FaultKind
from dev.chaos.plan.orders import Order, make_orders
from dev.chaos.plan.plan import Plan
from dev.chaos.protocol import broken_rules
from dev.setup.paths import CHECKOUT

SAGAS = 115
SEED = 872
"""With so many orders this seed's faults kill every part; `python -m dev.chaos --plan` shows them."""


def chaos(*options: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dev.chaos", *map(str, options)]
    return subprocess.run(command, cwd=CHECKOUT, env={**os.environ}, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_saga_ends_and_the_books_balance_whatever_is_killed(tmp_path: Path) -> None:
    run = chaos("--sagas", SAGAS, "--seed", SEED, "--folder", tmp_path)
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-5_000:]
    assert "  0 violations" in run.stdout
    kills = re.search(r"kills +(\d+) ", run.stdout)
    assert kills is not None
    assert int(kills[1]) >= len(SCHEDULE) / 2


def test_a_seed_repeats_its_plan_and_another_one_does_not() -> None:
    first, again, other = (list(Plan.make(seed, 60).lines()) for seed in (5, 5, 6))
    assert first == again
    assert first[1:] != other[1:]
    printed = chaos("--plan", "--sagas", "60", "--seed", "5")
    assert printed.stdout.splitlines() == first


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    short, long = Plan.make(5, 60), Plan.make(5, 200)
    assert long.orders[:60] == short.orders
    assert long.faults[: len(short.faults)] == short.faults


def test_the_short_run_kills_every_part_and_has_two_operators() -> None:
    plan = Plan.make(SEED, SAGAS)
    planned = {(fault.kind, fault.part) for fault in plan.faults}
    assert {(kind, part) for kind, part in SCHEDULE if kind in (FaultKind.KILL, FaultKind.OVERLAP)} <= planned
    assert sum(delayed_step(SEED, order.order_id) is not None for order in plan.orders) >= 7


# Which calls the protocol allows, and what is said of others.


class Saga:
    """Calls of one saga, one second after the other."""

    def __init__(self) -> None:
        self.order: Order = next(each for each in make_orders(1, 50) if each.kind.name == "plain")
        self.calls: list[Call] = []

    def call(self, path: str, step: str, operation: str, status: int = 200, code: str = "", **wrong: str) -> "Saga":
        at = float(len(self.calls))
        order_id = self.order.order_id
        headers = {"idempotency-key": f"shop/{order_id}/{step}/{operation}", "saga-epoch": "7", **wrong}
        amount = b', "amount_minor": %d' % self.order.total_minor if path.endswith("process") else b""
        body = b'{"order_id": "%s"%s}' % (order_id.encode(), amount)
        request = Request(CIMultiDict(headers), body, "POST", path)
        delivery = Delivery(at, at + 0.5, status, code)
        nothing = CallFault(CallFaultKind.NONE)
        self.calls.append(Call(at, order_id, step, operation, 1, request, nothing, [delivery]))
        return self

    def forward(self) -> "Saga":
        return (
            self.call("/api/orders/create", "order", "do")
            .call("/api/inventory/reserve", "inventory", "do")
            .call("/api/payments/process", "payment", "do")
            .call("/api/shipping/schedule", "shipping", "do")
        )

    def undo(self, *steps: str) -> "Saga":
        paths = {
            "shipping": "/api/shipping/cancel",
            "payment": "/api/payments/refund",
            "inventory": "/api/inventory/release",
            "order": "/api/orders/cancel",
        }
        for step in steps:
            self.call(paths[step], step, "undo")
        return self

    def reject(self, status: int = 200, code: str = "") -> "Saga":
        return self.call("/api/orders/reject", "confirmation", "undo", status, code)

    def confirm(self) -> "Saga":
        return self.call("/api/orders/confirm", "confirmation", "do")

    def message(self) -> "Saga":
        return self.call("/api/notifications/send", "notification", "do")

    def broken(self) -> list[str]:
        return list(broken_rules(self.order, self.calls, "shop"))


def test_sagas_that_keep_the_protocol_break_no_rule() -> None:
    assert Saga().forward().confirm().message().broken() == []
    assert Saga().forward().reject().undo("shipping", "payment", "inventory", "order").broken() == []
    assert Saga().forward().reject(409, "already_confirmed").message().broken() == []
    settled = Saga().forward().reject().undo("shipping", "inventory")
    settled.call("/api/payments/refund", "payment", "undo", 202)
    settled.call("/api/payments/operations/o/undo", "payment", "poll undo", 200)
    assert settled.undo("order").broken() == []
    refused = Saga().call("/api/orders/create", "order", "do")
    refused.call("/api/inventory/reserve", "inventory", "do", 409, "out_of_stock").reject()
    assert refused.undo("shipping", "payment", "order").broken() == []


@pytest.mark.parametrize(
    ("saga", "said"),
    [
        (Saga().forward().undo("shipping").reject(), "before the order was rejected"),
        (Saga().forward().confirm().reject(), "the order was rejected (5.500), and it was confirmed (4.500)"),
        (Saga().forward().reject().undo("shipping", "payment", "order", "inventory"), "before inventory was undone"),
        (Saga().forward().message().confirm(), "before the order was confirmed"),
        (Saga().call("/api/orders/create", "order", "do", **{"idempotency-key": "shop/x/order/do"}), "has the key"),
        (Saga().call("/api/orders/create", "order", "do", **{"saga-epoch": ""}), "has the epoch ''"),
        (Saga().call("/api/orders/create", "order", "do", 422, "key_reused"), "the caller made a mistake"),
    ],
)
def test_a_saga_that_breaks_the_protocol_is_reported(saga: Saga, said: str) -> None:
    assert any(said in finding for finding in saga.broken()), saga.broken()
