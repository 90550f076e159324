"""The order that `helm test` places, and the conformance kit, on all real parts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ordersaga.smoke import Customer, SmokeError, smoke
from tests.e2e.system import NAMESPACE, Stack


def test_the_smoke_order_brings_what_it_needs_and_may_be_repeated(stack: Stack) -> None:
    for _ in range(2):
        assert "Completed, CONFIRMED" in smoke(stack.shop.urls, stack.staff)


def test_a_service_that_is_not_there_is_named(stack: Stack) -> None:
    nowhere = {**stack.shop.urls, "inventory": "http://127.0.0.1:9"}
    expected = r"GET http://127.0.0.1:9/api/inventory/p-smoke: "
    with Customer(nowhere, seconds=0) as customer, pytest.raises(SmokeError, match=expected):
        customer.seed()


def test_the_conformance_kit_calls_a_participant_that_knows_its_callers(stack: Stack, tmp_path: Path) -> None:
    words = ["--do", "/api/payments/process", "--undo", "/api/payments/refund", "--only", "do-twice", "undo-first"]
    body = {"customer_id": "c-17", "amount_minor": 2500, "currency": "EUR", "method_ref": "test-ok"}
    words += ["--namespace", NAMESPACE, "--body", json.dumps(body)]
    words += ["--resource", "/api/payments/order/{order_id}", "--live", "status=captured"]
    token = tmp_path / "token"
    for operator, reader, status in (
        (stack.tokens / "payment", stack.staff / "payment", 0),
        (token, stack.staff / "payment", 2),  # there is none: nothing can be tried
    ):
        files = ["--token-file", str(operator), "--reader-token-file", str(reader)]
        command = [sys.executable, "-m", "ordersaga", "conformance", stack.wiring.url("payment"), *words, *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
