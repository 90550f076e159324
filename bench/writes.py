"""What each kind of write costs the API server, by the size of the resource: `make bench-writes`.

A real etcd and kube-apiserver with our definition, nothing else; 16 writers. CPU is that of both processes, without
what they need when nothing happens.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.apiserver import SAGAS, ApiServer, resource_of
from bench.calls import Order, product
from bench.table import as_text
from bench.usage import cpu_of, spent
from common.order_saga import API_VERSION, KIND
from dev.setup.errors import StackError, exit_status
from dev.setup.paths import STATE
from dev.stack.parts.control_plane import ControlPlane
from dev.stack.processes import wait_ready

RESULTS = STATE / "bench" / "writes.json"
WRITERS = 16
IDLE_SECONDS = 5.0
TIME = "2026-11-29T08:00:00.000000Z"
STEPS = ("order", "inventory", "payment", "shipping", "confirmation", "notification")
MERGE = {"Content-Type": "application/merge-patch+json"}
Json = dict[str, Any]


def names_alone(name: str) -> Json:
    """The least that an entry of a step can say."""
    return {"name": name, "state": "Succeeded"}


def with_times(name: str) -> Json:
    """With attempts, both times and the service's own id."""
    times = {"startTime": TIME, "completionTime": TIME}
    return {**names_alone(name), "attempts": 1, "externalID": f"{name}-0123456789abcdef", **times}


def with_history(name: str) -> Json:
    """With an entry for the call as well."""
    call = {"time": TIME, "operation": "do", "outcome": "Succeeded", "milliseconds": 12}
    return {**with_times(name), "history": [call]}


def with_message(name: str) -> Json:
    """With a long message: a participant's own words."""
    return {**with_times(name), "reason": "Unavailable", "message": "no answer. " * 90}


SHAPES = (names_alone, with_times, with_history, with_message)


def status(shape: Callable[[str], Json], steps: int, *, finished: bool = False) -> Json:
    """A status with so many steps, and conditions as they are shown during and after a saga."""
    conditions = [
        {
            "type": kind,
            "status": "True" if finished and kind in ("Ready", "Succeeded") else "False" if finished else "Unknown",
            "observedGeneration": 1,
            "lastTransitionTime": TIME,
            "reason": "Completed" if finished else "StepInProgress",
            "message": "all steps are done" if finished else f"{steps} steps are done",
        }
        for kind in ("Ready", "Reconciling", "Stalled", "Succeeded")
    ]
    return {
        "observedGeneration": 1,
        "phase": "Completed" if finished else "Running",
        "stepsSummary": f"{steps}/6",
        "startTime": TIME,
        **({"completionTime": TIME} if finished else {}),
        "steps": [shape(name) for name in STEPS[:steps]],
        "conditions": conditions,
    }


