"""The spans of one saga: itself, each action and compensation under it, and their attempts under those."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from common.tracing.context import TraceContext
from common.tracing.span import Span, Status, Value
from saga_operator.process import reasons
from saga_operator.process.saga import Intervention, Phase, Saga
from saga_operator.process.step_record import StepRecord, StepState, is_stuck
from saga_operator.process.steps import BY_NAME, Step
from saga_operator.resource.attempts import CallAttempt, History, history_of
from saga_operator.resource.body import Resource
from saga_operator.resource.status import saga_of
from saga_operator.resource.times import read_time
from saga_operator.resource.trace.calls import Attempt, Calls
from saga_operator.resource.trace.place import Place

LATEST: Final = 9e9
"""Seconds since the epoch, the year 2255: times in a span are 64 bits of nanoseconds, and a status takes any date."""
ERRORS: Final = frozenset({"Unavailable", "EpochRefused"})
"""Outcomes of an attempt that are errors; what was refused for business is none."""


@dataclass(frozen=True, slots=True)
class Story:
    """What is known of a saga. Live it has the times that the process saw; recorded, all but those of calls are whole
    seconds.
    """

    saga: Saga
    history: History
    definition: str = ""
    completed: float | None = None
    seen: float | None = None
    """When the process that worked on it saw it first."""

    @classmethod
    def recorded(cls, resource: Resource) -> "Story":
        """What the resource says, or an archived one. Raises KeyError, ValueError: our schema has not validated it."""
        status = resource.status
        definition, completed = str(status.get("definitionHash") or ""), read_time(status.get("completionTime"))
        return cls(saga_of(resource), history_of(status), definition, completed)

    def as_seen(self, saga: Saga, history: History, seen: float) -> "Story":
        """The same with what the process knows that worked on it to its end."""
        return replace(self, saga=saga, history=history, seen=seen)


def spans_of(place: Place, story: Story) -> list[Span]:
    """All of them, each after its parent; none ends before it begins, or lies outside its parent.

    One that would is no reason to doubt it: recorded times are rounded, and clocks are set. So the parent
    is made as long as its children need.
    """
    saga = story.saga
    under = [
        span for record in saga.steps for undo in (False, True) for span in _step(place, saga, record, story, undo)
    ]
    began = saga.created if story.seen is None or story.seen > saga.created + 1 else max(story.seen, saga.created)
    starts = [began, *(span.start for span in under)]
    ends = [began, *(span.end for span in under)]
    if story.completed is not None:  # whole seconds: it may be said to end before it began
        ends.append(story.completed)
    failure = saga.failure
    more: dict[str, Value] = {"ordersaga.phase": str(saga.phase)}
    if failure is not None:
        more |= {"ordersaga.reason": failure.reason} | ({"ordersaga.step.name": failure.step} if failure.step else {})
    if story.definition:
        more["ordersaga.definition"] = story.definition
    status: Mapping[Phase, Status] = {Phase.COMPLETED: "ok", Phase.FAILED: "error"}
    root = Span(
        "saga",
        "internal",
        place.saga,
        place.parent,
        _sane(min(starts)),
        _sane(max(ends)),
        _about(place, saga) | more,
        status=status.get(saga.phase, "unset"),
        message=reasons.COMPENSATION_FAILED if saga.phase is Phase.FAILED else "",
    )
    return [root, *under]


def intervention_of(place: Place, saga: Saga) -> Span | None:
    """The only span of the trace that the last intervention has of its own, linked to the saga's."""
    done = saga.intervention
    return None if done is None or done.time is None else beside(place, saga, _asked(done), done.id, done.time)


def beside(place: Place, saga: Saga, what: "Asked", which: str, at: float) -> Span:
    """A trace of its own for something that was done to a saga: back ends cut a trace that gets spans after minutes.

    `which`: tells it from others of its kind.
    """
    context = place.beside(what.kind, which)
    links: list[TraceContext] = [place.saga]
    attributes = _about(place, saga) | dict(what.attributes)
    return Span(what.name, "internal", context, None, _sane(at), _sane(at), attributes, links)


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that was done to a saga. Who did it is in the resource: users' names are in no span."""

    kind: str
    name: str
    attributes: Mapping[str, Value]


def _asked(done: Intervention) -> Asked:
    attributes = {"action": done.action, "step.name": done.step, "outcome": done.outcome}
    said: dict[str, Value] = {f"ordersaga.{name}": value for name, value in attributes.items() if value}
    return Asked("intervention", f"intervention {done.action}", said)


def asked_between(place: Place, old: Saga, new: Saga, at: float) -> Iterator[Span]:
    """What was done to the saga by the change from one to the other: a trace for each."""
    if new.intervention is not None and (old.intervention is None or old.intervention.id != new.intervention.id):
        yield beside(place, new, _asked(new.intervention), new.intervention.id, at)
    if old.failure is None and new.failure is not None and new.failure.reason in (reasons.CANCELLED, reasons.DELETED):
        said: dict[str, Value] = {"ordersaga.reason": new.failure.reason}
        said |= {"ordersaga.step.name": new.failure.step} if new.failure.step else {}
        yield beside(place, new, Asked("cancel", "cancel", said), "", at)
    if old.suspended_at is not None and new.suspended_at is None:
        lasted: dict[str, Value] = {"ordersaga.suspended.seconds": max(0.0, at - old.suspended_at)}
        yield beside(place, new, Asked("resume", "resume", lasted), str(int(old.suspended_at)), at)


