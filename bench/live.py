"""What live sagas cost while a participant is down, and how it is called once it is back: `make bench-live`.

A real etcd, a real kube-apiserver and the real operator process; bench/participants.py stands in for the services.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.calls import NAMESPACE
from bench.operator_alone import OperatorAlone, say, usage
from bench.participants import Participants
from common.kube import KubeClient, KubeError, OrderSagas
from common.order_saga import FINALIZER
from common.wire import Json
from dev.chaos.plan.orders import plain_order
from dev.setup.errors import StackError
from dev.stack.parts.control_plane import ControlPlane
from dev.stack.processes import wait_ready
from dev.stack.waiting import wait_until_async
from saga_operator.settings import Settings

DOWN = "inventory"
BUDGET = 3
"""Attempts of each step: few, so that an attempt that is counted wrongly shows at once."""
CREATORS = 32
QUIET_SECONDS = 10.0
"""Without a status write; then everything has been recorded."""


class Bench:
    """One run."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._plane = ControlPlane(folder, fsync=False)
        self._participants = Participants(f"/{DOWN}/")
        self._alone = OperatorAlone(self._plane, folder)
        self._made = 0
        self._base = 0.0
        self.findings: list[str] = []

    async def run(self) -> None:
        """All stages; what is wrong is in `findings` afterwards."""
        self._plane.start()
        wait_ready([self._plane.etcd, self._plane.apiserver])
        self._plane.administrator.install(NAMESPACE)
        await self._participants.start()
        self._alone.prepare(self._participants.url)
        self._operator = self._alone.process
        client = KubeClient.from_config(self._plane.administrator.kubeconfig, user_agent="bench")
        self._sagas = OrderSagas(client, NAMESPACE)
        try:
            self._operator.start()
            await self._until("the operator to lead", lambda metrics: metrics.get("ordersaga_leader", 0) == 1)
            self._base = usage(self._operator).rss
            say(f"operator without sagas: {self._base:.0f} MiB")
            for stage in self._options.stages:
                await self._stage(stage)
            await self._measure_outage()
            await self._check_attempts()
            await self._restart()
            await self._recovery()
        finally:
            self._operator.stop()
            await self._participants.stop()
            await client.aclose()
            self._plane.stop()

    async def _stage(self, total: int) -> None:
        started = time.monotonic()
        numbers = iter(range(self._made, total))

        async def create() -> None:
            for number in numbers:
                await _insist(self._sagas, _saga(f"o-{number:06}"))

        async with asyncio.TaskGroup() as group:
            for _ in range(CREATORS):
                group.create_task(create())
        self._made = total
        created = time.monotonic() - started
        await self._until_taken_up()
        await self._until_quiet()
        took = time.monotonic() - started
        say(f"{total} live sagas: created in {created:.0f} s, all recorded as waiting after {took:.0f} s")
        self._memory()

    def _memory(self) -> None:
        now = usage(self._operator)
        each = (now.rss - self._base) * 1000 / self._made
        server, etcd = usage(self._plane.apiserver), usage(self._plane.etcd)
        say(
            f"  operator {now.rss:.0f} MiB, peak {now.peak:.0f} MiB, CPU {now.cpu:.0f} s:"
            f" {each:.1f} MiB per 1000 live sagas; API server {server.rss:.0f} MiB, CPU {server.cpu:.0f} s;"
            f" etcd {etcd.rss:.0f} MiB"
        )

    async def _measure_outage(self) -> None:
        """Measure what the outage costs while nothing changes."""
        before, writes = (usage(self._operator), usage(self._plane.apiserver)), await self._writes()
        await asyncio.sleep(self._options.quiet)
        after, more = (usage(self._operator), usage(self._plane.apiserver)), await self._writes() - writes
        cores = [(b.cpu - a.cpu) / (b.at - a.at) for a, b in zip(before, after, strict=True)]
        say(
            f"{self._options.quiet:.0f} s of outage with {self._made}: operator {cores[0]:.2f} cores,"
            f" API server {cores[1]:.2f} cores, {more:.0f} status writes; {self._participants.refused} calls so far"
        )
        if more > self._made / 100:
            self.findings.append(f"{more:.0f} status writes while nothing happened")
        self._memory()

    async def _check_attempts(self) -> None:
        """No saga has spent its attempts on the outage, and each shows the condition WaitingForDownstream."""
        spent = silent = listed = 0
        async for page in self._sagas.list():
            for saga in page.items:
                status = saga.get("status") or {}
                listed += 1
                steps = {step["name"]: step for step in status.get("steps") or ()}
                spent += bool(status.get("failure")) or steps.get(DOWN, {}).get("attempts", 0) >= BUDGET
                silent += "WaitingForDownstream" not in {each["type"] for each in status.get("conditions") or ()}
        say(f"{listed} listed: {spent} with a spent budget, {silent} that don't show WaitingForDownstream")
        if spent or listed != self._made:
            self.findings.append(f"{spent} budgets were spent, {listed} of {self._made} are there")
        if silent:
            self.findings.append(f"{silent} don't show that they wait")

    async def _restart(self) -> None:
        """Kill the operator and start it again: it takes up all sagas from the list alone."""
        self._operator.kill()
        started = time.monotonic()
        self._operator.start()
        await self._until_taken_up()
        say(f"killed and started again: all {self._made} taken up {time.monotonic() - started:.0f} s after the start")
        await self._until_quiet()
        self._memory()

    async def _recovery(self) -> None:
        back = self._participants.come_back()
        await asyncio.sleep(self._options.drain)
        seconds = [back.by_second.get(second, 0) for second in range(int(self._options.drain))]
        say(
            f"{DOWN} is back: {back.answered} calls in {self._options.drain:.0f} s,"
            f" {back.most_in_flight} at most at once"
        )
        say(f"  answered by second: {' '.join(map(str, seconds))}")
        self._memory()
        if back.most_in_flight > Settings().max_calls_per_participant:
            self.findings.append(f"{back.most_in_flight} calls in flight")
        if back.too_fast:
            self.findings.append(f"{back.too_fast} calls began with more in flight than had been answered: no ramp")
        if not back.answered:
            self.findings.append(f"{DOWN} was not called again")
        if not self._operator.running():
            self.findings.append(f"the operator {self._operator.how_it_ended()}")

    async def _until_taken_up(self) -> None:
        made = self._made
        await self._until(f"{made} sagas at work", lambda metrics: metrics.get("ordersaga_sagas", 0) >= made)

    async def _until_quiet(self) -> None:
        """Wait until nothing has been written for ten seconds, at most for the patience of a stage."""
        writes, since = await self._writes(), time.monotonic()
        until = since + self._options.patience
        while time.monotonic() < min(since + QUIET_SECONDS, until):
            await asyncio.sleep(1)
            if (now := await self._writes()) != writes:
                writes, since = now, time.monotonic()
        if time.monotonic() >= until:
            self.findings.append(f"with {self._made} sagas the writes did not end")

    async def _writes(self) -> float:
        return (await self._alone.metrics()).get("ordersaga_api_writes_total", 0)

    async def _until(self, what: str, look: Callable[[dict[str, float]], bool]) -> None:
        async def seen() -> bool:
            if not self._operator.running():
                raise StackError(f"the operator {self._operator.how_it_ended()}; see {self._operator.log}")
            return look(await self._alone.metrics())

        await wait_until_async(what, seen, self._options.patience, pause_seconds=0.5)