@dataclass
class Costs:
    """What was measured: a line for each kind of write."""

    api: ApiServer
    parts: dict[str, psutil.Process]
    count: int
    idle: dict[str, float] = field(default_factory=dict)
    lines: list[Json] = field(default_factory=list)
    versions: dict[str, Json] = field(default_factory=dict)
    """What a write says of the version that it replaces."""

    async def measure_idle(self) -> None:
        """CPU seconds in each second in which nothing happens."""
        before = cpu_of(self.parts)
        await asyncio.sleep(IDLE_SECONDS)
        self.idle = {role: used / IDLE_SECONDS for role, used in spent(before, cpu_of(self.parts)).items()}

    async def write(self, kind: str, shape: str, names: list[str], send: Callable[[str], Awaitable[int]]) -> None:
        """Make one write to each of these resources, and keep what it cost."""
        waiting = iter(names)
        sizes: list[int] = []

        async def writer() -> None:
            for name in waiting:
                sizes.append(await send(name))

        loop = asyncio.get_running_loop()
        before, began = cpu_of(self.parts), loop.time()
        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(writer())
        seconds, used = loop.time() - began, spent(before, cpu_of(self.parts))
        each = {role: 1000 * max(0.0, used[role] - seconds * self.idle[role]) / len(names) for role in self.parts}
        self.lines.append(
            {"write": kind, "shape": shape, "bytes": round(sum(sizes) / len(sizes)), "writes": len(names), **each}
        )
        print(f"{kind}, {shape}: {each['kube-apiserver']:.2f} + {each['etcd']:.2f} ms", flush=True)

    async def run(self) -> None:
        """Every kind of write, for every shape of a step's entry."""
        for shape in SHAPES:
            words = shape.__name__.replace("_", " ")
            names = [f"w-{shape.__name__.replace('_', '-')}-{number}" for number in range(self.count)]
            await self.write("create", words, names, self._create)
            for steps in (1, 3, 6):
                await self.write(
                    f"status, {steps} step{'s' * (steps > 1)}", words, names, self._replace(status(shape, steps))
                )
            other = {"stepsSummary": "5/6"}
            await self.write("status, one field alone", words, names, self._replace({**status(shape, 6), **other}))
            await self.write("status, one field as a patch", words, names, self._patch({"stepsSummary": "4/6"}))
            finished = status(shape, 6, finished=True)
            await self.write("status, finished", words, names, self._replace(finished))
            await self.write("finalizer off", words, names, self._release)
            await self.write("delete", words, names, self._delete)

    async def _create(self, name: str) -> int:
        body = resource_of(Order(name, product(0), declined=False))
        return await self._send("POST", SAGAS, body, {})

    def _replace(self, status: Json) -> Callable[[str], Awaitable[int]]:
        async def send(name: str) -> int:
            body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": self.versions[name], "status": status}
            return await self._send("PUT", f"{SAGAS}/{name}/status", body, {})

        return send

    def _patch(self, status: Json) -> Callable[[str], Awaitable[int]]:
        async def send(name: str) -> int:
            return await self._send("PATCH", f"{SAGAS}/{name}/status", {"status": status}, MERGE)

        return send

    async def _release(self, name: str) -> int:
        return await self._send("PATCH", f"{SAGAS}/{name}", {"metadata": {"finalizers": None}}, MERGE)

    async def _delete(self, name: str) -> int:
        return await self._send("DELETE", f"{SAGAS}/{name}", None, {})

    async def _send(self, method: str, path: str, body: Json | None, headers: dict[str, str]) -> int:
        """One request; the size of the answer, which is the whole resource (after a delete a short message)."""
        async with self.api.http.request(method, path, json=body, headers=headers) as answer:
            text = await answer.read()
            if answer.status >= 300:
                raise StackError(f"{method} {path} was answered {answer.status}: {text.decode()[:500]}")
            if method in ("POST", "PUT", "PATCH"):
                metadata = json.loads(text)["metadata"]
                self.versions[metadata["name"]] = {key: metadata[key] for key in ("name", "uid", "resourceVersion")}
            return len(text)


async def measure(plane: ControlPlane, count: int) -> list[Json]:
    """All kinds of writes."""
    parts = {"kube-apiserver": psutil.Process(plane.apiserver.pid), "etcd": psutil.Process(plane.etcd.pid)}
    costs = Costs(ApiServer(plane.administrator.kubeconfig), parts, count)
    try:
        await costs.measure_idle()
        await costs.run()
    finally:
        await costs.api.close()
    return costs.lines


def table(lines: list[Json]) -> list[list[str]]:
    """A line for each kind of write, a column for each shape: CPU of API server and etcd, and the resource's size."""
    shapes = list(dict.fromkeys(line["shape"] for line in lines))
    cells = [["CPU ms (bytes)", *(f"steps: {shape}" for shape in shapes)]]
    for write in dict.fromkeys(line["write"] for line in lines):
        found = {line["shape"]: line for line in lines if line["write"] == write}
        cells.append([write])
        for shape in shapes:
            line = found[shape]
            size = f" ({line['bytes']})" if write != "delete" else ""
            cells[-1].append(f"{line['kube-apiserver'] + line['etcd']:.1f}{size}")
    return cells


def work(options: argparse.Namespace) -> int:
    """Bring up a control plane, measure, and take it down."""
    with tempfile.TemporaryDirectory(prefix="ordersaga-writes-") as folder, contextlib.ExitStack() as ending:
        plane = ControlPlane(Path(folder))
        ending.callback(plane.stop)
        plane.start()
        wait_ready([plane.etcd, plane.apiserver])
        plane.administrator.install("shop")
        if options.crds:
            plane.administrator.kubectl("apply", "--server-side", "--force-conflicts", "-f", options.crds)
        lines = asyncio.run(measure(plane, options.count))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(lines, indent=1) + "\n")
    print(f"\n{as_text(table(lines))}\n\nKept in {RESULTS}")
    return 0


def main() -> int:
    """Exit status 1 if a write is refused."""
    options = argparse.ArgumentParser(prog="make bench-writes", description=__doc__)
    options.add_argument("--count", type=int, default=300, help="writes of each kind (default 300)")
    options.add_argument("--crds", type=Path, metavar="FOLDER", help="another definition, such as another checkout's")
    return exit_status(lambda: work(options.parse_args()), interrupted="Interrupted: everything is ended.")


if __name__ == "__main__":
    sys.exit(main())
