"""How an order loses its OrderSaga, and how a test sees what becomes of it."""

import asyncio
import uuid
from typing import Any

import httpx

from common.shop.order_spec import spec_of
from services.order.models import EXAMPLE_CONTENT
from services.order.store import FIRST_OPERATOR
from services.order.tests.conftest import Cluster, Saga
from services.order.tests.test_clients import place

EPOCH = FIRST_OPERATOR + 7


async def lost_order(
    shop: httpx.AsyncClient, cluster: Cluster, order_id: str, *actions: str, epoch: int | None = EPOCH
) -> dict[str, Any]:
    """An order after these calls, without its resource; what that was."""
    assert (await place(shop, order_id=order_id)).status_code == 202
    for action in actions:
        assert (await Saga(shop, order_id)(action, epoch=epoch)).status_code == 200
    return cluster.lose(order_id)


async def metric(shop: httpx.AsyncClient, name: str, at_least: float) -> None:
    """Wait until the metric has this value."""
    async with asyncio.timeout(60):
        while True:
            lines = (await shop.get("/metrics")).text.splitlines()
            if any(float(line.rpartition(" ")[2]) >= at_least for line in lines if line.startswith(f"{name} ")):
                return
            await asyncio.sleep(0.1)


async def archive(
    shop: httpx.AsyncClient,
    order_id: str,
    day: int = 1,
    *,
    phase: str = "Compensated",
    namespace: str = "shop",
    uid: str | None = None,
    **change: Any,
) -> str:
    """Archive a saga that was made on that day; its uid."""
    uid = uid or str(uuid.uuid4())
    story = {
        "namespace": namespace,
        "uid": uid,
        "created_at": f"2026-11-{day:02}T12:00:00Z",
        "spec": spec_of(EXAMPLE_CONTENT | {"order_id": order_id} | change),
        "status": {"phase": phase},
    }
    kept = await shop.put(f"/api/orders/{order_id}/saga", json=story)
    assert kept.status_code == 200, kept.text
    return uid
