"""The sentence: what a saga waits for, since when, why, what happens by itself, and what a person can do. Pure.

`kubectl saga show` and `why` say it, and so does the page: from the resource alone, so that it is the same everywhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from ordersaga.phases import Phase
from ordersaga.saga.record import PIVOT, Record, StepRecord, participant_of
from ordersaga.saga.words import at, clock, exactly, plain, span, took
from saga_operator.process import reasons

UNSEEN_SECONDS: Final = 15.0
"""A saga that nobody has begun for longer than a take-over between operators takes."""
MINUTE: Final = 60.0
BY_HAND: Final = ("inventory", "payment", "shipping")
"""Whose effects a person can undo, and say so."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Each part is one or more whole sentences, or "" if there is nothing to say."""

    state: str
    """What it waits for or has come to, and since when."""
    why: str = ""
    itself: str = ""
    """What happens without anybody's doing."""
    person: str = ""
    """What a person can do, with the command."""
    needs_person: bool = False
    """Nothing more happens unless a person decides."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.state, self.why, self.itself, self.person) if part)


def sentence_of(saga: Record, now: float) -> Sentence:
    """Of this saga, `now` being in seconds since the epoch."""
    if not saga.is_seen:
        return _unseen(saga, now)
    sentence = _as_recorded(saga, now)
    if asked := unread(saga):
        return replace(sentence, state=f"{asked}, which no operator has read yet. {sentence.state}")
    return sentence


def unread(saga: Record) -> str:
    """What somebody has asked for that isn't in the status yet, such as `ann has asked to cancel it`; mostly ""."""
    if saga.is_read or saga.is_finished:
        return ""
    who = saga.requested_by or "Somebody"
    match saga.desired:
        case "Cancelled" if saga.failure is None and saga.condition("CancelRefused")[0] != "True":
            return f"{who} has asked to cancel it"
        case "Suspended" if saga.suspended is None and saga.failure is None:
            return f"{who} has asked to suspend it"
        case "Active" if saga.suspended is not None:
            return f"{who} has asked to resume it"
    return ""


def _as_recorded(saga: Record, now: float) -> Sentence:
    _, reason, message = saga.condition("WorkerFailed")
    if message and not saga.is_finished:
        return Sentence(
            f"The operator has not been able to work on it{_for(saga.since('WorkerFailed'), now)}.",
            f"{reason}: {_full_stop(message)}",
            "It tries again every few minutes, and whenever the resource changes.",
            _to_do(reasons.WORKER_FAILED),
            needs_person=True,
        )
    match saga.phase:
        case Phase.COMPLETED:
            return _completed(saga, now)
        case Phase.COMPENSATED:
            return _compensated(saga, now)
        case Phase.FAILED:
            return _failed(saga, now)
        case Phase.COMPENSATING:
            return _compensating(saga, now)
        case Phase.SUSPENDED:
            return _suspended(saga, now)
    return _running(saga, now)


def _unseen(saga: Record, now: float) -> Sentence:
    age = now - saga.created
    if age < UNSEEN_SECONDS:
        return Sentence(f"Created {_ago(saga.created, now)}, and about to be begun.")
    return Sentence(
        f"Nobody has begun it, though it was created {_ago(saga.created, now)}.",
        f"No operator works in namespace {saga.namespace}, or it is far behind.",
        "It is begun as soon as one works.",
        "`kubectl saga doctor` says what is wrong.",
        needs_person=True,
    )


def _completed(saga: Record, now: float) -> Sentence:
    state = f"Completed {_ago(saga.completed, now)}{_within(saga)}: all of it happened."
    status, reason, message = saga.condition("CompletedWithWarning")
    if status == "True":
        return Sentence(
            state, f"But {message} ({reason}).", "", plain(reasons.MEANINGS[reasons.COMPLETED_WITH_WARNING].to_do)
        )
    status, _, message = saga.condition("CancelRefused")
    if status == "True":
        return Sentence(state, _capital(_full_stop(message)), "", _to_do(reasons.ALREADY_CONFIRMED))
    return Sentence(state)


def _compensated(saga: Record, now: float) -> Sentence:
    state = f"Rolled back {_ago(saga.completed, now)}{_within(saga)}: none of it is left."
    return Sentence(state, _cause(saga), "", "The customer can place a new order, under a new id.")


