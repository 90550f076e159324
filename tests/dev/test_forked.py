"""What tests start quickly is what `python -m …` would be: its environment, its output, its end, its signals."""

import os
import signal
import sys
from pathlib import Path

import pytest

from dev.stack import forked
from dev.stack.processes import Process

PROGRAM = """
import atexit, os, sys, time
from pathlib import Path

print(__name__, sys.argv[1:], os.environ["SAID"], "HOME" in os.environ, os.getcwd(), os.getsid(0) == os.getpid())
atexit.register(print, "tidied up")
if sys.argv[1] == "waits":
    Path("ready").touch()
    time.sleep(60)
sys.exit(3)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Has a module of its own, that can be found."""
    (tmp_path / "a_program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def program(folder: Path, argument: str) -> forked.Forked:
    command = [sys.executable, "-m", "a_program", argument]
    return forked.Forked(command, env={"SAID": "so"}, log=folder / "log", cwd=folder)


def test_it_has_its_own_environment_folder_session_output_and_exit_status(folder: Path) -> None:
    assert program(folder, "ends").wait(20) == 3
    said = f"__main__ ['ends'] so False {folder} True"
    assert (folder / "log").read_text().splitlines() == [said, "tidied up"]


def test_a_signal_ends_it_as_it_ends_any_process(folder: Path) -> None:
    running = Process("a program", ["unused"], log=folder / "log", ready=(folder / "ready").exists)
    child = program(folder, "waits")
    running.run = lambda *_, **__: child  # type: ignore[assignment,misc]
    running.start()
    assert running.pid == os.getsid(running.pid)
    running.kill()
    assert running.exit_code() == -signal.SIGKILL


@pytest.mark.parametrize(
    ("command", "env", "can"),
    [
        ([sys.executable, "-m", "uvicorn"], {"ORDERSAGA_NAMESPACE": "shop"}, True),
        ([sys.executable, "-m", "uvicorn"], {"PYTHONUNBUFFERED": "1"}, True),
        ([sys.executable, "-m", "uvicorn"], {"PYTHONPATH": "elsewhere"}, False),
        ([sys.executable, "-c", "pass"], {}, False),
        (["mongod", "-m"], {}, False),
    ],
)
def test_what_python_reads_as_it_starts_needs_a_start(command: list[str], env: dict[str, str], can: bool) -> None:
    assert forked.can_be_forked(command, {**os.environ, **env}) is can
