"""Operators as processes of their own that needn't import everything again: that is most of what a start costs."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.forkserver import set_forkserver_preload
from pathlib import Path

from tests.operator import faulty


class Forked:
    """A process like `subprocess.Popen`'s, which runs `tests.operator.faulty` with this fault."""

    def __init__(self, fault: str, env: Mapping[str, str], log: Path) -> None:
        """`log` gets what the process writes to its standard error."""
        log.touch()
        set_forkserver_preload(["tests.operator.faulty"])
        context = multiprocessing.get_context("forkserver")
        self._process = context.Process(target=_run, args=(fault, dict(env), log), daemon=True)
        self._process.start()

    def poll(self) -> int | None:
        """Its exit status, minus the signal's number if one ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for its end, at most so many seconds; return its exit status. Raises `subprocess.TimeoutExpired`."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self._process.exitcode is None and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def kill(self) -> None:
        self._process.kill()


def _run(fault: str, env: Mapping[str, str], log: Path) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    os.environ.clear()
    os.environ.update(env)
    faulty.run(fault)
