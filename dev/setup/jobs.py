"""Long jobs that run side by side, each in a thread, with their progress on the terminal; one error ends all.

Standard library only.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dev.setup.children import die_with_parent
from dev.setup.errors import StackError
from dev.setup.paths import LOGS

# Where there is no terminal (a CI log) a line now and then shows that the work goes on.
PLAIN_INTERVAL_SECONDS = 20.0
TERMINAL_INTERVAL_SECONDS = 0.2
# Short jobs run beside the long build and must not slow it down.
BESIDE_NICENESS = 15


class InterruptedWorkError(StackError):
    """Another job failed, or the person pressed Ctrl-C."""


class Job:
    """One piece of work: what it is, how long it usually takes, what it is doing now."""

    def __init__(self, name: str, usually: str, work: Callable[["Job"], None]) -> None:
        self.name = name
        self.usually = usually
        self.doing = ""
        self.log = LOGS / f"setup-{name.replace(' ', '-')}.log"
        self.error: BaseException | None = None
        self.finished = threading.Event()
        self.seconds = 0.0
        self._work = work
        self._child: subprocess.Popen[str] | None = None
        self._stopped = False

    def __call__(self) -> None:
        """Do the work; an exception is kept in `error`."""
        started = time.monotonic()
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self.log.write_text("")
            self._work(self)
        except BaseException as error:  # reported by the main thread
            self.error = error
        finally:
            self.seconds = time.monotonic() - started
            self.finished.set()

    def wait_for(self, other: "Job") -> None:
        """Wait until another job is done. Raises InterruptedWorkError if it failed."""
        other.finished.wait()
        if other.error is not None:
            raise InterruptedWorkError(f"{self.name} needs {other.name}")

    def run(
        self,
        command: Sequence[str | Path],
        *,
        failure: str,
        beside: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        on_line: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Run a command, its output in this job's log; `beside`: niced, because something longer runs.

        Raises StackError with `failure` and the log's path when it fails.
        """
        if self._stopped:
            raise InterruptedWorkError(self.name)
        nice = ["nice", "-n", str(BESIDE_NICENESS)] if beside else []
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(str(part) for part in command)}\n")
            with subprocess.Popen(
                [*nice, *(str(part) for part in command)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**os.environ, **(env or {})},
                cwd=cwd,
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock that a thread could hold
            ) as child:
                self._child = child
                assert child.stdout is not None  # noqa: S101 - for mypy
                for line in child.stdout:
                    log.write(line)
                    log.flush()
                    on_line(line.rstrip())
        if self._stopped:
            raise InterruptedWorkError(self.name)
        if child.returncode:
            raise StackError(f"{failure}; see {self.log}")

    def stop(self) -> None:
        """End its command, with all that it started."""
        self._stopped = True
        if self._child is not None and self._child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGTERM)


def run_all(jobs: Sequence[Job]) -> None:
    """Run the jobs side by side and print their progress. Raises the first error after ending the others."""
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    terminal = sys.stdout.isatty()
    told = set[Job]()
    started = last = time.monotonic()
    for job in jobs:
        print(f"  {job.name}: usually {job.usually}", flush=True)
    try:
        for thread in threads:
            thread.start()
        while not all(job in told for job in jobs):
            for job in jobs:
                if job.finished.is_set() and job not in told:
                    told.add(job)
                    if job.error is not None:
                        raise job.error
                    _print_progress(f"  {job.name}: done in {_clock(job.seconds)}", terminal)
            now = time.monotonic()
            running = [job for job in jobs if not job.finished.is_set()]
            if running and now - last > (TERMINAL_INTERVAL_SECONDS if terminal else PLAIN_INTERVAL_SECONDS):
                last = now
                progress = " | ".join(f"{job.name}: {job.doing or 'starting'}" for job in running)
                _print_progress(f"  {_clock(now - started)}  {progress}", terminal, stays=not terminal)
            time.sleep(0.05)
    finally:
        for job in jobs:
            job.stop()
        for thread in threads:
            if thread.ident is not None:
                thread.join(timeout=5)


def _print_progress(text: str, terminal: bool, *, stays: bool = True) -> None:
    if terminal:
        width = os.get_terminal_size().columns
        print("\r\x1b[K" + text[: width - 1], end="\n" if stays else "", flush=True)
    else:
        print(text, flush=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
