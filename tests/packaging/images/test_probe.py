"""The health check of the images, against a real server."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from dev.setup.paths import CHECKOUT
from dev.stack.processes import free_port


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        well = self.path == "/health"
        body = b"" if well else b'{"detail": "MongoDB has no primary at the moment"}'
        self.send_response(200 if well else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def probe(port: int, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-IS", CHECKOUT / "images/probe.py", "A_PORT", path],
        env={"A_PORT": str(port)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_answer_of_200_is_well_and_nothing_is_said(port: int) -> None:
    found = probe(port, "/health")
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_another_answer_is_shown(port: int) -> None:
    found = probe(port, "/ready")
    assert found.returncode == 1
    assert "503" in found.stderr
    assert "no primary" in found.stderr


def test_no_answer_is_said() -> None:
    found = probe(free_port(), "/health")
    assert found.returncode == 1
    assert found.stderr.startswith("no answer: ")
