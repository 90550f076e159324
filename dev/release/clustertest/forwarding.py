"""`kubectl port-forward`: reach a Service of the cluster from this machine."""

import re
import subprocess
import threading
from types import TracebackType

from dev.setup.children import die_with_parent
from dev.setup.errors import StackError


class Forward:
    """One Service's port on 127.0.0.1, at a port of the machine's choosing. Use as a context manager."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._child: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.port = 0

    def __enter__(self) -> "Forward":
        self._child = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call
        )
        assert self._child.stdout is not None  # noqa: S101 - for mypy
        said = self._child.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", said)
        if not found:
            self.__exit__(None, None, None)
            raise StackError(f"{' '.join(self._command)}: {said.strip() or 'no answer'}")
        self.port = int(found[1])
        # kubectl prints a line for each connection, and would stop when the pipe is full: read them all.
        self._reader = threading.Thread(target=self._child.stdout.read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is None:
            return
        self._child.terminate()
        self._child.wait()
        if self._reader is not None:
            self._reader.join()
        if self._child.stdout is not None:
            self._child.stdout.close()