async def _insist(sagas: OrderSagas, body: Json) -> None:
    while True:
        try:
            await sagas.create(body)
        except KubeError as error:
            if error.status == 409:
                return
            if error.status not in (0, 429, 500, 503, 504):
                raise
            await asyncio.sleep(error.retry_after or 0.5)
        else:
            return


def _saga(name: str) -> Json:
    return {
        "metadata": {"name": name, "finalizers": [FINALIZER]},
        "spec": {
            **plain_order(name).spec(),
            "activeDeadlineSeconds": 86_400,
            "retry": {"maxAttempts": BUDGET, "initialBackoffSeconds": 1, "maxBackoffSeconds": 1},
        },
    }


def main() -> int:
    """Exit status 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="*", type=int, default=[10_000, 25_000, 50_000], help="live sagas, rising")
    parser.add_argument("--quiet", type=float, default=120.0, help="seconds of outage that are measured")
    parser.add_argument("--drain", type=float, default=60.0, help="seconds measured once the participant is back")
    parser.add_argument("--patience", type=float, default=1800.0, help="seconds that a stage may take")
    bench = Bench(parser.parse_args(), Path(tempfile.mkdtemp(prefix="ordersaga-live-")))
    asyncio.run(bench.run())
    for finding in bench.findings:
        say(f"WRONG: {finding}")
    return 1 if bench.findings else 0


if __name__ == "__main__":
    sys.exit(main())
