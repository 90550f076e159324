"""Which processes listen on a port.

python -m dev.stack.ports 8000 8001        names the processes that hold them
python -m dev.stack.ports --free 8000      ends the holder if it belongs to this project (--force: any holder)
"""

import argparse
import atexit
import contextlib
import os
import random
import socket
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from common.services import SERVICES
from dev.setup.errors import StackError
from dev.setup.locks import locked
from dev.stack.waiting import wait_until

MARK = "crds/ordersaga.yaml"
"""A file by which a checkout of this project is recognised."""
# A service finishes its requests in a second or two; after this we kill.
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that listens on a port."""

    port: int
    pid: int
    command: str
    ours: bool
    """Whether its working directory is a checkout of this project. Its command proves nothing: with our virtual
    environment active, every Python program looks like one of ours."""

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command[:80]})"


# Below 32768, where Linux takes the ports of outgoing connections from: while a part is down, its port must not become
# the local end of another program's connection, or the part can't start again.
LOWEST, HIGHEST = 20_000, 32_000


RESERVATIONS = Path(tempfile.gettempdir()) / f"ordersaga-ports-{os.getuid()}"
"""A lock file for each port that a process of this user has drawn; the lock ends with that process."""
_reserved = contextlib.ExitStack()
atexit.register(_reserved.close)


def free_ports(count: int) -> list[int]:
    """Draw `count` free ports of 127.0.0.1; no other process draws them while this one lives.

    A port is free for a while after it was drawn, until its server listens. Without the reservation, two sessions of
    tests that start side by side can draw the same one.

    Raises:
        StackError: when there aren't as many.
    """
    RESERVATIONS.mkdir(mode=0o700, exist_ok=True)
    candidates = random.SystemRandom().sample(range(LOWEST, HIGHEST), 20 * count)
    found: list[int] = []
    while len(found) < count:
        if not candidates:
            raise StackError(f"there are no {count} free ports between {LOWEST} and {HIGHEST}")
        if _reserve(port := candidates.pop()):
            found.append(port)
    return found


def _reserve(port: int) -> bool:
    with contextlib.ExitStack() as reservation:
        try:
            reservation.enter_context(locked(RESERVATIONS / str(port), wait=False))
        except BlockingIOError:
            return False
        if in_use(port):
            return False
        _reserved.enter_context(reservation.pop_all())
    return True


def in_use(port: int) -> bool:
    """Whether binding 127.0.0.1:port would fail now."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def holders(port: int) -> list[Holder]:
    """The processes that listen on this port; empty also when they are another user's and can't be seen."""
    listening = psutil.net_connections("tcp")
    pids = {
        each.pid for each in listening if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port
    }
    return [found for pid in pids if pid is not None and (found := _describe(port, pid))]


def describe_holders(port: int) -> str:
    """The processes that listen on this port, in words."""
    found = holders(port)
    return " and ".join(str(holder) for holder in found) if found else "a process that this user can't see"


def free(port: int, *, force: bool = False) -> bool:
    """End the processes that listen there, if they are ours or with `force`; whether the port is free afterwards."""
    for holder in holders(port):
        if not (holder.ours or force):
            print(f"port {port}: {holder} is not of this project; --force ends it, too")
            continue
        print(f"port {port}: ending {holder}")
        _end(holder.pid)
    return not in_use(port)


def _end(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.terminate()
        try:
            wait_until(f"process {pid} ends", lambda: process.status() == psutil.STATUS_ZOMBIE, STOP_SECONDS)
        except StackError:
            process.kill()


def _describe(port: int, pid: int) -> Holder | None:
    try:
        process = psutil.Process(pid)
        command = " ".join(process.cmdline())
    except psutil.Error:
        return None
    ours = False
    with contextlib.suppress(psutil.Error):
        place = Path(process.cwd())
        ours = any((parent / MARK).is_file() for parent in (place, *place.parents))
    return Holder(port, pid, command, ours)


def main(arguments: list[str]) -> int:
    """See the module's text. Returns 1 when a port is (still) in use."""
    options = argparse.ArgumentParser(prog="dev.stack.ports", description="Which processes listen on these ports.")
    options.add_argument("ports", nargs="*", type=int, default=[*SERVICES.values()], help="default: 8000 to 8004")
    options.add_argument("--free", action="store_true", help="end the holders that belong to this project")
    options.add_argument("--force", action="store_true", help="with --free: end also processes of other projects")
    asked = options.parse_args(arguments)
    busy = 0
    for port in asked.ports:
        if asked.free and in_use(port):
            free(port, force=asked.force)
        if in_use(port):
            busy += 1
            print(f"port {port}: held by {describe_holders(port)}")
        else:
            print(f"port {port}: free")
    return 1 if busy else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
