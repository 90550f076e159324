"""What a call does to a document: pure functions `call, document -> Answer | Write`, without I/O and clock.

`gate` holds the rules that are the same for every operation of every participant, in this order:

    an epoch lower than one seen before        412 stale_epoch with that epoch, nothing stored
    another namespace's key for this order     409 order_id_used: an effect belongs to its order, never a second one
    this key with another body                 422 key_reused
    a do after the tombstone was written       409 compensated (a tombstone outranks a stored answer)
    a call that was answered before            the stored answer

After the gate, `do` and `undo` are the two operations of a participant whose effect is in its own document. A service
with other operations (the order service has four) writes its own transition between `gate` and `answered`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from common.barrier.state import BarrierState, Operation
from common.errors import Problem, Refused

Document = Mapping[str, Any]
DO, UNDO = "do", "undo"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a saga, from its headers and its validated body. Without an `epoch` none is checked.

    `key` is the Idempotency-Key, `operation` the name that the barrier keeps the answer under. `place` is where its
    progress is shown, below the path of the operations endpoint; "": under the order's id. `newest_epoch`
    is the newest epoch that an operator can have by now: a stored one above it counts as none, since a wrong clock or a
    stranger has left it there, and no operator could ever get above it.
    """

    key: str
    namespace: str
    order_id: str
    operation: str
    fingerprint: str
    epoch: int | None = None
    place: str = ""
    newest_epoch: int = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP answer for the caller."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, order_id: str | None = None) -> "Answer":
        """A problem as an answer; `order_id` is added unless the problem has one."""
        body = problem.body()
        if order_id is not None:
            body.setdefault("order_id", order_id)
        return cls(problem.status, body, problem.headers())


@dataclass(frozen=True, slots=True)
class Write:
    """One conditional write: `fields` are set, `state` replaces the barrier. `effect` marks the write that makes or
    takes back the effect itself, as opposed to a refusal, a tombstone or a raised epoch.
    """

    fields: Mapping[str, Any]
    state: BarrierState
    answer: Answer
    effect: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """One conditional write that makes a claim (see `claims`): it has no answer yet, the caller goes on to ask the
    provider. `forgettable`: nothing can have happened at the provider under an earlier claim, so that this claim may be
    dropped without a trace when the provider says that it did nothing.
    """

    fields: Mapping[str, Any]
    state: BarrierState
    forgettable: bool


Decision = Answer | Write
"""What ends a call: an answer alone, or one that goes with a write."""
Transition = Callable[[Document | None], Decision]


