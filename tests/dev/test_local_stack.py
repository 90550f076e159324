"""What a person at a terminal does to ./run-local.sh, on ports and in a folder of its own."""

import contextlib
import functools
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dev.setup.paths import CHECKOUT
from dev.stack.demo.shop import Shop, finished, phase
from dev.stack.layout import PORTS, Layout
from dev.stack.ports import holders
from dev.stack.processes import free_port
from dev.stack.stack import Stack
from dev.stack.waiting import wait_until
from tests.support import asking

pytestmark = pytest.mark.slow


class Terminal:
    """Runs the stack as run-local.sh does once everything is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in PORTS}
        self.env = {
            **os.environ,
            "ORDERSAGA_LOCAL_FOLDER": str(folder),
            **{f"ORDERSAGA_LOCAL_{name.upper()}_PORT": str(port) for name, port in self.ports.items()},
        }
        self.output = folder / "terminal"

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        with self.output.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "dev.stack", *options],
                cwd=CHECKOUT,
                env=self.env,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @contextlib.contextmanager
    def running(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """A stack that stays: here it has said that it does; it is ended afterwards, if the test hasn't done that."""
        with self.start(*options) as stack:
            try:
                wait_until("it runs", lambda: self.says("Running until Ctrl-C") or stack.poll() is not None, 60)
                assert stack.poll() is None, self.output.read_text()
                yield stack
            finally:
                if stack.poll() is None:
                    stack.terminate()

    def run(self, *options: str) -> int:
        return self.start(*options).wait(120)

    def shop(self) -> Shop:
        urls = {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}
        return Shop(urls, self.folder / "data" / "control-plane" / "ordersaga-staff.tokens")

    def page(self) -> str:
        """The page's address, as it is printed."""
        return next(re.finditer(r"http://127\.0\.0\.1:\d+/[\w-]{32,}/", self.output.read_text()))[0]

    def says(self, text: str) -> bool:
        return text in self.output.read_text()

    def children(self) -> list[str]:
        """The command lines of all processes that were started for this folder and its ports."""
        marks = [str(self.folder), *(f"--port {port}" for port in self.ports.values())]
        found = []
        for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = cmdline.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environment = (cmdline.parent / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if any(mark in command for mark in marks) or f"ORDERSAGA_LOCAL_FOLDER={self.folder}\0" in environment:
                found.append(command)
        return found


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    return Terminal(tmp_path_factory.mktemp("local"))


def test_a_demonstration_ends_well_and_leaves_nothing(terminal: Terminal) -> None:
    assert terminal.run("--once", "--fresh") == 0, terminal.output.read_text()
    assert terminal.says("saga Completed, order CONFIRMED")
    assert terminal.says("saga Compensated, order CANCELLED")
    assert terminal.children() == []
    assert not (terminal.folder / "lock").exists()


def test_a_stack_finds_its_data_heals_itself_refuses_a_second_one_and_ends_on_sigterm(terminal: Terminal) -> None:
    with terminal.running("--no-demo") as stack:
        url = f"http://127.0.0.1:{terminal.ports['order']}"
        with terminal.shop() as shop:
            before = shop.request("GET", "order", "/api/orders").json()["total"]

        refused = subprocess.run(
            [sys.executable, "-m", "dev.stack"],
            cwd=CHECKOUT,
            env=terminal.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert refused.returncode == 1
        assert f"runs already (process {stack.pid})" in refused.stderr

        for port, part in (
            ("order", "order service"),
            ("etcd", "etcd"),
            ("apiserver", "kube-apiserver"),
            ("mongod", "mongod"),
            ("page", "page"),
        ):
            os.kill(holders(terminal.ports[port])[0].pid, signal.SIGKILL)
            said = f"{part} was ended by signal SIGKILL; starting it again"
            wait_until(said, functools.partial(terminal.says, said), 60)
        wait_until(terminal.output.read_text, lambda: ready(url), 60)
        wait_until("the page, at the address that was printed", lambda: shows(terminal.page()), 60)
        for log in (terminal.folder / "logs").glob("page.log*"):
            assert terminal.page() not in log.read_text(), "others may read logs"
        with terminal.shop() as shop:
            assert shop.request("GET", "order", "/api/orders").json()["total"] == before
            wait_until("the API server to know its rights again", lambda: knows_no_such_order(shop), 60)
            shop.place("o-after-all-that")
            assert phase(shop.watch("o-after-all-that", finished)) == "Completed"
    assert stack.returncode == 0
    assert terminal.children() == []
    assert not (terminal.folder / "lock").exists()


def test_a_stack_that_is_killed_takes_its_parts_with_it_and_starts_again(terminal: Terminal) -> None:
    with terminal.running("--no-demo") as stack:
        stack.kill()
    wait_until("its parts are gone", lambda: terminal.children() == [], 10)
    assert terminal.run("--once") == 0, terminal.output.read_text()


def test_a_port_in_use_is_said_with_its_holder(terminal: Terminal) -> None:
    with socket.create_server(("127.0.0.1", terminal.ports["payment"])):
        assert terminal.run("--once") == 1
    assert terminal.says(f"port {terminal.ports['payment']} (payment) is held by process {os.getpid()} (")
    assert terminal.says("ORDERSAGA_LOCAL_PAYMENT_PORT")


def knows_no_such_order(shop: Shop) -> bool:
    """503 while the API server doesn't answer, or has begun and forbids everything."""
    return shop.request("GET", "order", "/api/orders/o-nobody-has-this").status_code == 404


def shows(page: str) -> bool:
    """Whether the page has a live list, as the person who started the stack."""
    try:
        context = asking.get(f"{page}api/context").json()
        return asking.get(f"{page}api/sagas").json()["live"] and context["user"] == "admin" and context["may"]["patch"]
    except (httpx.HTTPError, KeyError):
        return False


def ready(url: str) -> bool:
    try:
        return asking.get(f"{url}/ready").status_code == 200
    except httpx.HTTPError:
        return False


def test_a_stuck_undo_is_tried_longer_than_a_killed_part_needs_and_as_long_as_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORDERSAGA_COMPENSATION_SECONDS", raising=False)
    assert Stack(Layout(tmp_path, PORTS)).operator.env["ORDERSAGA_COMPENSATION_SECONDS"] == "30"
    monkeypatch.setenv("ORDERSAGA_COMPENSATION_SECONDS", "900")
    assert Stack(Layout(tmp_path, PORTS)).operator.env["ORDERSAGA_COMPENSATION_SECONDS"] == "900"
