"""The classic coordinator: a saga document in MongoDB, saved after each step. Naive: nothing goes on after a crash."""

from typing import Any

from pymongo import AsyncMongoClient

from bench.calls import Call, Caller, Order, carry_out
from bench.stacks import Stack


class Coordinator:
    """Runs in the process that makes the load."""

    def __init__(self, stack: Stack) -> None:
        self._call = Caller(stack.urls, stack.tokens())
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(stack.mongodb_url)
        self._sagas = self._client["bench_coordinator"]["sagas"]

    @property
    def repeated(self) -> int:
        """See `Row`."""
        return self._call.repeated

    async def one(self, order: Order) -> str:
        """Carry out one order; the document is written when it begins, after each call, and at its end."""
        document = {"_id": order.order_id, "product": order.product, "method": order.method}
        await self._sagas.insert_one({**document, "phase": "Running", "steps": []})

        async def keep(call: Call) -> None:
            await self._sagas.update_one({"_id": order.order_id}, {"$push": {"steps": call.key}})

        phase = await carry_out(order, self._call.make, keep)
        await self._sagas.update_one({"_id": order.order_id}, {"$set": {"phase": phase}})
        return phase

    async def close(self) -> None:
        """Close the connections."""
        await self._call.close()
        await self._client.close()
