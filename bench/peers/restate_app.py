"""The orders as a Restate service: each call is a durable step (`ctx.run`). Served by hypercorn, see `restate.py`.

Runs with Restate's packages in front of ours: it needs nothing of this project but `bench.calls`.
"""

import json
import os
from typing import Any

import restate  # type: ignore[import-not-found]

from bench.calls import Call, Caller, Order, carry_out

URLS = json.loads(os.environ["BENCH_SERVICE_URLS"])
TOKENS = json.loads(os.environ["BENCH_SERVICE_TOKENS"])
orders = restate.Service("Orders")
_callers: list[Caller] = []


def _caller() -> Caller:
    """One pool of connections, made when the event loop runs."""
    if not _callers:
        _callers.append(Caller(URLS, TOKENS))
    return _callers[0]


@orders.handler()  # type: ignore[untyped-decorator]
async def place(ctx: restate.Context, wanted: dict[str, Any]) -> str:
    """Carry out one order; the phase in which it has ended."""

    async def make(call: Call, order: Order) -> bool:
        done: bool = await ctx.run_typed(call.key, _caller().make, call=call, order=order)
        return done

    return await carry_out(Order(**wanted), make)


app = restate.app(services=[orders])
