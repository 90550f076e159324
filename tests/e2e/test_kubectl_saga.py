"""`kubectl saga` where the API server doesn't know the answer: what has ended, and what the parts have said."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.system import NAMESPACE, Stack
from tests.support.samples import order as manifest

PROGRAM = Path(sys.executable).parent / "kubectl-saga"
DOCS = Path(__file__).resolve().parents[2] / "docs" / "kubectl-saga.md"


def typed(stack: Stack, *arguments: str, status: int = 0) -> str:
    env = {**os.environ, "KUBECONFIG": str(stack.kubeconfig), "ORDERSAGA_ORDER_URL": stack.wiring.url("order")}
    done = subprocess.run(
        [PROGRAM, *arguments, "-n", NAMESPACE], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def test_the_story_of_an_order_is_told_when_its_resource_is_gone(stack: Stack) -> None:
    order_id = stack.new_id("story")
    stack.shop.place(order_id, payment={"method_ref": "test-declined"})
    stack.until_finished(order_id)
    stack.kubectl("delete", "ordersaga", order_id, "--timeout=60s")
    assert "not found" in typed(stack, "show", f"{order_id}-never-placed", status=1)
    for command in ("history", "show", "why"):
        told = typed(stack, command, order_id)
        assert "Rolled back" in told
        assert "CardDeclined" in told
        assert ("no longer in the cluster" in told) == (command != "history")
    listed = json.loads(typed(stack, "history", "--reason", "CardDeclined", "--limit", "1000", "-o", "json"))
    (mine,) = (saga for saga in listed["items"] if saga["order_id"] == order_id)
    assert (mine["phase"], mine["step"]) == ("Compensated", "payment")
    assert order_id not in typed(stack, "history", "--phase", "Completed")


def test_the_trace_of_an_order_is_the_same_when_its_resource_is_gone(stack: Stack) -> None:
    order_id = stack.new_id("traced")
    annotations = {"tracing.k8s.io/traceparent": f"00-{0xABC:032x}-{0xDEF:016x}-01"}
    made = manifest(order_id, payment={"methodRef": "test-declined"})
    stack.kubectl(
        "apply",
        "-n",
        NAMESPACE,
        "-f",
        "-",
        manifest={**made, "metadata": {**made["metadata"], "annotations": annotations}},
    )
    stack.until_finished(order_id)
    there = json.loads(typed(stack, "trace", order_id, "-o", "json"))
    for command in ("show", "why"):
        assert f"Trace {0xABC:032x}" in typed(stack, command, order_id)
    stack.kubectl("delete", "ordersaga", order_id, "--timeout=60s")
    gone = typed(stack, "trace", order_id, "-o", "json")
    assert json.loads(gone[: gone.rindex("}") + 1]) == there
    assert there["traceID"] == f"{0xABC:032x}"
    assert there["spans"][0]["parentSpanID"] == f"{0xDEF:016x}"


def test_a_list_of_what_has_ended_has_what_is_still_in_the_cluster_and_what_is_gone(stack: Stack) -> None:
    """Whoever counts the declined cards of the last minutes must not miss those whose resource is there."""
    customer = stack.new_id("c")
    there, gone, completed = (stack.new_id(name) for name in ("there", "gone", "completed"))
    for order_id in (there, gone):
        stack.shop.place(order_id, customer_id=customer, payment={"method_ref": "test-declined"})
    stack.shop.place(completed, customer_id=customer)
    stack.until_finished(there, gone, completed)
    stack.kubectl("delete", "ordersaga", gone, "--timeout=60s")
    told = typed(stack, "history", "--customer", customer, "--reason", "card_declined")
    assert "2 sagas of 1 customer: 2 Compensated (2 CardDeclined)" in told
    where = {line.split()[2]: line.split()[-1] for line in told.splitlines() if customer in line}
    assert where == {there: "cluster", gone: "archive"}
    assert "3 sagas of 1 customer" in typed(stack, "history", "--customer", customer, "--ended", "1h")
    assert "1 saga of 1 customer: 1 Completed" in typed(
        stack, "history", "--customer", customer, "--phase", "Completed"
    )
    assert "2 earlier ones not shown" in typed(stack, "history", "--customer", customer, "--limit", "1")


def test_an_order_that_nobody_begins_is_found_among_all_namespaces_with_the_command_about_it(stack: Stack) -> None:
    order_id, elsewhere = stack.new_id("elsewhere"), stack.new_id("nowhere")
    stack.kubectl("create", "namespace", elsewhere)
    stack.kubectl("apply", "-n", elsewhere, "-f", "-", manifest=manifest(order_id))
    try:
        assert "in any namespace" in typed(stack, "list", "-A", "--id", f"{order_id}-never-placed")
        told = typed(stack, "list", "-A", "--id", order_id)
        assert told.splitlines()[1].split()[:2] == [elsewhere, order_id]
    finally:
        stack.kubectl("delete", "namespace", elsewhere, "--wait=false")


def test_what_all_parts_have_said_about_an_order_is_in_the_order_in_which_they_said_it(stack: Stack) -> None:
    order_id = stack.new_id("logged")
    stack.shop.place(order_id)
    stack.until_finished(order_id)
    lines = typed(stack, "logs", order_id, "--folder", str(stack.operator.log.parent)).splitlines()
    parts = [line.split()[0] for line in lines]
    assert {"order", "inventory", "payment", "shipping", "notification", "operator"} <= set(parts)
    assert parts.index("inventory") < parts.index("payment") < parts.index("shipping") < parts.index("notification")
    logs = str(stack.operator.log.parent)
    assert "no line of a log" in typed(stack, "logs", "o-of-nobody", "--folder", logs, status=1)


def commands_of_the_docs() -> list[str]:
    """Those that are typed in the page, with the sample order's name, without what is about another installation."""
    found = re.findall(r"^    (?:\$ )?kubectl saga (.*?)(?:\s+#.*)?$", DOCS.read_text(), re.M)
    return [each.replace("top", "top --once --seconds 0.1") for each in found if "--count" not in each and each != "ui"]


@pytest.mark.parametrize("command", ["list", "create", "retry", "history", "doctor"])
def test_each_command_has_a_help_with_an_example_or_says_all_there_is(stack: Stack, command: str) -> None:
    assert command in typed(stack, command, "--help")


def test_every_command_of_the_docs_is_one(stack: Stack) -> None:
    order_id = stack.new_id("typed")
    stack.shop.place(order_id)
    stack.until_finished(order_id)
    for line in commands_of_the_docs():
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line.replace("o-1042", order_id))]
        env = {**os.environ, "KUBECONFIG": str(stack.kubeconfig), "ORDERSAGA_ORDER_URL": stack.wiring.url("order")}
        here = {
            ".ordersaga/logs": str(stack.operator.log.parent),
            "http://127.0.0.1:8080": f"http://127.0.0.1:{stack.wiring.health_port}",
        }
        words = [here.get(word, word) for word in words]
        done = subprocess.run(
            [PROGRAM, *words, "-n", NAMESPACE], env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode in (0, 1), f"{line}: {done.returncode} {done.stderr}"
        assert "Traceback" not in done.stderr
        assert "usage:" not in done.stderr, f"{line}: {done.stderr}"