@dataclass(frozen=True, slots=True)
class Done:
    """The result of an act: `fields` to set in the document, and the resource for the answer's `body`."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


Act = Callable[[Document | None], Done]
"""The business part of an operation: pure, called again after a lost race. Raises Refused to refuse."""


def nothing(document: Document | None) -> Done:
    """The undo of a do that never happened: nothing changes, there is no resource."""
    return Done()


def gate(call: Call, state: BarrierState, *, forward: bool) -> Decision | None:
    """The rules that come before any business rule; None if the call is new. `forward` is True for a do."""
    seen = _seen(call, state)
    if call.epoch is not None and call.epoch < seen:
        return _problem(
            call,
            412,
            "stale_epoch",
            f"order {call.order_id}: this call has epoch {call.epoch}, but an operator with epoch {seen} has "
            "taken over: stop, or read the Lease and call again with its epoch",
            epoch=seen,
        )
    if state.namespace and state.namespace != call.namespace:
        return _problem(
            call,
            409,
            "order_id_used",
            f"order {call.order_id} belongs to namespace {state.namespace}, not {call.namespace}: use another id",
        )
    operation = state.get(call.operation)
    if operation is not None and operation.fingerprint != call.fingerprint:
        return _problem(
            call,
            422,
            "key_reused",
            f"the key {call.key} was used with another body: an order's content never changes; use another order id",
        )
    if forward and state.tombstone:
        return with_epoch(call, state, compensated(call))
    if operation is not None and operation.state == "answered":
        return with_epoch(call, state, Answer(operation.status, operation.body))
    return None


def do(call: Call, document: Document | None, act: Act) -> Decision:
    """The do of a participant whose effect is in this document. A refusal is stored like a success."""
    state = BarrierState.of(document)
    if (decision := gate(call, state, forward=True)) is not None:
        return decision
    try:
        done = act(document)
    except Refused as refusal:
        return answered(call, state, Answer.of(refusal, call.order_id), fields=refusal.fields)
    return answered(call, state, Answer(200, done.body), fields=done.fields, effect=True)


def undo(call: Call, document: Document | None, act: Act, none: Act = nothing, *, of: str = DO) -> Decision:
    """The undo of operation `of`: takes its effect back if there is one, and leaves a tombstone in either case.

    If `act` raises Refused (the parcel is on its way), that is the answer, and nothing is stored.
    """
    state = BarrierState.of(document)
    if (decision := gate(call, state, forward=False)) is not None:
        return decision
    happened = state.happened(of)
    try:
        done = act(document) if happened else none(document)
    except Refused as refusal:
        return Answer.of(refusal, call.order_id)
    return answered(call, state.with_tombstone(), undone(call, done, happened), fields=done.fields, effect=happened)


def answered(
    call: Call, state: BarrierState, answer: Answer, *, fields: Mapping[str, Any] | None = None, effect: bool = False
) -> Write:
    """The write that stores `answer` as the answer to every call under this key."""
    kept = Operation(call.fingerprint, "answered", status=answer.status, body=answer.body)
    return change(call, state.with_operation(call.operation, kept), answer, fields=fields, effect=effect)


def change(
    call: Call, state: BarrierState, answer: Answer, *, fields: Mapping[str, Any] | None = None, effect: bool = False
) -> Write:
    """A write in the name of `call` that stores no answer; the epoch is raised with it."""
    return Write(fields or {}, _next(call, state), answer, effect)


def claimed(call: Call, state: BarrierState, *, fields: Mapping[str, Any] | None = None, forgettable: bool) -> Claimed:
    """A write in the name of `call` that makes a claim; the epoch is raised with it."""
    return Claimed(fields or {}, _next(call, state), forgettable)


def answer_of(decision: Decision) -> Answer:
    """What the caller is answered."""
    return decision.answer if isinstance(decision, Write) else decision


def with_epoch(call: Call, state: BarrierState, answer: Answer) -> Decision:
    """`answer`, together with a write of the call's epoch if that is the highest so far."""
    return change(call, state, answer) if (call.epoch or 0) > _seen(call, state) else answer


def undone(call: Call, done: Done, happened: bool) -> Answer:
    """An undo's answer: the resource, if there is one, and whether there was an effect to take back."""
    return Answer(200, {"order_id": call.order_id, **done.body, "effect": "undone" if happened else "none"})


def compensated(call: Call) -> Answer:
    """The answer to a do that meets a tombstone."""
    return _problem(
        call,
        409,
        "compensated",
        f"order {call.order_id}: {call.key} is refused for good, since its undo has come; what is to happen after all "
        "needs a new order under a new id",
    )


def running(call: Call, seconds: int, *, because: str = "another call for it is in progress") -> Answer:
    """The answer while others are at work that this call has to wait for, which is no malfunction of this service;
    `seconds` until the caller should ask again.
    """
    return _problem(
        call,
        409,
        "running",
        f"order {call.order_id}: {because}; ask again in {seconds} s with the same key",
        retry_after=seconds,
    )


def _seen(call: Call, state: BarrierState) -> int:
    """The highest epoch seen for the order that can be believed."""
    return state.epoch if state.epoch <= call.newest_epoch else 0


def _next(call: Call, state: BarrierState) -> BarrierState:
    """The next version, which keeps the highest epoch that can be believed."""
    return replace(state, epoch=_seen(call, state)).next(namespace=call.namespace, epoch=call.epoch)


def _problem(
    call: Call, status: int, code: str, detail: str, *, retry_after: int | None = None, epoch: int | None = None
) -> Answer:
    retryable = retry_after is not None
    problem = Problem(detail, status=status, code=code, retryable=retryable, retry_after=retry_after, epoch=epoch)
    return Answer.of(problem, call.order_id)
