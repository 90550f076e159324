"""How soon a person sees the list of `kubectl saga ui` beside 100,000 finished sagas: `make bench-page`.

A real etcd, a real kube-apiserver, the real command and a real browser (ui/tests/stories/paint.mjs). The sagas are
stored as bench.scale stores them.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from bench.calls import NAMESPACE
from bench.operator_alone import say
from bench.scale import Scale
from dev.setup.paths import CHECKOUT, STATE

PROGRAM = Path(sys.executable).parent / "kubectl-saga"
PAINT = CHECKOUT / "ui" / "tests" / "stories" / "paint.mjs"
OUT = STATE / "bench" / "page.json"
SECONDS = 900
"""For all the loads of one stage."""


class PageScale(Scale):
    """One run: instead of the operator the page is measured."""

    async def _stage(self, finished: int, opened: int, bytes_each: float) -> None:
        await self._open(opened)
        await self._until_cached()
        row = await asyncio.to_thread(self._looked_at)
        self.rows.append({"finished": finished, "open": opened, "etcd_bytes": bytes_each} | row)
        say(json.dumps(self.rows[-1]))
        await self._clear()

    def _looked_at(self) -> dict[str, Any]:
        kubeconfig = self._plane.administrator.kubeconfig
        command = [PROGRAM, "ui", "--no-browser", "--kubeconfig", str(kubeconfig), "-n", NAMESPACE]
        started = time.time()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                url = process.stdout.readline().strip() if process.stdout else ""
                served = time.time() - started
                looked = ["node", PAINT, url, str(self._options.times)]
                found = json.loads(subprocess.run(looked, check=True, stdout=subprocess.PIPE, timeout=SECONDS).stdout)
                memory = Path(f"/proc/{process.pid}/status").read_text().partition("VmRSS:")[2].split()[0]
            finally:
                process.terminate()
        return {
            "served_s": round(served, 2),
            "first_ms": found["first"],
            "open_ms": median(found["open"]),
            "open_worst_ms": max(found["open"]),
            "all_ms": median(found["all"]),
            "all_worst_ms": max(found["all"]),
            "complete_s": round(found["complete"] / 1000 - started, 1),
            "rss_mib": int(memory) // 1024,
            "total": found["total"],
        }


def main() -> int:
    """Print each stage's figures, and write them all to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="*", type=int, default=[1_000, 100_000], help="finished sagas, rising")
    parser.add_argument("--open", type=int, default=1_000, help="sagas that wait")
    parser.add_argument("--times", type=int, default=7, help="loads of each list")
    options = parser.parse_args(
        namespace=argparse.Namespace(held=False, only_open=True, python=[], log_level="WARNING")
    )
    with tempfile.TemporaryDirectory(prefix="ordersaga-page-") as folder:
        bench = PageScale(options, Path(folder))
        asyncio.run(bench.run())
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(bench.rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
