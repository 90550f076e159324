"""What services answer is printed on a terminal without what a terminal obeys."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from common.services import SERVICES
from ordersaga.cli import main


class Stranger(BaseHTTPRequestHandler):
    """Answers 400 with text that clears a screen and sets its title."""

    def do_GET(self) -> None:
        self.send_response(400)
        self.end_headers()
        self.wfile.write("no\x1b[2J\x1b]0;pwned\x07 \x9b31m\u202e way".encode())

    do_PUT = do_POST = do_GET  # noqa: N815 - the names that http.server looks for

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def stranger() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_answer_cannot_write_on_the_terminal(
    stranger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in SERVICES:
        monkeypatch.setenv(f"ORDERSAGA_{name.upper()}_URL", stranger)
    assert main(["smoke"]) == 1
    printed = capsys.readouterr()
    shown = printed.out + printed.err
    assert "no [2J ]0;pwned   31m way" in shown
    assert all(line.isprintable() for line in shown.splitlines())
