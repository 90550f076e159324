"""What may never happen (DESIGN §2 and §3), judged from the services' documents, not from the operator's belief."""

from saga_operator.process import reasons
from saga_operator.process.saga import FINISHED, Phase, Saga, settled_backward
from saga_operator.process.step_record import StepState, is_stuck
from saga_operator.process.steps import BACKWARD, FIRST, ORDER_SAGA
from tests.model.participants import CALLS, CANCEL, REJECT, UNDO, Document

NOT_REJECTED = frozenset({"missing", "refused", "pending", "confirmed"})
"""The order as long as `reject` has not answered."""
UNSETTLED = frozenset({"missing", "done", "processing", "refunding", "undoing"})
"""A participant whose undo has not answered, and that has not refused."""


BY_HAND = "Left out by hand"
"""A completed saga of which a person has left out a step."""


class Broken(AssertionError):  # noqa: N818 - it reads as what happened
    """A claim does not hold."""


def judge_effects(documents: tuple[Document, ...]) -> None:
    """Nothing happens twice, nothing is undone twice or undone without having happened."""
    for document in documents:
        if document.dos > 1:
            raise Broken(f"an effect happened twice: {document}")
        if document.undos > 1:
            raise Broken(f"an effect was undone twice: {document}")
    if any(document.undos > document.dos for document in documents[1:]):
        raise Broken(f"something was undone that had not happened: {documents}")


def judge_verdict(verdict: str, documents: tuple[Document, ...]) -> None:
    """All of it happened, or none of it is left; and so it stays, whatever arrives afterwards."""
    order, *reversible, notification = documents
    match verdict:
        case "Completed":
            all_of_it = order.kind == "confirmed" and all(d.kind == "done" and d.dos - d.undos == 1 for d in reversible)
            if not all_of_it:
                raise Broken(f"Completed, but not all of it happened: {documents}")
        case "Compensated":
            if order.kind not in ("closed", "cancelled"):
                raise Broken(f"Compensated, but the order is {order.kind}: {documents}")
            left = [d for d in reversible if d.dos != d.undos or d.kind in ("processing", "refunding", "undoing")]
            if left or order.dos or notification.dos:
                raise Broken(f"Compensated, but something is left: {documents}")
        case "Not ours" if any(document.dos for document in documents[1:]):
            raise Broken(f"the order is another one's, but something happened for it: {documents}")


def verdict_of(saga: Saga) -> str:
    """What a finished saga says of the world; empty while it isn't finished."""
    match saga.phase:
        case Phase.COMPLETED:
            # a person has left out what was refused after a stranger's confirmation, and answers for it
            left_out = any(saga[step.name].state is StepState.SKIPPED for step in (FIRST, *BACKWARD))
            return BY_HAND if left_out else "Completed"
        case Phase.COMPENSATED:
            not_ours = saga.failure is not None and saga.failure.reason == reasons.ORDER_ID_USED
            return "Not ours" if not_ours else "Compensated"
    return ""


def judge_write(before: Saga, verdict: str, after: Saga) -> None:
    """A finished saga is never written again, and an order that ended one way doesn't end another way later."""
    if before.phase in FINISHED:
        raise Broken("the status of a finished saga is written again, which the API server always refuses")
    same = {verdict, "Completed", BY_HAND} if verdict in ("Completed", BY_HAND) else {verdict}
    if verdict and verdict_of(after) not in {"", "Not ours", *same}:
        raise Broken(f"the order was {verdict}, and its saga, applied again, says {verdict_of(after)}")


def judge_undo(call: int, documents: tuple[Document, ...], *, decided: bool) -> None:
    """An undo is called only once the decision is recorded and the order rejected; the order is closed last of all."""
    if not decided:
        raise Broken(f"{CALLS[call]} before the decision to roll back was recorded")
    if call == REJECT:
        return
    order, *reversible, _ = documents
    if order.kind in NOT_REJECTED:
        raise Broken(f"{CALLS[call]} while the order is {order.kind}")
    if call == CANCEL and any(document.kind in UNSETTLED for document in reversible):
        raise Broken(f"the order is closed before everything else was undone: {documents}")


def judge_sequence(call: int, saga: Saga, now: float) -> None:
    """Steps are undone in reverse order, among those that neither wait nor are stuck."""
    step = ORDER_SAGA[call % UNDO]
    if call < UNDO or step not in BACKWARD:
        return
    for earlier in BACKWARD[: BACKWARD.index(step)]:
        record = saga[earlier.name]
        if not settled_backward(saga, earlier) and not is_stuck(record) and record.retry_at <= now:
            raise Broken(f"{step.name} is undone while {earlier.name} could be")
