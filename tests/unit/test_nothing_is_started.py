"""The guard in conftest.py notices what a unit test must not do."""

import socket
import subprocess
import sys

import pytest


def test_a_server_is_noticed() -> None:
    with socket.socket() as server, pytest.raises(AssertionError, match=r"this is socket\.bind"):
        server.bind(("127.0.0.1", 0))


def test_a_process_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"this is subprocess\.Popen"):
        subprocess.run([sys.executable, "-c", ""], check=True)
