"""What a claim, and what the provider says under it, do to a document: decisions of `do` and `undo`, no I/O.

The document shows how far an operation has come (`state.Operation`): the do is `running` while a claim is held on it,
`pending` once the provider has accepted it, `answered` at its end; and so is the undo, which waits for the do first.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from common.barrier import rules
from common.barrier.effects import Accepted, Effect, Fields, Happened
from common.barrier.rules import DO, UNDO, Answer, Call, Claimed, Decision, Document, Write
from common.barrier.state import BarrierState, Operation
from common.errors import NotFound, Problem, Refused, Unavailable

LEASE = timedelta(seconds=10)
"""How long a claim keeps others waiting. Twice the caller's time-out of 5 s: a caller whose answer was lost asks again
and finds either the stored answer or, soon, a claim that it may take over.
"""

RETRY_AFTER = 1
"""Seconds after which to ask again (409 `running`, 202) unless the provider says more: a call usually takes less."""

MAX_RETRY_AFTER = 60
"""Seconds. Callers wait as long as they are told to, so a provider must not be able to hold up a saga for hours."""


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """The decisions for one participant's effect. `location` is the path of its operations endpoint; a participant
    whose provider never returns Accepted has none.
    """

    effect: Effect
    location: str | None
    clock: Callable[[], datetime]

    def claim_do(self, call: Call, document: Document | None, fields: Fields, token: str) -> Decision | Claimed:
        """Claim the do under `token`. Only the first claim sets `fields`; a later one takes the document as it is."""
        state = BarrierState.of(document)
        if (decision := rules.gate(call, state, forward=True)) is not None:
            return decision
        before = state.get(DO)
        if (wait := self._wait(call, before, document)) is not None:
            return rules.with_epoch(call, state, wait)
        claimed = state.with_operation(DO, self._running(call, token))
        if before is None:
            return rules.claimed(call, claimed, fields=fields, forgettable=True)
        return rules.claimed(call, claimed, forgettable=False)

    def claim_undo(self, call: Call, document: Document | None, token: str) -> Decision | Claimed:
        """Claim the undo under `token`. Whatever is decided, the tombstone is written before the provider is asked.

        Raises Refused if the effect can't be taken back; nothing is written then.
        """
        state = BarrierState.of(document)
        if (decision := rules.gate(call, state, forward=False)) is not None:
            return decision
        if (wait := self._wait(call, state.get(UNDO), document)) is not None:
            return rules.with_epoch(call, state, wait)
        marked, before = state.with_tombstone(), state.get(DO)
        if document is None or before is None or (before.state == "answered" and not before.happened):
            return self._undone(call, document, state, {}, happened=False)
        if before.state == "pending":
            return self.postpone_undo(call, document)
        if before.held(self.clock(), LEASE):
            busy = rules.running(call, RETRY_AFTER)
            return rules.with_epoch(call, state, busy) if state.tombstone else rules.change(call, marked, busy)
        claimed = marked.with_operation(UNDO, self._running(call, token))
        if before.happened:
            return rules.claimed(call, claimed, fields=self.effect.taking_back(document), forgettable=True)
        # The process that held the do's claim may be slow instead of dead. From now on the undo asks the provider too,
        # so a failure that the other process sees must not release the claim any more: it gets the undo's token.
        claimed = claimed.with_operation(DO, replace(before, token=token, until=None))
        return rules.claimed(call, claimed, forgettable=True)

    def postpone_undo(self, call: Call, document: Document | None, retry_after: float = RETRY_AFTER) -> Decision:
        """The do waits for the provider's settlement, so the undo waits with it: 202. Unless another call has learnt of
        the settlement meanwhile, and recorded it.
        """
        state = BarrierState.of(document).with_tombstone()
        done, undone = state.get(DO), state.get(UNDO)
        if undone is not None and undone.state == "answered":
            return Answer(undone.status, undone.body)
        if done is not None and done.state == "answered" and not done.happened:
            return self._undone(call, document, state, {}, happened=False)
        fields = self.effect.taking_back(document or {})
        answer = self._accepted(call, UNDO, {**(document or {}), **fields}, retry_after)
        waiting = state.with_operation(UNDO, Operation(call.fingerprint, "pending"))
        return rules.change(call, waiting, answer, fields=fields)

    def settle_do(self, call: Call, document: Document | None, result: Happened | Accepted | Refused) -> Decision:
        """Record what the provider said about the do, unless an answer is stored already."""
        state = BarrierState.of(document)
        before = state.get(DO)
        if before is not None and before.state == "answered":
            return rules.compensated(call) if state.tombstone else Answer(before.status, before.body)
        fingerprint = (before or call).fingerprint
        merged = {**(document or {}), **result.fields}
        if isinstance(result, Accepted):
            answer = self._accepted(call, DO, merged, result.retry_after)
            after = Operation(fingerprint, "pending")
        else:
            answer = (
                Answer.of(result, call.order_id)
                if isinstance(result, Refused)
                else Answer(200, self.effect.resource(merged))
            )
            after = Operation(fingerprint, "answered", status=answer.status, body=answer.body)
        answer = rules.compensated(call) if state.tombstone else answer
        return rules.change(call, state.with_operation(DO, after), answer, fields=result.fields)

    def settle_undo(self, call: Call, document: Document | None, fields: Fields, *, happened: bool) -> Decision:
        """Store the undo's answer, unless one is stored already. `happened`: the do had an effect, now taken back."""
        state = BarrierState.of(document)
        before = state.get(UNDO)
        if before is not None and before.state == "answered":
            return Answer(before.status, before.body)
        return self._undone(call, document, state, fields, happened=happened)

    def under_way(self, call: Call, document: Document) -> Answer:
        """The answer while the provider takes longer than the caller waits: 202, or 409 `running` without a place where
        its progress is shown.
        """
        if self.location is None:
            return rules.running(call, RETRY_AFTER)
        return self._accepted(call, call.operation, document, RETRY_AFTER)

    def look(self, order_id: str, direction: str, document: Document | None, place: str = "") -> Answer:
        """What a POST of that operation would answer now; raises NotFound if it never came.

        Where the last call gave no answer, or its process died, a POST would ask again: 503 says so.
        """
        state = BarrierState.of(document)
        key = f"{state.namespace}/{order_id}"
        call = Call(key, state.namespace, order_id, direction, "", place=place)
        operation = state.get(direction)
        if direction == DO and state.tombstone:
            return rules.compensated(call)
        if operation is not None and operation.state == "answered":
            return Answer(operation.status, operation.body)
        if operation is not None and (operation.state == "pending" or operation.held(self.clock(), LEASE)):
            return self.under_way(call, document or {})
        if direction == UNDO and state.tombstone:
            detail = f"order {order_id}: the last attempt to undo it failed; POST it again"
            return Answer.of(Problem(detail, status=409, code="undo_failed", retryable=True), order_id)
        if operation is not None or (direction == DO and document is not None):
            raise Unavailable(
                f"order {order_id}: the call that was under way has ended without an answer; POST it again with the "
                "same key",
                order_id=order_id,
            )
        raise NotFound(f"order {order_id}: this operation was never called; POST it first", order_id=order_id)

    def _undone(
        self, call: Call, document: Document | None, state: BarrierState, fields: Fields, *, happened: bool
    ) -> Write:
        """The write that ends an undo. A document without a status is no resource: its answer shows none."""
        body: Fields = {}
        if document is not None and "status" in document:
            before = state.get(DO)
            never = not happened and (before is None or before.state != "answered")
            fields = self.effect.nothing_happened(document) if never else fields
            body = self.effect.resource({**document, **fields})
        answer = Answer(200, {"order_id": call.order_id, **body, "effect": "undone" if happened else "none"})
        before = state.get(UNDO)
        kept = Operation(before.fingerprint if before else call.fingerprint, "answered", 200, answer.body)
        state = state.with_tombstone().with_operation(UNDO, kept)
        return rules.change(call, state, answer, fields=fields, effect=happened)

    def _wait(self, call: Call, before: Operation | None, document: Document | None) -> Answer | None:
        """202 until the provider has settled it, 409 while another call holds the claim, None if it can be claimed."""
        if before is not None and before.state == "pending":
            return self._accepted(call, call.operation, document or {}, RETRY_AFTER)
        return rules.running(call, RETRY_AFTER) if before is not None and before.held(self.clock(), LEASE) else None

    def _running(self, call: Call, token: str) -> Operation:
        return Operation(call.fingerprint, "running", token=token, until=self.clock() + LEASE)

    def _accepted(self, call: Call, direction: str, document: Document, retry_after: float) -> Answer:
        if self.location is None:
            raise RuntimeError("a provider that settles later needs an operations endpoint: Claims(…, location=…)")
        seconds = math.ceil(min(max(RETRY_AFTER, retry_after), MAX_RETRY_AFTER))
        location = f"{self.location}/{call.place or call.order_id}/{direction}"
        # Before the provider has said anything, a document without a status is no resource yet.
        body = self.effect.resource(document) if "status" in document else {"order_id": call.order_id}
        return Answer(202, body, {"Location": location, "Retry-After": str(seconds)})