def _failed(saga: Record, now: float) -> Sentence:
    since = _for(saga.since("Stalled"), now)
    stuck = [step for step in saga.steps if step.is_stuck]
    if not stuck:
        step = saga.step
        return Sentence(
            f"Stuck{since}: {step} was refused after the order had been confirmed.",
            _why_of(saga.of(step)),
            "Nothing more happens by itself.",
            f"Deal with the refusal and call it again (`kubectl saga retry {saga.name} {step} --reason …`), or "
            f"complete the order without it (`kubectl saga skip {saga.name} {step} --reason …`).",
            needs_person=True,
        )
    names = " and ".join(step.name for step in stuck)
    whys = " ".join(_undo_said(step) for step in stuck)
    first = stuck[0].name
    choice = f"Mend what it says and try again: `kubectl saga retry {saga.name} {first} --reason …`."
    if first in BY_HAND:
        choice += f" Or undo it by hand, and say so: `kubectl saga mark-compensated {saga.name} {first} --reason …`."
    return Sentence(
        f"Stuck{since}: {names} could not be undone.",
        f"{whys} {_cause(saga)}",
        "Nothing more happens by itself.",
        choice,
        needs_person=True,
    )


def _compensating(saga: Record, now: float) -> Sentence:
    step = saga.of(saga.step)
    undo = None if step is None else step.undo
    if saga.waiting is not None or (undo is not None and undo.reason in reasons.DOWNSTREAM):
        return _waiting(saga, "Being rolled back, which has waited", now)
    what = "rejecting the order" if saga.step == PIVOT else f"undoing {saga.step}"
    state = f"Being rolled back: {what}{_for(None if undo is None else undo.began, now)}."
    if undo is not None and undo.attempts and undo.message:
        again = f"It is tried again{_when(saga, now)}, until its attempts are spent: then a person has to decide."
        if saga.step == PIVOT:
            again = f"It is tried again{_when(saga, now)}, without a limit: nothing is undone before it has answered."
        said = f"{_capital(_times(undo.attempts))}, and not done: {_full_stop(undo.message)}"
        return Sentence(state, f"{said} {_cause(saga)}", again, _retry(saga))
    return Sentence(state, _cause(saga), "It goes on until nothing is left.")


def _suspended(saga: Record, now: float) -> Sentence:
    who = f" by {saga.requested_by}" if saga.requested_by else ""
    return Sentence(
        f"Suspended{who}{_on(saga.suspended, now)}, before {saga.step}.",
        "",
        "No step is called, and its deadline stands still, until somebody resumes it.",
        f"`kubectl saga resume {saga.name}`, or `kubectl saga cancel {saga.name}` to undo it.",
        needs_person=True,
    )


def _running(saga: Record, now: float) -> Sentence:
    step = saga.of(saga.step)
    do = None if step is None else step.do
    _, _, trouble = saga.condition(_WAITS)
    if trouble or saga.waiting is not None:
        return _waiting(saga, "Has waited", now)
    if do is None or not do.reason:
        began = None if do is None else do.began
        what = f"Calling {saga.step}{_for(began, now)}." if began is not None else f"About to call {saga.step}."
        return Sentence(what, "", "It goes on by itself.")
    if do.reason == reasons.IN_PROGRESS:
        state = f"{_capital(saga.step)} has accepted the call, and has been working on it{_for(do.began, now)}."
        return Sentence(state, "", "It is asked again until it is done.")
    state = f"Waits to call {saga.step} again{_when(saga, now)}, and has tried{_for(do.began, now)}."
    itself = "It is called again without a limit, since the order is confirmed."
    if not saga.is_confirmed:
        latest = "" if saga.deadline is None else f", and at {clock(saga.deadline)} at the latest,"
        itself = f"It is called again; after {saga.attempts_allowed} attempts{latest} the order is rolled back."
    said = _times(do.attempts) if do.attempts else "not counted as an attempt"  # it asked for a longer pause
    return Sentence(state, f"{_capital(said)}: {_full_stop(do.message)}", itself, _retry(saga))


_WAITS: Final = "WaitingForDownstream"
_AT_NO_COST: Final = "that costs no attempt, and no deadline runs."


def held_by(saga: Record) -> tuple[str, str]:
    """Why its call is held back, and what is said of that; "" twice if none is.

    Several undos may wait, for one service that is down and another that is paused: the step counts at which it stands.
    """
    status, reason, message = saga.condition(_WAITS)
    if status != "True":
        return "", ""
    step = saga.of(saga.step)
    call = None if step is None else step.do if saga.failure is None else step.undo
    if call is not None and call.reason in reasons.DOWNSTREAM:
        return call.reason, call.message
    return reason, message


