"""What people do while there is trouble: customers order, and whoever mends it uses `kubectl saga`, or a setting."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.stack.processes import Process
from tests.e2e.system import NAMESPACE, Stack

PROGRAM = Path(sys.executable).parent / "kubectl-saga"


def saga(stack: Stack, *arguments: str) -> str:
    """`kubectl saga`, as a person types it."""
    env = {**os.environ, "KUBECONFIG": str(stack.kubeconfig), "ORDERSAGA_ORDER_URL": stack.wiring.url("order")}
    done = subprocess.run(
        [PROGRAM, *arguments, "-n", NAMESPACE], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (0, 1, 3), f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@contextmanager
def customers(stack: Stack, pause: float = 0.5) -> Iterator[list[str]]:
    """Orders all the time until the block ends; the ids of those that were placed."""
    placed: list[str] = []
    has_ended = threading.Event()

    def place() -> None:
        while not has_ended.wait(pause):
            placed.append(stack.new_id("customers"))
            stack.shop.place(placed[-1])

    thread = threading.Thread(target=place)
    thread.start()
    try:
        yield placed
    finally:
        has_ended.set()
        thread.join()


@contextmanager
def changed(stack: Stack, process: Process, *, command: list[str] | None = None, **env: str) -> Iterator[None]:
    """The process runs with these settings until the block ends; `command`: in the place of its own."""
    before = process.command, dict(process.env)
    process.stop()
    process.command, process.env = command or process.command, {**process.env, **env}
    try:
        stack.start()
        yield
    finally:
        process.stop()
        process.command, process.env = before
        stack.start()
