"""The scripts for people: is everything well, and who holds my ports."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.setup.paths import CHECKOUT
from dev.stack.ports import in_use
from dev.stack.processes import Process, free_port, is_listening, wait_ready
from tests.e2e.system import Stack


def check_health(stack: Stack, *options: str) -> subprocess.CompletedProcess[str]:
    operator = f"http://127.0.0.1:{stack.wiring.health_port}"
    env = {**os.environ, **stack.wiring.env(), "ORDERSAGA_OPERATOR_URL": operator, "KUBECONFIG": str(stack.kubeconfig)}
    command = [sys.executable, "scripts/check_health.py", *options]
    return subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)


def test_the_health_check_is_content_with_a_running_system(stack: Stack) -> None:
    checked = check_health(stack)
    assert checked.returncode == 0, checked.stdout
    assert "all parts are ready" in checked.stdout
    report = json.loads(check_health(stack, "--json").stdout)
    assert report["well"]
    assert {"order", "inventory", "payment", "shipping", "notification", "operator"} <= {
        part["part"] for part in report["parts"]
    }


def test_the_health_check_names_the_part_that_is_missing(stack: Stack) -> None:
    stack.services["shipping"].kill()
    checked = check_health(stack)
    assert checked.returncode == 1
    (line,) = [line for line in checked.stdout.splitlines() if line.startswith("shipping")]
    assert "NO" in line
    assert "is it running?" in line


@contextmanager
def web_server(folder: Path, tmp_path: Path) -> Iterator[tuple[int, Process]]:
    port = free_port()
    server = Process(
        "web server",
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        log=tmp_path / "server.log",
        ready=lambda: is_listening(port),
        cwd=folder,
    )
    server.start()
    try:
        wait_ready([server])
        yield port, server
    finally:
        server.kill()


def cleanup_ports(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["scripts/cleanup_ports.sh", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def test_a_leftover_of_this_project_is_ended(tmp_path: Path) -> None:
    with web_server(CHECKOUT / "docs", tmp_path) as (port, _):
        cleaned = cleanup_ports(str(port))
        assert cleaned.returncode == 0, cleaned.stdout
        assert not in_use(port)


def test_somebody_elses_server_is_left_alone_unless_told_otherwise(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # Its interpreter lies in this checkout, as it would for anybody with our virtual environment active: the place
    # where it works decides.
    with web_server(elsewhere, tmp_path) as (port, server):
        left = cleanup_ports(str(port))
        assert left.returncode == 1
        assert f"process {server.pid} (" in left.stdout
        assert server.running()
        forced = cleanup_ports("--force", str(port))
        assert forced.returncode == 0, forced.stdout
        assert not in_use(port)
