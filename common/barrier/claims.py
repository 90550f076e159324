"""Effects outside the database: claim, ask the provider under its own key, settle.

    claims = Claims(barrier, effect, location="/api/payments/operations")
    answer = await claims.do(call, fields)       # fields: of a document whose effect isn't known yet
    answer = await claims.undo(call)
    answer = await claims.look(order_id, "do")   # GET {location}/{order_id}/do
    await claims.resume(document_id)             # for each of claims.waiting(): settles without a caller

A claim is a conditional write: the operation is `running` until now + LEASE. Whoever comes in the meantime gets 409
`running`; whoever finds the lease passed takes over and asks the provider again under the provider's own key, which
never changes for an order. What the provider says is settled as a fact, whoever asked.

An undo writes its tombstone before anything is asked. A do that is still running meanwhile settles what it has done,
and the next undo takes it back; a do that died is resolved by asking the provider again under the do's key, so that
the ledger ends with at most one charge and one refund.
"""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from common.barrier import rules
from common.barrier.barrier import Barrier
from common.barrier.effects import Accepted, Effect, Fields, Happened
from common.barrier.holder import ClaimHolder
from common.barrier.rules import DO, UNDO, Answer, Call, Decision, Document, Write
from common.barrier.state import BarrierState, Operation
from common.errors import NotFound, Problem, Refused
from common.mongo import Index
from common.wire import utcnow

__all__ = ["Accepted", "Claims", "Effect", "Happened", "waiting_index"]

LEASE = timedelta(seconds=10)
"""Twice the caller's time-out of 5 s: who asks again after a lost answer finds an answer, or soon a dead claim."""

RETRY_AFTER = 1
"""Seconds to wait on `running` and 202: a provider call usually takes less, a settlement not much more."""

_PROCEED = Answer(0, {})
"""The answer of a write that makes a claim: there is none yet, go on and ask."""


def waiting_index(collection: str) -> Index:
    """The index that `Claims.waiting` needs: it holds only what waits for a settlement."""
    return Index.on(collection, "barrier.waiting", sparse=True)


