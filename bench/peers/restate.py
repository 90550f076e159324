"""The orders on Restate: its server with its defaults, one process with the service, and a customer of its ingress."""

import json
import sys
from pathlib import Path

import aiohttp
import psutil

from bench.calls import Order
from bench.peers import restate_packages
from bench.stacks import Stack
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT
from dev.stack.ports import free_ports
from dev.stack.processes import Process, is_listening, wait_ready

SERVER, SERVICE = "restate-server", "restate service"


class Restate:
    """Both processes. Start them in the main thread only."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        """Fetches what is needed. Raises StackError when that can't be had."""
        program, packages = restate_packages.server(), restate_packages.packages()
        node, self._admin, ingress, service = free_ports(4)
        self.ingress, self._service_url = f"http://127.0.0.1:{ingress}", f"http://127.0.0.1:{service}"
        self.server = Process(
            SERVER,
            [
                *(program, "--no-logo", "--node-name", "bench", "--base-dir", folder / "data"),
                *("--bind-ip", "127.0.0.1", "--bind-port", str(node), "--listen-mode", "tcp"),
            ],
            log=folder / "restate-server.log",
            ready=lambda: all(is_listening(port) for port in (self._admin, ingress)),
            env={
                "RESTATE_ADMIN__BIND_PORT": str(self._admin),
                "RESTATE_INGRESS__BIND_PORT": str(ingress),
                "RESTATE_DISABLE_TELEMETRY": "true",
                "DO_NOT_TRACK": "1",
            },
            cwd=folder,
        )
        self.service = Process(
            SERVICE,
            [
                *(sys.executable, "-m", "hypercorn", "--worker-class", "uvloop"),
                *("--bind", f"127.0.0.1:{service}", "bench.peers.restate_app:app"),
            ],
            log=folder / "restate-service.log",
            ready=lambda: is_listening(service),
            env={
                "PYTHONPATH": f"{packages}:{CHECKOUT}",
                "BENCH_SERVICE_URLS": json.dumps(stack.urls),
                "BENCH_SERVICE_TOKENS": json.dumps(stack.tokens()),
            },
            cwd=CHECKOUT,
        )

    def roles(self) -> dict[str, psutil.Process]:
        """Both, for the measurement of their CPU."""
        return {each.name: psutil.Process(each.pid) for each in (self.service, self.server)}

    def start(self) -> None:
        """Start both, and wait until they are ready."""
        for process in (self.server, self.service):
            process.start()
        wait_ready([self.server, self.service])

    def stop(self) -> None:
        """End both."""
        for process in (self.server, self.service):
            process.ask_to_stop()
        for process in (self.server, self.service):
            process.wait_until_stopped()

    async def register(self) -> None:
        """Tell the server of the service. Raises StackError when it refuses."""
        url = f"http://127.0.0.1:{self._admin}/deployments"
        async with aiohttp.ClientSession() as http, http.post(url, json={"uri": self._service_url}) as answer:
            if answer.status >= 300:
                raise StackError(f"restate-server refused the service: {answer.status} {await answer.text()}")


class OnRestate:
    """The row: an order is a call of the ingress, answered when the order has ended."""

    repeated = 0

    def __init__(self, restate: Restate) -> None:
        self._http = aiohttp.ClientSession(
            restate.ingress,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def one(self, order: Order) -> str:
        """See `Row`."""
        body = {"order_id": order.order_id, "product": order.product, "declined": order.declined}
        key = {"Idempotency-Key": order.order_id}
        async with self._http.post("/Orders/place", json=body, headers=key) as answer:
            if answer.status != 200:
                raise RuntimeError(f"the ingress answered {answer.status}: {await answer.text()}")
            return str(await answer.json())

    async def close(self) -> None:
        """See `Row`."""
        await self._http.close()