def _waiting(saga: Record, lead: str, now: float) -> Sentence:
    """For a service that is down, or that somebody has paused: nobody has to find out why that one doesn't answer."""
    reason, message = held_by(saga)
    # an undo and a step after the confirmation have no `waitingSince`, which is for the deadline
    since = _for(saga.since(_WAITS) if saga.waiting is None else saga.waiting, now)
    why = f"{_full_stop(_capital(message))} {_cause(saga)}".rstrip()
    if reason == reasons.PARTICIPANT_PAUSED:
        service, active = participant_of(saga.step), """'{"spec":{"state":"Active"}}'"""
        return Sentence(
            f"{lead}{since} for {saga.step}, which is paused.",
            why,
            f"It goes on by itself when somebody sets the participant to Active again; {_AT_NO_COST}",
            f"When it may be called: `kubectl patch participant {service} --type merge -p {active}`.",
        )
    return Sentence(
        f"{lead}{since} for {saga.step}, which is down.",
        why,
        f"It goes on by itself when the service answers again; {_AT_NO_COST}",
        f"Bring the service back. To probe it at once: `kubectl saga retry {saga.name} {saga.step} --reason …`.",
    )


def _retry(saga: Record) -> str:
    return f"To call it now: `kubectl saga retry {saga.name} {saga.step} --reason …`."


def _cause(saga: Record) -> str:
    if saga.failure is None:
        return ""
    step, reason, message = saga.failure
    match reason:
        case reasons.CANCELLED:
            who = f" by {saga.requested_by}" if saga.requested_by else ""
            return f"It was cancelled{who}{f' at {step}' if step else ''}."
        case reasons.DELETED:
            said = f": {saga.deletion_reason}" if saga.deletion_reason else ""
            return f"Its resource was deleted{said}."
    where = f"{step}: " if step else ""
    return f"The cause is {where}{reason}{f', {_full_stop(message)}' if message else '.'}"


def _undo_said(step: StepRecord) -> str:
    undo = step.undo
    if undo is None or not undo.message:
        return ""
    return f"{_capital(step.name)}, {_times(undo.attempts)}: {_full_stop(undo.message)}"


def _why_of(step: StepRecord | None) -> str:
    return "" if step is None or not step.do.reason else f"{step.do.reason}: {_full_stop(step.do.message)}"


def _to_do(reason: str) -> str:
    return plain(reasons.MEANINGS[reason].to_do)


def _within(saga: Record) -> str:
    if saga.completed is None or saga.started is None:
        return ""
    return f", after {took(saga.completed - saga.started)}"


def _ago(moment: float | None, now: float) -> str:
    return "an unknown time" if moment is None else "just now" if now - moment < 1 else f"{exactly(now - moment)} ago"


def _for(since: float | None, now: float) -> str:
    """` for 45 s`, ` for 1 min 26 s (since 02:15:04Z)`; nothing while it is less than a second, or unknown."""
    if since is None or now - since < 1:
        return ""
    moment = f" (since {at(since, now)})" if now - since >= MINUTE else ""  # younger ones are counted to the second
    return f" for {exactly(now - since)}{moment}"


def _on(moment: float | None, now: float) -> str:
    """` 1 min 26 s ago (02:15:04Z)`, of what somebody did."""
    if moment is None:
        return ""
    return f" {_ago(moment, now)}{f' ({at(moment, now)})' if now - moment >= MINUTE else ''}"


def _when(saga: Record, now: float) -> str:
    due = saga.next_attempt
    return "" if due is None else " now" if due <= now else f" in {span(due - now)}"


def _times(number: int) -> str:
    return "tried once" if number == 1 else f"tried {number} times"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _full_stop(text: str) -> str:
    text = text.rstrip()
    return text if not text or text[-1] in ".!?…" else f"{text}."


def parts(sentence: Sentence) -> Iterator[tuple[str, str]]:
    """Its parts with their names, for a layout in lines; those that are empty are left out."""
    named = (
        ("State", sentence.state),
        ("Why", sentence.why),
        ("By itself", sentence.itself),
        ("You can", sentence.person),
    )
    yield from ((name, text) for name, text in named if text)