def _step(place: Place, saga: Saga, record: StepRecord, story: Story, undo: bool) -> list[Span]:
    """The action or the compensation of one step, with its attempts; none if it was never called."""
    step = BY_NAME[record.name]
    known = tuple(call for call in story.history.get(record.name, ()) if (call.operation == "undo") is undo)
    calls = _undos(record, known) if undo else _dos(record, known)
    if not calls.were_made:
        return []
    attempts = calls.attempts(saga.created)
    context = place.step(record.name, undo=undo)
    about = _about(place, saga) | _of_step(step, undo)
    below = [_attempt(place, step, each, about, undo) for each in attempts]
    times = [at for at in (calls.start, calls.end) if at is not None]
    times = [_sane(at) for at in times] + [at for span in below for at in (span.start, span.end)]
    failed = is_stuck(record) if undo else calls.outcome == str(StepState.UNKNOWN)
    said: dict[str, Value] = {"ordersaga.outcome": calls.outcome, "ordersaga.attempts": calls.counted}
    said |= {"ordersaga.reason": calls.reason} if calls.reason else {}
    said |= {"error.type": calls.reason or calls.outcome} if failed else {}
    whole = Span(
        f"{record.name} {'undo' if undo else 'do'}",
        "internal",
        context,
        place.saga.span_id,
        min(times),
        max(times),
        about | said,
        [place.step(record.name, undo=False)] if undo and _dos(record, _of(story, record)).were_made else [],
        "error" if failed else "unset",
        (calls.reason or calls.outcome) if failed else "",
    )
    return [whole, *below]


def _of(story: Story, record: StepRecord) -> tuple[CallAttempt, ...]:
    return tuple(call for call in story.history.get(record.name, ()) if call.operation != "undo")


def _dos(record: StepRecord, known: tuple[CallAttempt, ...]) -> Calls:
    undone = record.state is StepState.COMPENSATED and record.compensation.reason != reasons.MARKED_COMPENSATED
    unrecorded = undone and not (record.attempts or known) and record.start is None
    done = str(StepState.SUCCEEDED) if unrecorded else _did(record, known)
    return Calls(record.attempts, record.start, record.completion, done, record.reason, known, unrecorded)


def _did(record: StepRecord, known: tuple[CallAttempt, ...]) -> str:
    """What became of the action, also if it was undone since."""
    if record.state is StepState.UNKNOWN and record.completion is not None:
        return str(StepState.SUCCEEDED)  # unknown is what becomes of its undo, which a person has tried again
    settled = (StepState.REFUSED, StepState.UNKNOWN, StepState.PENDING)
    if record.state in settled or (record.state is StepState.SKIPPED and record.compensation.completion is None):
        return str(record.state)
    if record.completion is not None:
        return str(StepState.SUCCEEDED)
    return known[-1].outcome if known else str(StepState.UNKNOWN)


def _undos(record: StepRecord, known: tuple[CallAttempt, ...]) -> Calls:
    undo = record.compensation
    if is_stuck(record):
        outcome = str(StepState.COMPENSATION_FAILED)
    elif undo.completion is None:
        outcome = known[-1].outcome if known else str(StepState.PENDING)
    else:
        outcome = "Undone"
    return Calls(undo.attempts, undo.start, undo.completion, outcome, undo.reason, known)


def _attempt(place: Place, step: Step, attempt: Attempt, about: Mapping[str, Value], undo: bool) -> Span:
    path = step.undo if undo else step.do
    said: dict[str, Value] = {
        "ordersaga.step.attempt": attempt.number,
        "http.request.method": "POST",
        "url.path": str(path),
    }
    if attempt.number > 1:
        said["http.request.resend_count"] = attempt.number - 1
    if attempt.outcome:
        said["ordersaga.outcome"] = attempt.outcome
    else:
        said["ordersaga.estimated"] = True
    said |= {"ordersaga.reason": attempt.reason} if attempt.reason else {}
    failed = attempt.outcome in ERRORS
    said |= {"error.type": attempt.reason or attempt.outcome} if failed else {}
    return Span(
        f"POST {path}",
        "client",
        place.attempt(step.name, attempt.number, undo=undo),
        place.step(step.name, undo=undo).span_id,
        _sane(attempt.start),
        _sane(max(attempt.start, attempt.end)),
        {**about, **said},
        status="error" if failed else "unset",
        message=(attempt.reason or attempt.outcome) if failed else "",
    )


def _about(place: Place, saga: Saga) -> dict[str, Value]:
    return {
        "ordersaga.order.id": saga.order.order_id,
        "ordersaga.saga.uid": place.uid,
        "k8s.namespace.name": saga.order.namespace,
    }


def _of_step(step: Step, undo: bool) -> dict[str, Value]:
    return {
        "ordersaga.step.name": step.name,
        "ordersaga.step.kind": step.kind.name.lower(),
        "ordersaga.step.operation": "undo" if undo else "do",
        "ordersaga.participant": step.participant,
    }


def _sane(seconds: float) -> float:
    return min(max(seconds, 0.0), LATEST)
