"""Programs in Python as processes of their own that needn't import libraries again: that is most of what a start costs.

For tests, which start thousands of them. Each is what `python -m …` would be, but is forked from a server that has
imported the libraries, and of ours what all of them begin with.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.forkserver import set_forkserver_preload
from pathlib import Path
from typing import Final

from dev.setup.children import die_with_parent
from dev.stack import processes

PRELOADED: Final = (
    *("aiohttp", "cryptography.x509", "fastapi", "h11", "httptools", "jwt", "kopf", "kubernetes", "prometheus_client"),
    *("pydantic_settings", "pymongo", "pythonjsonlogger", "uvicorn.main", "uvloop", "yaml"),
    *("common.barrier", "common.kube", "common.logs", "common.shop.erasure", "common.web.app", "common.web.guard"),
    *("saga_operator.handlers", "saga_operator.parts", "saga_operator.watch_connection"),
)
"""Modules whose import depends on nothing in the environment and is seen by nobody: settings are read later."""
OF_THE_INTERPRETER: Final = "PYTHON"
"""How the variables begin that Python reads as it starts; a forked one has started."""
READ_IN_TIME: Final = frozenset({"PYTHONUNBUFFERED"})
"""Those that are seen to all the same."""


def can_be_forked(command: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether this command line, with this environment, is a module of this Python."""
    differ = {name for name in env.keys() | os.environ.keys() if env.get(name) != os.environ.get(name)}
    python = {name for name in differ if name.startswith(OF_THE_INTERPRETER)}
    return list(command[:2]) == [sys.executable, "-m"] and python <= READ_IN_TIME


def run(command: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path | None) -> processes.Child:
    """In place of `processes.run`: forked, if it can be."""
    if can_be_forked(command, env):
        return Forked(command, env=env, log=log, cwd=cwd)
    return processes.run(command, env=env, log=log, cwd=cwd)


class Forked:
    """Like `subprocess.Popen(command)`, in a session of its own, of a command that can be forked."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path | None = None) -> None:
        """`env`: the whole of it; `log` gets what it prints."""
        set_forkserver_preload(list(PRELOADED))
        context = multiprocessing.get_context("forkserver")
        ours, its = context.Pipe(duplex=False)
        log.touch()  # it is read from now on; the child opens it when it gets to it
        arguments = (list(command[2:]), dict(env), log, cwd, its)
        self._process = context.Process(target=_run, args=arguments, daemon=True)
        self._process.start()
        its.close()
        with ours:
            ours.poll(None)  # until it leads a session: who signals that finds it

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process.pid is not None  # noqa: S101 - for the type checker
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit status, minus the signal's number if one ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, at most so many seconds; return its exit status. Raises `subprocess.TimeoutExpired`."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return self._process.exitcode


def _run(arguments: list[str], env: Mapping[str, str], log: Path, cwd: Path | None, started: Connection) -> None:
    os.setsid()
    die_with_parent()
    started.close()
    with log.open("ab") as file, open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(env)
    if cwd is not None:
        os.chdir(cwd)
    sys.argv = list(arguments)
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # a child of multiprocessing ends without them
