"""The API server of a stack, for a client that may do everything: its counters; resources made, watched and deleted.

The client has a token, as the pods of a cluster have. An administrator's client certificate is verified anew with each
request, which costs a twelfth of a create.
"""

import asyncio
import contextlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

from bench.calls import ADDRESS, CURRENCY, CUSTOMER, NAMESPACE, PRICE_MINOR, Order
from common.kube.config import load_access
from common.order_saga import API_VERSION, FINALIZER, KIND, PLURAL
from dev.setup.binaries import find
from dev.setup.errors import StackError
from dev.stack.parts.admin import Administrator
from dev.stack.waiting import wait_until_async

SAGAS = f"/apis/{API_VERSION}/namespaces/{NAMESPACE}/{PLURAL}"
TTL_SECONDS = 7 * 24 * 3600
CLIENT = "bench"
TERMINAL = ("Completed", "Compensated", "Failed")
_COUNTER = re.compile(r"apiserver_request_total\{(.*)\} (\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
KINDS = ("create", "status", "finalizer", "delete", "event")


class ApiServer:
    """One API server. Made inside a running event loop."""

    def __init__(self, kubeconfig: Path) -> None:
        """`kubeconfig` is an administrator's, who makes the client's."""
        access = load_access(_client_of(Administrator(find("kubectl"), kubeconfig)))
        self.http = aiohttp.ClientSession(
            access.server,
            connector=aiohttp.TCPConnector(limit=0, ssl=access.tls or True, keepalive_timeout=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Authorization": access.authorization or ""},
        )
        self._ends: dict[str, asyncio.Future[str]] = {}
        self.sizes: list[int] = []
        """Of the watch's events with which sagas have ended, in bytes."""
        self._watching: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()

    async def close(self) -> None:
        """End the watch and close the connections."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        await self.http.close()

    async def requests(self) -> Counter[str]:
        """How many requests of each kind it has answered since its start: on sagas, Events and Leases."""
        counted: Counter[str] = Counter()
        async with self.http.get("/metrics") as answer:
            answer.raise_for_status()
            text = await answer.text()
        for labels, value in _COUNTER.findall(text):
            if kind := kind_of(dict(_LABEL.findall(labels))):
                counted[kind] += round(float(value))
        return counted

    async def create(self, order: Order) -> None:
        """Create the resource of this order; again while the API server has too much to do."""
        while True:
            async with self.http.post(SAGAS, json=resource_of(order)) as answer:
                if answer.status not in (429, 503, 504):
                    if answer.status != 201:
                        raise RuntimeError(f"creating {order.order_id}: {answer.status} {await answer.text()}")
                    await answer.read()
                    return
            await asyncio.sleep(0.5)

    async def end_of(self, order: Order) -> asyncio.Future[str]:
        """Will hold the phase in which this order's saga ends. To be asked for before the order is placed."""
        async with self._beginning:  # all customers come at once
            if self._watching is None:
                self._watching = asyncio.create_task(self._watch(await self._version_now()))
        return self._ends.setdefault(order.order_id, asyncio.get_running_loop().create_future())

    async def remove_all(self, seconds: float = 120.0) -> int:
        """Delete all sagas, and wait until they are gone; how many are left."""
        async with self.http.delete(SAGAS) as answer:
            await answer.read()
        with contextlib.suppress(StackError):
            await wait_until_async("all sagas are gone", self._are_gone, seconds, pause_seconds=0.5)
        return await self._left()

    async def _are_gone(self) -> bool:
        return await self._left() == 0

    async def _left(self) -> int:
        async with self.http.get(SAGAS, params={"limit": "1"}) as answer:
            page = await answer.json()
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount") or 0)

    async def _version_now(self) -> str:
        async with self.http.get(SAGAS, params={"limit": "1"}) as answer:
            answer.raise_for_status()
            return str((await answer.json())["metadata"]["resourceVersion"])

    async def _list(self) -> str:
        async with self.http.get(SAGAS, params={"resourceVersion": "0"}) as answer:
            answer.raise_for_status()
            page = await answer.json()
        for resource in page["items"]:
            self._see(resource)
        return str(page["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> None:
        """See all ends. Never returns: it goes on with a watch that has ended."""
        while True:
            params = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "300"}
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                timeout = aiohttp.ClientTimeout(total=None)
                async with self.http.get(SAGAS, params=params, timeout=timeout, read_bufsize=2**20) as answer:
                    async for line in answer.content:
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            break
                        version = event["object"]["metadata"]["resourceVersion"]
                        if self._see(event["object"]):
                            self.sizes.append(len(line))
                    else:
                        continue
            version = await self._list()

    def _see(self, resource: dict[str, Any]) -> bool:
        """Whether somebody waits for the end of this saga, and it has ended."""
        phase = (resource.get("status") or {}).get("phase")
        if phase in TERMINAL and (end := self._ends.pop(resource["metadata"]["name"], None)) and not end.done():
            end.set_result(phase)
            return True
        return False


def _client_of(administrator: Administrator) -> Path:
    """A kubeconfig of a ServiceAccount that may do everything, beside the administrator's."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": CLIENT, "namespace": NAMESPACE}}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": CLIENT},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": CLIENT, "namespace": NAMESPACE}],
    }
    for document in (account, binding):
        administrator.kubectl("apply", "-f", "-", input=json.dumps(document))
    return administrator.identity(CLIENT, NAMESPACE, administrator.kubeconfig.parent)


def kind_of(labels: dict[str, str]) -> str:
    """What a request was; empty for one that doesn't count."""
    verb, resource, status = labels["verb"], labels["resource"], labels["subresource"] == "status"
    changed = verb in ("PATCH", "PUT", "APPLY")
    if resource == PLURAL:
        if changed:
            return "status" if status else "finalizer"
        return {"POST": "create", "DELETE": "delete", "LIST": "list", "GET": "get", "WATCH": "watch"}.get(verb, "")
    if resource == "events" and (changed or verb == "POST"):
        return "event"
    return "lease" if resource == "leases" and (changed or verb == "POST") else ""


def resource_of(order: Order) -> dict[str, Any]:
    """The OrderSaga of this order, as the order service makes it."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": order.order_id, "finalizers": [FINALIZER]},
        "spec": {
            "orderID": order.order_id,
            "customerID": CUSTOMER,
            "currency": CURRENCY,
            "items": [{"productID": order.product, "quantity": 1, "unitPriceMinor": PRICE_MINOR}],
            "payment": {"methodRef": order.method},
            "shipTo": {"addressRef": ADDRESS},
            "ttlSecondsAfterFinished": TTL_SECONDS,
        },
    }
