"""A participant in memory that keeps the protocol, with switches for the mistakes that authors make.

It reserves a seat. Every await between reading and writing is a place where another call may come in between.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from common.wire import Json

KEY = re.compile(r"([a-z0-9][-a-z0-9]*)/([a-z0-9][-a-z0-9]*)/seat/(do|undo)")
FIELDS = {"do": {"order_id", "row", "pace"}, "undo": {"order_id"}}


class Answered(Exception):  # noqa: N818 - it reads as what happened
    def __init__(self, status: int, code: str, detail: str = "see the documentation", **members: int) -> None:
        self.status, self.code, self.detail, self.members = status, code, detail, members


class Seats:
    """One record for each order: {namespace, epoch, tombstone, row, state, answers, due}."""

    def __init__(self, mistakes: set[str]) -> None:
        self.mistakes = mistakes
        self.records: dict[str, Json] = {}
        self.ledger: dict[str, list[str]] = {}
        self.locks: dict[str, asyncio.Lock] = {}

    def wrong(self, mistake: str) -> bool:
        return mistake in self.mistakes

    @contextlib.asynccontextmanager
    async def alone(self, order_id: str, *, undoing: bool = False) -> AsyncIterator[None]:
        if self.wrong("looks-then-writes") or (undoing and self.wrong("undo-overtakes")):
            yield
            return
        async with self.locks.setdefault(order_id, asyncio.Lock()):
            yield

    def enter(self, order_id: str, namespace: str, epoch: int | None) -> Json:
        new = {"namespace": namespace, "epoch": 0, "tombstone": False, "state": "none", "answers": {}}
        record = self.records.setdefault(order_id, new)
        if epoch is not None and epoch > (now := int(time.time() * 1000)) + 600_000:
            if self.wrong("keeps-epochs-ahead"):
                record["epoch"] = epoch
            if not self.wrong("believes-any-epoch"):
                raise Answered(422, "epoch_ahead", **({} if self.wrong("tells-no-time") else {"clock": now}))
        if epoch is not None and epoch < record["epoch"] and not self.wrong("ignores-epochs"):
            seen = {} if self.wrong("names-no-epoch") else {"epoch": record["epoch"]}
            raise Answered(412, "stale_epoch", **seen)
        if record["namespace"] != namespace and not self.wrong("ignores-namespaces"):
            raise Answered(409, "order_id_used")
        if not (self.wrong("replays-dont-raise") and record["answers"]):
            record["epoch"] = max(record["epoch"], epoch or 0)
        return record

    def stored(self, record: Json, direction: str, body: Json) -> Json | None:
        kept = record["answers"].get(direction)
        if kept is None:
            return None
        if kept["body"] != body and not self.wrong("ignores-bodies"):
            raise Answered(422, "key_reused")
        if direction == "do" and self.wrong("forgets-dos"):
            return None
        if direction == "undo" and self.wrong("forgets-undos"):
            return None
        answer: Json = kept["answer"]
        return answer

    def keep(self, record: Json, direction: str, body: Json, answer: Json) -> Json:
        record["answers"][direction] = {"body": body, "answer": answer}
        return answer

    async def happen(self, order_id: str, kind: str) -> None:
        await asyncio.sleep(0.001)
        self.ledger.setdefault(order_id, []).append(kind)

    async def do(self, order_id: str, namespace: str, epoch: int | None, body: Json) -> tuple[int, Json]:
        async with self.alone(order_id):
            record = self.enter(order_id, namespace, epoch)
            if record["tombstone"] and not self.wrong("stored-outranks-tombstone"):
                raise Answered(409, "compensated")
            if (answer := self.stored(record, "do", body)) is not None:
                if answer.get("refused"):
                    raise Answered(409, answer["refused"])
                return 200, answer
            if record["tombstone"]:
                raise Answered(409, "compensated")
            if body.get("row") == 13:
                if not self.wrong("forgets-refusals"):
                    self.keep(record, "do", body, {"refused": "row_unlucky"})
                elif record.get("asked"):
                    record["state"] = "taken"
                    return 200, self.keep(record, "do", body, {"order_id": order_id})
                record["asked"] = True
                raise Answered(409, "row_unlucky")
            if body.get("pace") == "slow" and record["state"] == "none":
                record["state"], record["looks"] = "pending", 0
            if record["state"] == "pending":
                return await self.settle(order_id, record, body)
            await self.happen(order_id, "taken")
            record["state"] = "taken"
            return 200, self.keep(record, "do", body, {"order_id": order_id, "row": body.get("row")})

    async def settle(self, order_id: str, record: Json, body: Json) -> tuple[int, Json]:
        record["looks"] += 1
        if record["looks"] < 3:
            return 202, {"order_id": order_id}
        await self.happen(order_id, "taken")
        record["state"] = "taken"
        return 200, self.keep(record, "do", body, {"order_id": order_id})

    async def undo(self, order_id: str, namespace: str, epoch: int | None, body: Json) -> tuple[int, Json]:
        if self.wrong("undo-needs-a-do") and order_id not in self.records:
            raise Answered(404, "not_found")
        async with self.alone(order_id, undoing=True):
            record = self.enter(order_id, namespace, epoch)
            if (answer := self.stored(record, "undo", body)) is not None:
                return 200, answer
            if record["state"] == "pending":
                if self.wrong("undo-forgets-the-pending"):
                    return 200, self.keep(record, "undo", body, {"order_id": order_id, "effect": "none"})
                record["state"] = "none"  # this provider lets go of what isn't settled
            # An undo that was forgotten frees the seat for the second time.
            undone = record["state"] == "taken" or (record["state"] == "free" and self.wrong("forgets-undos"))
            if undone:
                await self.happen(order_id, "freed")
            record["state"] = "free" if record["state"] != "none" else "none"
            if undone or not self.wrong("no-tombstone-for-nothing"):
                record["tombstone"] = True
            return 200, self.keep(
                record, "undo", body, {"order_id": order_id, "effect": "undone" if undone else "none"}
            )


def build(*mistakes: str) -> FastAPI:
    """The participant with these mistakes."""
    app, seats = FastAPI(), Seats(set(mistakes))
    app.state.seats = seats

    @app.post("/api/seats/{action}")
    async def post(request: Request, action: str) -> Response:
        direction = "do" if action == "take" else "undo"
        correlation = {"X-Correlation-ID": request.headers.get("X-Correlation-ID", "made-up")}
        if seats.wrong("drops-correlation"):
            correlation = {}
        try:
            status, answer = await call(seats, request, direction)
        except Answered as problem:
            return refuse(seats, problem, correlation)
        if status == 200 and seats.wrong("names-no-order"):
            answer = {name: value for name, value in answer.items() if name != "order_id"}
        if status == 200 and seats.wrong("json-as-text"):
            return Response(json.dumps(answer), media_type="text/html", headers=correlation)
        if status == 202 and not seats.wrong("202-without-location"):
            correlation |= {"Location": f"/api/seats/operations/{answer['order_id']}", "Retry-After": "1"}
        return JSONResponse(answer, status_code=status, headers=correlation)

    @app.get("/api/seats/operations/{order_id}")
    async def look(order_id: str) -> Response:
        record = seats.records[order_id]
        if "do" in record["answers"]:
            return JSONResponse(record["answers"]["do"]["answer"])
        if record["tombstone"]:
            return refuse(seats, Answered(409, "compensated"), {})
        status, answer = await seats.settle(order_id, record, {"order_id": order_id, "row": 1, "pace": "slow"})
        return JSONResponse(answer, status_code=status)

    @app.get("/api/seats/{order_id}")
    async def get(order_id: str) -> Response:
        record = seats.records.get(order_id, {"state": "none"})
        return JSONResponse(record["state"] and {"state": record["state"]}, 404 if record["state"] == "none" else 200)

    @app.get("/api/seats/{order_id}/ledger")
    async def ledger(order_id: str) -> list[Json]:
        return [{"kind": kind} for kind in seats.ledger.get(order_id, [])]

    return app


async def call(seats: Seats, request: Request, direction: str) -> tuple[int, Json]:
    """Headers and body, then the operation."""
    key = request.headers.get("Idempotency-Key", "")
    try:
        body = await request.json()
    except ValueError:
        if seats.wrong("500-for-bad-bodies"):
            raise Answered(500, "internal") from None
        raise Answered(422, "invalid", "this is not JSON") from None
    if not isinstance(body, dict):
        raise Answered(422, "invalid", "an object is expected")
    order_id = body.get("order_id", "")
    if not key:
        shown = "" if seats.wrong("shows-no-key") else f", for example shop/{order_id}/seat/{direction}"
        raise Answered(400, "idempotency_key_required", f"an Idempotency-Key is needed{shown}")
    match = KEY.fullmatch(key)
    if match is None and seats.wrong("takes-any-key"):
        match = KEY.fullmatch(f"shop/{order_id}/seat/{direction}")
    if match is None or match[3] != direction:
        raise Answered(400, "idempotency_key_invalid", f"use shop/{order_id}/seat/{direction}")
    if match[2] != order_id and not seats.wrong("trusts-the-body"):
        raise Answered(400, "idempotency_key_invalid", f"use shop/{order_id}/seat/{direction}")
    unknown = set(body) - FIELDS[direction]
    if unknown and not seats.wrong("ignores-unknown-fields"):
        raise Answered(422, "invalid", f"unknown: {', '.join(unknown)}")
    epoch = request.headers.get("Saga-Epoch")
    operation = seats.do if direction == "do" else seats.undo
    return await operation(order_id, match[1], None if epoch is None else int(epoch), body)


def refuse(seats: Seats, problem: Answered, headers: dict[str, str]) -> Response:
    content: Json = {"code": problem.code, "detail": problem.detail, "retryable": False, "status": problem.status}
    content |= problem.members
    if seats.wrong("problems-without-detail"):
        del content["detail"]
    media_type = "application/json" if seats.wrong("problems-as-json") else "application/problem+json"
    return JSONResponse(content, status_code=problem.status, headers=headers, media_type=media_type)
