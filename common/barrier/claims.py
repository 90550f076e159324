"""Effects outside the database: claim, ask the provider under its own key, settle.

    claims = Claims(barrier, effect, clock=database.now, location="/api/payments/operations")
    answer = await claims.do(call, fields)       # fields: of a document whose effect isn't known yet
    answer = await claims.undo(call)
    answer = await claims.look(order_id, "do")   # GET {location}/{order_id}/do
    await claims.settle_due()                    # again and again: settles without a caller what the provider accepted

A claim is a conditional write: the operation is `running` for the next 10 s. A call that comes in the meantime is
answered 409 `running`; a call that finds the lease passed takes the claim over. It looks the effect up at the provider,
which may have forgotten its keys by then, and asks again only if there is none: under the provider's own key, which
never changes for an order. What the provider says is settled as a fact, whichever call asked.
If the provider takes longer than a caller waits, it goes on in the background; the caller gets 202 and a place to look.

An undo writes its tombstone before the provider is asked. A do that is still running then settles what it has done,
and the next undo takes that back. A do whose process died is resolved in the same way, by a look and then the do's key,
so that the ledger ends with at most one charge and one refund.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Literal

from common.background import Rounds
from common.barrier.barrier import Barrier
from common.barrier.claim_rules import ClaimRules
from common.barrier.effects import Accepted, Effect, Fields, Happened
from common.barrier.holder import ClaimHolder
from common.barrier.rules import DO, UNDO, Answer, Call, Claimed, Document, answer_of
from common.barrier.state import BarrierState
from common.deadline import left
from common.errands import Errands, NoRoom
from common.errors import Problem, Refused
from common.mongo import Index

log = logging.getLogger("ordersaga.claims")

ANSWER_SECONDS = 3.5
"""How long a call waits for the provider: its caller hangs up after 5 s, and would take that for an outage."""


SETTLED_AT_ONCE = 16
"""How many settlements one process looks up at a time: a slow provider then answers for sixteen, not for one."""

SETTLED_IN_A_ROW = 200
"""How many it takes from the database in one go."""

LOOK_MS, LOOKS_GROW, MAX_LOOK_MS = 500, 1.5, 30_000
"""The pause between two looks at one settlement, in milliseconds: from half a second, each half as long again as the
last, to half a minute. A card settles in seconds, a bank transfer in hours.
"""

_WAITING = {"barrier.waiting": True}


def waiting_index(collection: str) -> Index:
    """The index that `Claims.settle_due` needs: it holds only what waits for a settlement."""
    return Index.on(collection, "barrier.waiting", "look.at", partialFilterExpression=_WAITING)


class Claims:
    """The barrier for effects outside the database.

    `clock` is the same for all replicas: the database server's (`Database.now`). `location` is the path of the
    operations endpoint, where callers look after a 202; it is needed if the provider may return Accepted. `errands` are
    the app's, which waits for them at its end.
    """

    def __init__(
        self,
        barrier: Barrier,
        effect: Effect,
        *,
        clock: Callable[[], datetime],
        errands: Errands | None = None,
        location: str | None = None,
    ) -> None:
        self._barrier = barrier
        self._effect = effect
        self._errands = errands or Errands()
        self._rules = ClaimRules(effect, location, clock)

    async def do(
        self, call: Call, fields: Fields, *, document_id: str | None = None, seen: Fields | None = None
    ) -> Answer:
        """Make the effect happen, once; raises Unavailable. A provider that takes its time: 202, and it goes on.

        `seen`: what the caller has read just now. The effect's `ask` of a first claim has it in its document, where it
        saves another read; it isn't stored.
        """
        document_id = document_id or call.order_id
        token = uuid.uuid4().hex
        decision, document = await self._barrier.commit(
            document_id, lambda found: self._rules.claim_do(call, found, fields, token), new=True
        )
        if not isinstance(decision, Claimed):
            return answer_of(decision)
        holder = ClaimHolder(self._barrier, document_id, DO, token, forgettable=decision.forgettable)
        known = {**document, **(seen or {})} if decision.forgettable else document
        return await self._answered(call, document, holder, self._do(call, document_id, known, holder))

    async def undo(self, call: Call, *, document_id: str | None = None) -> Answer:
        """Take the effect back, if there is one; raises Unavailable, or Refused when the provider refuses. A provider
        that takes its time: 202, and it goes on.
        """
        document_id = document_id or call.order_id
        token = uuid.uuid4().hex
        decision, document = await self._barrier.commit(
            document_id, lambda found: self._rules.claim_undo(call, found, token)
        )
        if not isinstance(decision, Claimed):
            return answer_of(decision)
        holder = ClaimHolder(self._barrier, document_id, UNDO, token, forgettable=decision.forgettable)
        return await self._answered(call, document, holder, self._undo(call, document_id, document, holder))

    async def look(
        self, order_id: str, direction: Literal["do", "undo"], *, document_id: str | None = None, place: str = ""
    ) -> Answer:
        """What a POST of that operation would answer now, without doing anything; raises NotFound, or Unavailable if a
        POST would ask the provider again. `place`: as in the `Call`.
        """
        document = await self._barrier.get(document_id or order_id)
        return self._rules.look(order_id, direction, document, place)

    async def settle_due(self, rounds: Rounds | None = None) -> bool:
        """Ask the provider for each settlement whose look is due, and record what has settled. Whether any is waiting.

        The replicas share the looks: whoever moves a document's next look makes this one. What fails is logged, and
        looked at again when its turn comes; a round of which all looks fail has failed.
        """
        rounds = rounds or Rounds()
        looks = 0
        told: list[str] = []
        collection = self._barrier.collection
        while due := await collection.find(self._due(), sort="look.at", limit=SETTLED_IN_A_ROW, fields=["_id"]):
            turns = asyncio.Semaphore(SETTLED_AT_ONCE)
            failed = await asyncio.gather(*(self._look_again(str(found["_id"]), turns) for found in due))
            rounds.going_on()
            looks += len(due)
            told += filter(None, failed)
            if len(due) < SETTLED_IN_A_ROW:
                break
        waiting = await collection.find_one(_WAITING) is not None
        if looks and len(told) == looks:
            rounds.failed(f"of {looks} settlements none could be looked up: {told[-1]}")
        elif looks or not waiting or rounds.state != "failing":  # those that failed aren't due again for a while
            rounds.done()
        return waiting

    def _due(self) -> dict[str, Any]:
        # A document without a next look is due at once.
        return {**_WAITING, "look.at": {"$not": {"$gt": self._rules.clock()}}}

    async def _look_again(self, document_id: str, turns: asyncio.Semaphore) -> str:
        """Why it failed; empty if it did not."""
        looks = {"$ifNull": ["$look.count", 0]}
        pause = {"$min": [MAX_LOOK_MS, {"$multiply": [LOOK_MS, {"$pow": [LOOKS_GROW, looks]}]}]}
        move = {"$set": {"look": {"count": {"$add": [looks, 1]}, "at": {"$add": [self._rules.clock(), pause]}}}}
        async with turns:
            try:
                if await self._barrier.collection.update({"_id": document_id, **self._due()}, [move]):
                    await self.resume(document_id)
            except Problem as problem:
                log.warning("not settled: %s", problem.detail, extra={"document": document_id, "code": problem.code})
                return problem.code
            except Exception as error:
                log.exception("not settled: it is tried again later", extra={"document": document_id})
                return type(error).__name__
        return ""

    async def resume(self, document_id: str) -> None:
        """Record what the provider has settled meanwhile. An undo that fails here is tried again only when called.

        Raises Unavailable if the provider gives no answer; the document goes on waiting then.
        """
        document = await self._barrier.get(document_id)
        if document is None:
            return
        if _is_pending(document, DO):
            holder = ClaimHolder(self._barrier, document_id, DO, "", forgettable=False)
            result = await holder.ask(self._ask_again, document)
            if isinstance(result, Accepted):
                return
            await self._settle_do(_settlement_call(document_id, document), document_id, result, document)
            document = await self._barrier.get(document_id)
        if document is not None and _is_pending(document, UNDO):
            holder = ClaimHolder(self._barrier, document_id, UNDO, "", forgettable=True)
            await self._finish_undo(_settlement_call(document_id, document), document_id, document, holder)

    async def _answered(
        self, call: Call, document: Document, holder: ClaimHolder, work: Coroutine[Any, Any, Answer]
    ) -> Answer:
        try:
            answer = await self._errands.run(work, patience=left(ANSWER_SECONDS))
        except NoRoom as error:
            await holder.release()  # the provider wasn't asked
            error.order_id = call.order_id
            raise
        return self._rules.under_way(call, document) if answer is None else answer

    async def _do(self, call: Call, document_id: str, document: Document, holder: ClaimHolder) -> Answer:
        ask = self._effect.ask if holder.forgettable else self._ask_again
        return await self._settle_do(call, document_id, await holder.ask(ask, document), document)

    async def _ask_again(self, document: Document) -> Happened | Accepted:
        return await self._effect.find(document) or await self._effect.ask(document)

    async def _resolve(self, document: Document) -> Happened | Accepted:
        return await self._effect.find(document) or await self._effect.resolve(document)

    async def _undo(self, call: Call, document_id: str, document: Document, holder: ClaimHolder) -> Answer:
        if not BarrierState.of(document).happened(DO):  # its process died: only the provider knows how it ended
            result = await holder.ask(self._resolve, document)
            await self._settle_do(call, document_id, result, document)
            if isinstance(result, Accepted):
                seconds = result.retry_after
                return await self._barrier.apply(
                    document_id, lambda found: self._rules.postpone_undo(call, found, seconds)
                )
            return await self._finish_undo(call, document_id, await self._barrier.get(document_id), holder)
        return await self._finish_undo(call, document_id, document, holder)

    async def _settle_do(
        self, call: Call, document_id: str, result: Happened | Accepted | Refused, known: Document
    ) -> Answer:
        decision, _ = await self._barrier.commit(
            document_id, lambda found: self._rules.settle_do(call, found, result), known=known
        )
        return answer_of(decision)

    async def _finish_undo(
        self, call: Call, document_id: str, document: Document | None, holder: ClaimHolder
    ) -> Answer:
        """The do's outcome is known: take the effect back if there is one, and store the undo's answer."""
        fields: Fields = {}
        happened = BarrierState.of(document).happened(DO)
        if happened and document is not None:
            result = await holder.ask(self._effect.take_back, document)
            if isinstance(result, Refused):
                await holder.release(result.fields)
                raise result
            fields = result.fields
        decision, _ = await self._barrier.commit(
            document_id,
            lambda found: self._rules.settle_undo(call, found, fields, happened=happened),
            known=document,
        )
        return answer_of(decision)


def _settlement_call(document_id: str, document: Document) -> Call:
    """The call in whose name a settlement is written: that of the undo that waits, if there is one."""
    state = BarrierState.of(document)
    waiting = state.get(UNDO)
    return Call(
        key=document_id,
        namespace=state.namespace,
        order_id=document.get("order_id", document_id),
        operation=UNDO,
        fingerprint=waiting.fingerprint if waiting else "",
    )


def _is_pending(document: Document, name: str) -> bool:
    operation = BarrierState.of(document).get(name)
    return operation is not None and operation.state == "pending"
