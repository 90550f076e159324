"""What 100,000 finished sagas and 10,000 waiting ones cost, and how fast a restart is: `make bench-scale`.

A real etcd, a real kube-apiserver and the real operator process; bench/participants.py stands in for the services, and
inventory answers 503. One finished and one waiting resource are made by the operator itself; the others are stored in
etcd as copies of these two.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bench.apiserver import ApiServer
from bench.calls import COMPLETED, NAMESPACE
from bench.cases import PRODUCTS
from bench.load import closed_loop
from bench.operator_alone import OperatorAlone, say, usage
from bench.participants import Participants
from bench.rows import ByResource
from bench.stored import ApiCounters, Etcd
from common.kube import KubeClient, KubeError, OrderSagas
from common.order_saga import FINALIZER
from common.wire import Json
from dev.chaos.plan.orders import plain_order
from dev.setup.paths import STATE
from dev.stack.parts.control_plane import ControlPlane
from dev.stack.processes import wait_ready
from dev.stack.waiting import wait_until_async

DOWN = "inventory"
WEEK = 7 * 24 * 3600
OUT = STATE / "bench" / "scale.json"
CUSTOMERS = 32
"""Each waits for the end of one order before the next is placed."""
WARM_UP = 3.0
"""Seconds of load that don't count."""
LOOK = 0.25
"""Seconds between two looks at the memory of the process."""


class Answering(Participants):
    """They also say when they were first called."""

    called_at: float | None = None

    async def _answer(self, request: web.Request) -> web.Response:
        if self.called_at is None and "/archive" not in request.path and not request.path.endswith("/saga"):
            self.called_at = time.monotonic()
        if request.method == "PUT":  # the order service keeps the story
            return web.json_response({"uid": (await request.json())["uid"]})
        return await super()._answer(request)


