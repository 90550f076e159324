"""The operator's process of a bench without services: how it is started, and what is seen of it from outside."""

import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.calls import NAMESPACE
from common.services import SERVICES
from dev.stack.parts.control_plane import ControlPlane
from dev.stack.processes import Process, free_port


@dataclass(frozen=True)
class Usage:
    """Memory and CPU of one process at one moment."""

    at: float
    rss: float
    """MiB."""
    peak: float
    cpu: float
    """Seconds since its start."""


def usage(process: Process) -> Usage:
    """Read from /proc."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    rss, peak = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[index]
    fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return Usage(time.monotonic(), rss, peak, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))


class OperatorAlone:
    """The operator on an API server of the bench's own, with one address for all participants."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._plane, self._folder = plane, folder
        self._port = free_port()
        self.process: Process

    def prepare(self, participants: str, *, python: Sequence[str] = (), **env: str) -> None:
        """Make the process, which isn't started yet. The namespace has to be there."""
        given = {f"ORDERSAGA_{name.upper()}_URL": participants for name in SERVICES} | {
            "KUBECONFIG": str(self._plane.administrator.identity("ordersaga-operator", NAMESPACE, self._folder)),
            "ORDERSAGA_NAMESPACE": NAMESPACE,
            "ORDERSAGA_HEALTH_PORT": str(self._port),
            "ORDERSAGA_LOG_LEVEL": "WARNING",
        }
        command = [sys.executable, *python, "-m", "saga_operator"]
        log = self._folder / "operator.log"
        self.process = Process("operator", command, log=log, ready=lambda: True, env=given | env)

    async def metrics(self) -> dict[str, float]:
        """Its metrics, summed over their labels; empty while it doesn't answer."""
        sums: dict[str, float] = {}
        try:
            url = f"http://127.0.0.1:{self._port}/metrics"
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, OSError):
            return sums
        for line in text.splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                name = name.partition("{")[0]
                sums[name] = sums.get(name, 0) + float(value)
        return sums


def say(text: str) -> None:
    """Print it with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