class Claims:
    """The barrier for effects outside the database. `location` is the path of the operations endpoint."""

    def __init__(
        self, barrier: Barrier, effect: Effect, *, location: str, clock: Callable[[], datetime] = utcnow
    ) -> None:
        self._barrier = barrier
        self._effect = effect
        self._location = location
        self._clock = clock

    async def do(self, call: Call, fields: Fields, *, document_id: str | None = None) -> Answer:
        """Make the effect happen, once; raises Unavailable."""
        document_id = document_id or call.order_id
        token, first = uuid.uuid4().hex, True

        def claim(document: Document | None) -> Decision:
            nonlocal first
            state = BarrierState.of(document)
            if (decision := rules.gate(call, state, forward=True)) is not None:
                return decision
            before = state.get(DO)
            if (busy := self._busy(call, before, document)) is not None:
                return rules.with_epoch(call, state, busy)
            first = before is None
            claimed = state.with_operation(DO, self._running(call, token))
            return rules.change(call, claimed, _PROCEED, fields=fields if first else None)

        decision, document = await self._barrier.commit(document_id, claim, new=True)
        if document is None or not _proceeds(decision):
            return _answer(decision)
        holder = ClaimHolder(self._barrier, document_id, DO, token, forget=first)
        return await self._settle_do(call, document_id, await holder.ask(self._effect.ask, document), document)

    async def undo(self, call: Call, *, document_id: str | None = None) -> Answer:
        """Take the effect back, if there is one; raises Unavailable, or Refused when the provider says no."""
        document_id = document_id or call.order_id
        token = uuid.uuid4().hex

        def claim(document: Document | None) -> Decision:
            state = BarrierState.of(document)
            if (decision := rules.gate(call, state, forward=False)) is not None:
                return decision
            if (busy := self._busy(call, state.get(UNDO), document)) is not None:
                return rules.with_epoch(call, state, busy)
            return self._claim_undo(call, document, state, token)

        decision, document = await self._barrier.commit(document_id, claim)
        if document is None or not _proceeds(decision):
            return _answer(decision)
        holder = ClaimHolder(self._barrier, document_id, UNDO, token, forget=True)
        if not BarrierState.of(document).happened(DO):  # it died: only the provider knows what became of it
            result = await holder.ask(self._effect.resolve, document)
            await self._settle_do(call, document_id, result, document)
            if isinstance(result, Accepted):
                return await self._barrier.apply(document_id, lambda found: self._undo_later(call, found))
            document = await self._barrier.get(document_id)
        return await self._finish_undo(call, document_id, document, holder)

    async def look(self, order_id: str, direction: Literal["do", "undo"], *, document_id: str | None = None) -> Answer:
        """What a POST of that operation would answer now, without doing anything; raises NotFound."""
        document = await self._barrier.get(document_id or order_id)
        state = BarrierState.of(document)
        call = Call(f"{state.namespace}/{order_id}", state.namespace, order_id, direction, "")
        operation = state.get(direction)
        if direction == DO and state.tombstone:
            return rules.compensated(call)
        if operation is not None and operation.state == "answered":
            return Answer(operation.status, operation.body)
        if operation is not None:
            return self._busy(call, operation, document) or rules.running(call, RETRY_AFTER)
        if direction == UNDO and state.tombstone:
            detail = f"order {order_id}: the last attempt to undo it failed; POST it again"
            return Answer.of(Problem(detail, status=409, code="undo_failed", retryable=True), order_id)
        raise NotFound(f"order {order_id}: nothing of the kind is under way; POST it first", order_id=order_id)

    async def waiting(self) -> list[str]:
        """The ids of the documents that wait for a settlement."""
        return [str(found["_id"]) for found in await self._barrier.collection.find({"barrier.waiting": True})]

    async def resume(self, document_id: str) -> None:
        """Settle what the provider has settled meanwhile; an undo that fails here is tried again only when called.

        Raises Unavailable if the provider doesn't say; what waits goes on waiting then.
        """
        document = await self._barrier.get(document_id)
        if document is None:
            return
        call = _settlement_call(document_id, document)
        if _is_pending(document, DO):
            holder = ClaimHolder(self._barrier, document_id, DO, "", forget=False)
            result = await holder.ask(self._effect.ask, document)
            if isinstance(result, Accepted):
                return
            await self._settle_do(call, document_id, result, document)
            document = await self._barrier.get(document_id)
        if document is not None and _is_pending(document, UNDO):
            call = _settlement_call(document_id, document)
            await self._finish_undo(
                call, document_id, document, ClaimHolder(self._barrier, document_id, UNDO, "", forget=True)
            )

    def _claim_undo(self, call: Call, document: Document | None, state: BarrierState, token: str) -> Decision:
        """The new undo's write: in every case a tombstone, before anything is asked."""
        marked, before = state.with_tombstone(), state.get(DO)
        if document is None or before is None or (before.state == "answered" and not before.happened):
            return self._undone(call, document, state, {}, happened=False)
        if before.state == "pending":
            return self._undo_later(call, document)
        if before.held(self._clock()):
            busy = rules.running(call, RETRY_AFTER)
            return rules.with_epoch(call, state, busy) if state.tombstone else rules.change(call, marked, busy)
        claimed, fields = marked.with_operation(UNDO, self._running(call, token)), None
        if before.happened:
            fields = self._effect.taking_back(document)
        else:  # The dead may only be slow: what they hear no longer speaks for the claim, since we ask as well.
            claimed = claimed.with_operation(DO, replace(before, token=token, until=None))
        return rules.change(call, claimed, _PROCEED, fields=fields)

    def _undo_later(self, call: Call, document: Document | None) -> Decision:
        """The do waits for its settlement, so the undo does too."""
        state = BarrierState.of(document).with_tombstone()
        fields = self._effect.taking_back(document or {})
        answer = self._accepted(call.order_id, UNDO, {**(document or {}), **fields})
        waiting = state.with_operation(UNDO, Operation(call.fingerprint, "pending"))
        return rules.change(call, waiting, answer, fields=fields)

    async def _settle_do(
        self, call: Call, document_id: str, result: Happened | Accepted | Refused, known: Document
    ) -> Answer:
        """Write down what the provider said of the do, unless it is written already."""

        def settle(document: Document | None) -> Decision:
            state = BarrierState.of(document)
            before = state.get(DO)
            merged = {**(document or {}), **result.fields}
            fingerprint = (before or call).fingerprint
            if before is not None and before.state == "answered":
                answer = Answer(before.status, before.body)
                return rules.compensated(call) if state.tombstone else answer
            if isinstance(result, Accepted):
                answer, after = self._accepted(call.order_id, DO, merged), Operation(fingerprint, "pending")
            else:
                answer = (
                    Answer.of(result, call.order_id)
                    if isinstance(result, Refused)
                    else Answer(200, self._effect.resource(merged))
                )
                after = Operation(fingerprint, "answered", status=answer.status, body=answer.body)
            answer = rules.compensated(call) if state.tombstone else answer
            return rules.change(call, state.with_operation(DO, after), answer, fields=result.fields)

        decision, _ = await self._barrier.commit(document_id, settle, known=known)
        return _answer(decision)

    async def _finish_undo(
        self, call: Call, document_id: str, document: Document | None, holder: ClaimHolder
    ) -> Answer:
        """The do's outcome is known: take it back, if it happened, and store the undo's answer."""
        fields: Fields = {}
        happened = BarrierState.of(document).happened(DO)
        if happened and document is not None:
            result = await holder.ask(self._effect.take_back, document)
            if isinstance(result, Refused):
                await holder.release(result.fields)
                raise result
            fields = result.fields

        def settle(found: Document | None) -> Decision:
            state = BarrierState.of(found)
            before = state.get(UNDO)
            if before is not None and before.state == "answered":
                return Answer(before.status, before.body)
            return self._undone(call, found, state, fields, happened=happened)

        decision, _ = await self._barrier.commit(document_id, settle, known=document)
        return _answer(decision)

    def _undone(
        self, call: Call, document: Document | None, state: BarrierState, fields: Fields, *, happened: bool
    ) -> Write:
        """The write that ends an undo. A document without a status shows nothing: there is no resource."""
        body: Fields = {}
        if document is not None and "status" in document:
            before = state.get(DO)
            never = not happened and (before is None or before.state != "answered")
            fields = self._effect.nothing_happened(document) if never else fields
            body = self._effect.resource({**document, **fields})
        answer = Answer(200, {"order_id": call.order_id, **body, "effect": "undone" if happened else "none"})
        before = state.get(UNDO)
        kept = Operation(before.fingerprint if before else call.fingerprint, "answered", 200, answer.body)
        state = state.with_tombstone().with_operation(UNDO, kept)
        return rules.change(call, state, answer, fields=fields, effect=happened)

    def _busy(self, call: Call, before: Operation | None, document: Document | None) -> Answer | None:
        """202 while the provider settles it, 409 while somebody else is at work, None if the way is free."""
        if before is not None and before.state == "pending":
            return self._accepted(call.order_id, call.operation, document or {})
        return rules.running(call, RETRY_AFTER) if before is not None and before.held(self._clock()) else None

    def _running(self, call: Call, token: str) -> Operation:
        return Operation(call.fingerprint, "running", token=token, until=self._clock() + LEASE)

    def _accepted(self, order_id: str, direction: str, document: Document) -> Answer:
        headers = {"Location": f"{self._location}/{order_id}/{direction}", "Retry-After": str(RETRY_AFTER)}
        return Answer(202, self._effect.resource(document), headers)


def _settlement_call(document_id: str, document: Document) -> Call:
    """The call of nobody: what waits is settled in the name of the undo that waits with it, if there is one."""
    state = BarrierState.of(document)
    waiting = state.get(UNDO)
    return Call(
        key=document_id,
        namespace=state.namespace,
        order_id=document.get("order_id", document_id),
        operation=UNDO,
        fingerprint=waiting.fingerprint if waiting else "",
    )


def _is_pending(document: Document | None, name: str) -> bool:
    operation = BarrierState.of(document).get(name)
    return operation is not None and operation.state == "pending"


def _proceeds(decision: Decision) -> bool:
    return isinstance(decision, Write) and decision.answer is _PROCEED


def _answer(decision: Decision) -> Answer:
    return decision.answer if isinstance(decision, Write) else decision
