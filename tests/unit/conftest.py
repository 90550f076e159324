"""A unit test starts nothing: one that listens or starts a process fails, whatever it claims."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

STARTS = {"socket.bind", "subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}
"""Python's audit events of what a unit test has no use for. Connecting to a closed port is harmless."""


@dataclass(slots=True)
class _Guard:
    """An audit hook stays for as long as the interpreter: it is told when a unit test runs."""

    active: bool = False
    installed: bool = False

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.active and event in STARTS:
            raise AssertionError(f"a unit test must start nothing, and this is {event}{arguments[1:]}")


_guard = _Guard()


@pytest.fixture(autouse=True)
def _nothing_is_started() -> Iterator[None]:
    if not _guard.installed:
        sys.addaudithook(_guard)
        _guard.installed = True
    _guard.active = True
    yield
    _guard.active = False
