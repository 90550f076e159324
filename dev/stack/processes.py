"""Child processes that can't outlive this one: each in a session of its own, ended in order, killed if it is killed.

A terminal's Ctrl-C goes to its whole process group; the children are in other groups, so that the parent
can end them one after the other. If the parent is killed, the kernel ends them (PR_SET_PDEATHSIG, Linux).
Start children from the main thread only: the kernel's signal follows the death of the starting *thread*.
"""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from dev.setup.children import die_with_parent
from dev.setup.errors import StackError
from dev.stack.ports import free_ports
from dev.stack.waiting import wait_until

# Most parts are ready within 5 s on two idle cores; a machine that is building something beside us takes far longer.
READY_SECONDS = 90.0
MISSING_LIBRARY = "error while loading shared libraries"
# A service finishes its requests and mongod writes its checkpoint in a second or two; after this we kill.
STOP_SECONDS = 15.0


class Child(Protocol):
    """What is used of a `subprocess.Popen`. It leads a session."""

    @property
    def pid(self) -> int:
        """The process id."""

    def poll(self) -> int | None:
        """Its exit status, minus the signal's number if one ended it; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, at most so many seconds. Raises `subprocess.TimeoutExpired`."""


def run(command: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path | None) -> Child:
    """Start a program that ends when the calling thread does. `env`: all of it; what it prints is appended to `log`."""
    with log.open("ab") as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock that a thread could hold
        )


class Process:
    """One program, its log file, and a function that returns whether it is ready."""

    run = staticmethod(run)
    """How it is started."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log: Path,
        ready: Callable[[], bool],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self.env = dict(env or {})
        self.cwd = cwd
        self._ready = ready
        self._stop_signal = stop_signal
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """The process id; raises StackError when the part was never started."""
        if self._child is None:
            raise StackError(f"{self.name} was not started")
        return self._child.pid

    def start(self) -> None:
        """Start it (again); what it prints is appended to its log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._child = self.run(self.command, env={**os.environ, **self.env}, log=self.log, cwd=self.cwd)

    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def exit_code(self) -> int | None:
        """Its exit code (negative: the signal that ended it), or None while it runs."""
        return None if self._child is None else self._child.poll()

    def ready(self) -> bool:
        """Ask it once whether it is ready. Raises StackError if it has ended."""
        if not self.running():
            raise StackError(
                f"{self.name} {self.how_it_ended()} before it was ready{self._last_words()}; see {self.log}"
            )
        return self._ready()

    def how_it_ended(self) -> str:
        """In words, to follow its name."""
        code = self.exit_code()
        if code is None:
            return "was not started"
        if code < 0:
            return f"was ended by signal {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def kill(self) -> None:
        """End it at once, as a crash would (SIGKILL), and wait until it is gone."""
        if self._child is not None:
            self._signal(signal.SIGKILL)
            self._child.wait()

    def ask_to_stop(self) -> None:
        """Begin to end it in good order; `wait_until_stopped` is the other half."""
        if self.running():
            self._signal(self._stop_signal)

    def wait_until_stopped(self, seconds: float = STOP_SECONDS) -> None:
        """Wait for it to end; kill it after `seconds`."""
        if self._child is None:
            return
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def stop(self) -> None:
        """End it in good order."""
        self.ask_to_stop()
        self.wait_until_stopped()

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = [line.strip() for line in self.log.read_text(errors="replace").split("\n") if line.strip()]
            if lines and MISSING_LIBRARY in lines[-1]:
                return f" ({lines[-1]}: install the package that has it, on Debian and Ubuntu libcurl4 for libcurl)"
            return f" ({lines[-1][:200]})" if lines else ""
        return ""

    def _signal(self, number: signal.Signals) -> None:
        # The whole group: a program may have started helpers of its own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def wait_ready(
    processes: Sequence[Process], seconds: float = READY_SECONDS, idle: Callable[[], None] = lambda: None
) -> None:
    """Wait until all are ready, asking them in turn; `idle` runs between two rounds.

    Raises StackError when one ends, or when `seconds` have passed.
    """
    late = list(processes)

    def all_ready() -> bool:
        late[:] = [process for process in late if not process.ready()]
        if late:
            idle()
        return not late

    wait_until(lambda: f"{late[0].name} is ready; see {late[0].log}", all_ready, seconds)


def free_port() -> int:
    """One port, as `free_ports` draws it."""
    return free_ports(1)[0]


def is_listening(port: int) -> bool:
    """Whether a program listens on this port of 127.0.0.1."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def answers(url: str, trust: ssl.SSLContext | None = None) -> bool:
    """Whether a GET is answered with 200; `trust`: the authority of its certificate, if that is one of ours."""
    try:
        with urllib.request.urlopen(url, timeout=2, context=trust) as answer:  # noqa: S310 - our own addresses
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
