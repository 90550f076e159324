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

from bench.live import usage
from bench.participants import Participants
from bench.stored import ApiCounters, Etcd
from common.kube import KubeClient, KubeError, OrderSagas
from common.order_saga import FINALIZER
from common.wire import Json
from dev.chaos.plan.orders import plain_order
from dev.stack.parts.control_plane import ControlPlane
from dev.stack.processes import Process, free_port, wait_ready
from dev.stack.waiting import wait_until_async

NAMESPACE = "shop"
DOWN = "inventory"
WEEK = 7 * 24 * 3600
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
        self._options, self._folder = options, folder
        self._plane = ControlPlane(folder, fsync=False)
        self._participants = Answering(f"/{DOWN}/")
        self._port = free_port()
        self.rows: list[dict[str, Any]] = []

    async def run(self) -> None:
        """All stages; the figures are in `rows`."""
        self._plane.start()
        wait_ready([self._plane.etcd, self._plane.apiserver])
        admin = self._plane.administrator
        admin.install(NAMESPACE)
        await self._participants.start()
        self._operator = self._process()
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
                _say(f"{finished} finished: {each:.0f} bytes each in etcd")
                if not self._options.only_open:
                    await self._measure(finished, 0, each)
                await self._open(self._options.open)
                await self._measure(finished, self._options.open, each)
                await self._clear()
            base = {row["finished"]: row for row in self.rows if not row["open"]}
            for row in self.rows:
                if row["open"] and row["finished"] in base:
                    more = row["rss"] - base[row["finished"]]["rss"]
                    row["kib_per_waiting"] = more * 1024 / row["open"]
                    _say(f"{row['finished']} finished: {row['kib_per_waiting']:.1f} KiB per waiting saga")
        finally:
            self._operator.stop()
            await self._participants.stop()
            await session.close()
            await client.aclose()
            self._plane.stop()

    def _process(self) -> Process:
        kubeconfig = self._plane.administrator.identity("ordersaga-operator", NAMESPACE, self._folder)
        names = ("ORDER", "INVENTORY", "PAYMENT", "SHIPPING", "NOTIFICATION")
        env = {f"ORDERSAGA_{name}_URL": self._participants.url for name in names} | {
            "KUBECONFIG": str(kubeconfig),
            "ORDERSAGA_NAMESPACE": NAMESPACE,
            "ORDERSAGA_HEALTH_PORT": str(self._port),
            "ORDERSAGA_LOG_LEVEL": self._options.log_level,
            "ORDERSAGA_IDENTITY": "the-pod",  # a container that begins again has its pod's name
        }
        command = [sys.executable, *self._options.python, "-m", "saga_operator"]
        return Process("operator", command, log=self._folder / "operator.log", ready=lambda: True, env=env)

    async def _make_templates(self) -> None:
        """Let the operator end one saga and wait for another."""
        self._participants.down = False
        self._participants.come_back()
        self._operator.start()
        await self._sagas.create(_saga("template-finished"))
        await self._shows("template-finished", lambda status: status.get("phase") == "Completed")
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
        _say(f"stored: {len(self._finished)} bytes of a finished one, {len(self._waiting)} of one that waits")
        await self._clear()

    async def _shows(self, name: str, look: Any) -> None:
        async def seen() -> bool:
            return bool(look((await self._sagas.get(name)).get("status") or {}))

        await wait_until_async(f"{name} as it is to be", seen, 60)

    async def _open(self, number: int) -> None:
        names = (f"o-{each:08}" for each in range(number))
        await self._etcd.put(self._waiting, names, finalizer=True, created=time.time() - 60)

    async def _clear(self) -> None:
        """Take what is open away, straight from etcd: no saga is to be ended for it."""
        for first in ("o-", "template-"):
            await self._etcd.remove(first)

    async def _measure(self, finished: int, opened: int, bytes_each: float) -> None:
        row: dict[str, Any] = {"finished": finished, "open": opened, "etcd_bytes": bytes_each}
        self.rows.append(row)
        await self._until_cached()
        self._participants.called_at = None
        counted, server = await self._counters.read(), usage(self._plane.apiserver)
        started = time.monotonic()
        self._operator.start()
        ready = None
        until = started + self._options.patience
        while time.monotonic() < until:
            await asyncio.sleep(LOOK)
            metrics = await self._metrics()
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
        _say(json.dumps({k: round(v, 2) if isinstance(v, float) else v for k, v in row.items()}))
        self._operator.kill()

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

    async def _metrics(self) -> dict[str, float]:
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


def _saga(name: str) -> Json:
    return {
        "metadata": {"name": name, "finalizers": [FINALIZER]},
        "spec": {**plain_order(name).spec(), "activeDeadlineSeconds": 864_000, "ttlSecondsAfterFinished": WEEK},
    }


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main() -> int:
    """Print each stage's figures, and write them all to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="*", type=int, default=[1_000, 10_000, 100_000], help="finished sagas, rising")
    parser.add_argument("--open", type=int, default=10_000, help="sagas that wait")
    parser.add_argument("--held", action="store_true", help="finished ones have our finalizer, as after a busy day")
    parser.add_argument("--only-open", action="store_true", help="don't measure without open ones first")
    parser.add_argument("--settle", type=float, default=20.0, help="seconds before the minute at rest")
    parser.add_argument("--rest", type=float, default=60.0, help="seconds at rest")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds for taking all in")
    parser.add_argument("--log-level", default="WARNING")
    parser.add_argument("--python", nargs="*", default=[], help="options of the operator's Python")
    parser.add_argument("--out", type=Path, default=None, help="a file for the figures (JSON)")
    options = parser.parse_args()
    bench = Scale(options, Path(tempfile.mkdtemp(prefix="ordersaga-scale-")))
    asyncio.run(bench.run())
    if options.out:
        options.out.write_text(json.dumps(bench.rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