class Scale:
    """One run."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._plane = ControlPlane(folder, fsync=False)
        self._participants = Answering(f"/{DOWN}/")
        self._alone = OperatorAlone(self._plane, folder)
        self.rows: list[dict[str, Any]] = []

    async def run(self) -> None:
        """All stages; the figures are in `rows`."""
        self._plane.start()
        wait_ready([self._plane.etcd, self._plane.apiserver])
        admin = self._plane.administrator
        admin.install(NAMESPACE)
        await self._participants.start()
        python, level = self._options.python, self._options.log_level
        # a container that begins again has its pod's name
        self._alone.prepare(
            self._participants.url, python=python, ORDERSAGA_LOG_LEVEL=level, ORDERSAGA_IDENTITY="the-pod"
        )
        self._operator = self._alone.process
        session = aiohttp.ClientSession()
        admin.kubectl("create", "serviceaccount", "bench", "-n", NAMESPACE)
        account = f"--serviceaccount={NAMESPACE}:bench"
        admin.kubectl("create", "clusterrolebinding", "bench", "--clusterrole=cluster-admin", account)
        token = admin.kubectl("create", "token", "bench", "-n", NAMESPACE).stdout.strip()
        self._counters = ApiCounters(self._plane.url, session, token)
        self._etcd = Etcd(self._plane.etcd.url, NAMESPACE, session)
        client = KubeClient.from_config(admin.kubeconfig, user_agent="bench")
        self._sagas = OrderSagas(client, NAMESPACE)
        try:
            await self._make_templates()
            finished = 0
            for stage in self._options.stages:
                before = await self._etcd.sizes()
                names = (f"f-{number:08}" for number in range(finished, stage))
                await self._etcd.put(self._finished, names, finalizer=self._options.held, created=time.time() - 90_000)
                after = await self._etcd.sizes()
                each = (after[1] - before[1]) * 2**20 / max(1, stage - finished)
                finished = stage
                say(f"{finished} finished: {each:.0f} bytes each in etcd")
                if not self._options.only_open:
                    await self._stage(finished, 0, each)
                await self._stage(finished, self._options.open, each)
            base = {row["finished"]: row for row in self.rows if not row["open"]}
            for row in self.rows:
                if row["open"] and row["finished"] in base:
                    more = row["rss"] - base[row["finished"]]["rss"]
                    row["kib_per_waiting"] = more * 1024 / row["open"]
                    say(f"{row['finished']} finished: {row['kib_per_waiting']:.1f} KiB per waiting saga")
        finally:
            self._operator.stop()
            await self._participants.stop()
            await session.close()
            await client.aclose()
            self._plane.stop()

    async def _make_templates(self) -> None:
        """Let the operator end one saga and wait for another."""
        self._participants.down = False
        self._participants.come_back()
        self._operator.start()
        await self._sagas.create(_saga("template-finished"))
        await self._shows("template-finished", lambda status: status.get("phase") == "Completed")
        await wait_until_async("its finalizer to be taken off", self._is_released, 60)
        self._participants.down = True
        for number in range(5):  # so many until it counts as down
            await self._sagas.create(_saga(f"template-open-{number}"))
        await self._shows(
            "template-open-0",
            lambda status: "WaitingForDownstream" in {each["type"] for each in status.get("conditions") or ()},
        )
        self._operator.kill()
        self._finished = await self._etcd.stored("template-finished")
        self._waiting = await self._etcd.stored("template-open-0")
        say(f"stored: {len(self._finished)} bytes of a finished one, {len(self._waiting)} of one that waits")
        await self._clear()

    async def _is_released(self) -> bool:
        return not (await self._sagas.get("template-finished"))["metadata"].get("finalizers")

    async def _shows(self, name: str, look: Any) -> None:
        async def seen() -> bool:
            return bool(look((await self._sagas.get(name)).get("status") or {}))

        await wait_until_async(f"{name} as it is to be", seen, 60)

    async def _open(self, number: int) -> None:
        names = (f"o-{each:08}" for each in range(number))
        await self._etcd.put(self._waiting, names, finalizer=True, created=time.time() - 60)

    async def _clear(self) -> None:
        """Take away all but the finished ones, straight from etcd: no saga is to be ended for it."""
        for first in ("o-", "t-", "template-"):
            await self._etcd.remove(first)

    async def _stage(self, finished: int, opened: int, bytes_each: float) -> None:
        row: dict[str, Any] = {"finished": finished, "open": opened, "etcd_bytes": bytes_each}
        row["held"] = self._options.held
        self.rows.append(row)
        await self._open(opened)
        await self._until_cached()
        await self._measure(row, opened)
        if not opened:
            await self._load(row)
        say(json.dumps({k: round(v, 2) if isinstance(v, float) else v for k, v in row.items()}))
        self._operator.kill()
        await self._clear()

    async def _load(self, row: dict[str, Any]) -> None:
        """Orders by resource, as fast as they end, while all services answer at once."""
        parts = {"operator": self._operator, "server": self._plane.apiserver}
        self._participants.come_back()
        api = ApiServer(self._plane.administrator.kubeconfig)
        try:
            for seconds in (WARM_UP, self._options.load):
                before = {name: usage(part).cpu for name, part in parts.items()}
                loaded = await closed_loop(
                    ByResource(api).one, in_flight=CUSTOMERS, seconds=seconds, prefix="t", products=PRODUCTS
                )
                spent = {name: usage(part).cpu - before[name] for name, part in parts.items()}
        finally:
            await api.close()
            self._participants.down = True
        ended = list(loaded.phases.values()).count(COMPLETED)
        if loaded.errors or ended < len(loaded.expected):
            say(f"WRONG: {ended} of {len(loaded.expected)} orders completed; {loaded.errors[:3]}")
        row["rate"], row["p50"] = loaded.rate, loaded.p50
        row["cpu_ms_per_saga"] = {name: 1000 * used / max(1, ended) for name, used in spent.items()}

    async def _measure(self, row: dict[str, Any], opened: int) -> None:
        """A restart until all are taken in, and what the operator needs at rest."""
        self._participants.called_at = None
        counted, server = await self._counters.read(), usage(self._plane.apiserver)
        started = time.monotonic()
        self._operator.start()
        ready = None
        until = started + self._options.patience
        while time.monotonic() < until:
            await asyncio.sleep(LOOK)
            metrics = await self._alone.metrics()
            if metrics.get("ordersaga_leader") and metrics.get("ordersaga_sagas", 0) >= opened:
                ready = time.monotonic()
                break
        row["first_call"] = None if self._participants.called_at is None else self._participants.called_at - started
        row["taken_in"] = None if ready is None else ready - started
        row["cpu_taken_in"] = usage(self._operator).cpu
        row["server_cpu_taken_in"] = usage(self._plane.apiserver).cpu - server.cpu
        now = await self._counters.read()
        row["taking_in"] = {key: now[key] - counted.get(key, 0) for key in now if key != "at"}
        await asyncio.sleep(self._options.settle)
        counted, before, server = await self._counters.read(), usage(self._operator), usage(self._plane.apiserver)
        await asyncio.sleep(self._options.rest)
        after, more, server_after = usage(self._operator), await self._counters.read(), usage(self._plane.apiserver)
        minutes = (after.at - before.at) / 60
        row["rss"], row["peak"] = after.rss, after.peak
        row["cpu_minute"] = (after.cpu - before.cpu) / minutes
        row["server_cpu_minute"] = (server_after.cpu - server.cpu) / minutes
        row["at_rest"] = {key: (more[key] - counted.get(key, 0)) / minutes for key in more if key != "at"}
        row["etcd_file"], row["etcd_used"] = await self._etcd.sizes()
        row["server_rss"] = server_after.rss

    async def _until_cached(self) -> None:
        """Begin the API server anew: its memory lags behind what is put into etcd without it, for minutes."""
        self._plane.apiserver.stop()
        self._plane.apiserver.start()
        wait_ready([self._plane.apiserver])
        version = await self._etcd.version()

        async def seen() -> bool:
            # one without a limit: others are read from etcd while the memory isn't filled
            from_memory = {"resourceVersion": version, "resourceVersionMatch": "NotOlderThan"}
            try:
                await self._sagas.client.get(self._sagas.path, from_memory | {"fieldSelector": "metadata.name=none"})
            except KubeError:
                return False
            return True

        await wait_until_async("all in the API server's memory", seen, 300, pause_seconds=1)


def _saga(name: str) -> Json:
    return {
        "metadata": {"name": name, "finalizers": [FINALIZER]},
        "spec": {**plain_order(name).spec(), "activeDeadlineSeconds": 864_000, "ttlSecondsAfterFinished": WEEK},
    }


def main() -> int:
    """Print each stage's figures, and write them all to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="*", type=int, default=[1_000, 10_000, 100_000], help="finished sagas, rising")
    parser.add_argument("--open", type=int, default=10_000, help="sagas that wait")
    parser.add_argument("--held", action="store_true", help="finished ones have our finalizer, as after a busy day")
    parser.add_argument("--only-open", action="store_true", help="don't measure without open ones first")
    parser.add_argument("--settle", type=float, default=15.0, help="seconds before the time at rest")
    parser.add_argument("--rest", type=float, default=30.0, help="seconds at rest")
    parser.add_argument("--load", type=float, default=10.0, help="seconds of orders, beside the finished ones alone")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds for taking all in")
    parser.add_argument("--log-level", default="WARNING")
    parser.add_argument("--python", nargs="*", default=[], help="options of the operator's Python")
    parser.add_argument("--out", type=Path, default=None, help=f"a file for the figures (JSON); otherwise {OUT.name}")
    options = parser.parse_args()
    out: Path = options.out or OUT.with_stem(OUT.stem + "-held" * options.held)
    bench = Scale(options, Path(tempfile.mkdtemp(prefix="ordersaga-scale-")))
    asyncio.run(bench.run())
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(bench.rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
