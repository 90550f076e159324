"""The customers: they place orders and act on them, and repeat requests that were not answered, as real clients do."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from common.identity.bearer import Bearers
from common.kube import AlreadyExists, KubeError, ObjectInvalid, ObjectNotFound, OrderSagas
from common.wire import Json
from dev.chaos.network.calls import CallLog
from dev.chaos.plan.orders import Order, UserAction
from dev.chaos.plan.seeded import between

FINAL_PHASES: Final = ("Completed", "Compensated")
CLIENT_SECONDS: Final = 12.0
"""A client's time-out: the order service calls other services and the API server before it answers."""
TRY_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
PAUSE: Final = (0.1, 1.2)
"""Seconds between two attempts of a client."""


@dataclass
class Promises:
    """The last answer to each request of one customer: HTTP status and problem code."""

    placed: tuple[int, str] | None = None
    cancelled: tuple[int, str] | None = None
    other_content: tuple[int, str] | None = None
    state_accepted: bool = False
    """The API server took `spec.state: Cancelled`."""
    deleted: bool = False


class Customers:
    """All customers of a run. Lives in one event loop."""

    def __init__(self, seed: int, url: str, sagas: OrderSagas, log: CallLog, bearers: Bearers) -> None:
        """`url`: of the order service, as clients reach it; `bearers`: what says there who they are."""
        self._seed = seed
        self._url = url
        self._sagas = sagas
        self._log = log
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(CLIENT_SECONDS))
        self._bearers = bearers
        self._pauses = 0
        self.promises: dict[str, Promises] = {}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def buy(self, order: Order) -> None:
        """Place the order; returns when it was answered."""
        promises = self.promises.setdefault(order.order_id, Promises())
        if order.by_kubernetes:
            promises.placed = await self._create(order)
        elif order.action is UserAction.TWICE:
            first, second = await asyncio.gather(self._place(order), self._place(order))
            promises.placed = max(first, second)
        else:
            promises.placed = await self._place(order)

    async def act(self, order: Order) -> None:
        """The action of the plan on this order; returns when it was answered."""
        if order.action in (UserAction.NONE, UserAction.TWICE):
            return
        await asyncio.sleep(order.action_after)
        promises, order_id = self.promises[order.order_id], order.order_id
        match order.action:
            case UserAction.CANCEL_REST:
                promises.cancelled = await self._post(order_id, f"/api/orders/{order_id}/cancel", None)
            case UserAction.CANCEL_SPEC:
                promises.state_accepted = await self._set_state(order_id, "Cancelled")
            case UserAction.OTHER_CONTENT:
                other = {**order.content, "items": [{**line, "quantity": 9} for line in order.content["items"]]}
                promises.other_content = await self._post(order_id, "/api/orders", other)
            case UserAction.SUSPEND:
                if await self._set_state(order_id, "Suspended"):
                    await asyncio.sleep(between(0, 1, self._seed, order_id, "suspended"))
                    await self._set_state(order_id, "Active")
            case UserAction.DELETE | UserAction.RECREATE:
                promises.deleted = await self._delete(order_id)
                if order.action is UserAction.RECREATE:
                    await self._create(order, again=True)

    async def _place(self, order: Order) -> tuple[int, str]:
        return await self._post(order.order_id, "/api/orders", order.posted())

    async def _post(self, order_id: str, path: str, body: Json | None) -> tuple[int, str]:
        """Repeat the request under one key until there is a final answer."""
        key = f"{order_id}{'' if body is None else body['items'][0]['quantity']}"
        while True:
            try:
                headers = {"Idempotency-Key": key, **self._bearers.headers("order")}
                async with self._http.post(self._url + path, json=body, headers=headers) as answer:
                    answered: Json = await answer.json(content_type=None)
                    if answer.status not in TRY_AGAIN:
                        code = str(answered.get("code") or "")
                        self._log.note(order_id, f"client: POST {path} was answered {answer.status} {code}".rstrip())
                        return answer.status, code
                    self._log.note(order_id, f"client: POST {path} {answer.status}: {answered.get('detail')}")
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                self._log.note(order_id, f"client: POST {path} was not answered: {type(error).__name__}")
            await self._pause(order_id)

    async def _create(self, order: Order, *, again: bool = False) -> tuple[int, str]:
        """As `kubectl apply` does. `again`: after a deletion, as soon as the name is free."""
        name, tries = order.order_id, 0
        while True:
            tries += 1
            try:
                await self._sagas.create({"metadata": {"name": name}, "spec": order.spec()})
            except AlreadyExists:
                if not again:
                    break  # an earlier try of ours
                if not await self._is_leaving(name):
                    return 409, "exists"
            except ObjectInvalid as error:
                return 422, str(error)
            except KubeError as error:
                self._log.note(name, f"client: create: {error}")
            else:
                break
            await self._pause(name)
        self._log.note(name, f"client: {'re-' if again else ''}created the resource (attempt {tries})")
        return 202, ""

    async def _is_leaving(self, name: str) -> bool:
        try:
            return bool((await self._sagas.get(name))["metadata"].get("deletionTimestamp"))
        except KubeError:
            return True  # the resource has gone since, or it isn't known whether the request arrived: try again

    async def _set_state(self, name: str, state: str) -> bool:
        """Whether the API server accepted it, which it doesn't for a saga that has ended or is gone."""
        while True:
            try:
                await self._sagas.patch(name, {"spec": {"state": state}})
            except (ObjectNotFound, ObjectInvalid) as error:
                self._log.note(name, f"client: spec.state {state} was refused: {error.message[:80]}")
                return False
            except KubeError as error:
                self._log.note(name, f"client: spec.state {state}: {error}")
                await self._pause(name)
            else:
                self._log.note(name, f"client: spec.state {state} was accepted")
                return True

    async def _delete(self, name: str) -> bool:
        while True:
            try:
                resource = await self._sagas.get(name)
                metadata = resource["metadata"]
                if not metadata.get("deletionTimestamp"):
                    await self._sagas.delete(name, metadata["uid"], metadata["resourceVersion"])
            except ObjectNotFound:
                self._log.note(name, "client: deleted, but it was gone")
                return True
            except KubeError as error:
                if error.reason != "Conflict":
                    self._log.note(name, f"client: delete: {error}")
                await self._pause(name)
            else:
                self._log.note(name, "client: deleted the resource")
                return True

    async def _pause(self, name: str) -> None:
        self._pauses += 1
        await asyncio.sleep(between(*PAUSE, self._seed, name, "pause", self._pauses))


async def live_sagas(sagas: OrderSagas) -> dict[str, Any]:
    """The sagas that have not ended, by name. Raises KubeError."""
    selector = ",".join(f"status.phase!={phase}" for phase in FINAL_PHASES)
    found = {}
    async for page in sagas.list(field_selector=selector):
        found.update({item["metadata"]["name"]: item for item in page.items})
    return found
