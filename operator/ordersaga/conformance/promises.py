"""Every promise of the protocol, why it matters, and the run of some of them against one participant."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

import httpx

from ordersaga.conformance import headers, races, sequences
from ordersaga.conformance.exchange import Exchange
from ordersaga.conformance.subject import Subject
from ordersaga.conformance.trial import BrokenError, Trial, new_run


@dataclass(frozen=True, slots=True)
class Need:
    """Something that has to be known of a participant before a promise can be tried."""

    met: Callable[[Subject], bool]
    otherwise: str
    """Why the promise isn't tried, and which option would change that."""


UNDOABLE = Need(lambda subject: subject.takes_back, "what this participant has done can't be taken back (--keeps)")
LASTING = Need(lambda subject: not subject.takes_back, "what this participant has done can be taken back")
OTHER = Need(lambda subject: subject.other is not None, "needs another valid body: --other-body")
REFUSED = Need(lambda subject: subject.refused is not None, "needs a body that is refused: --refused-body")
SLOW = Need(lambda subject: subject.slow is not None, "needs a body that is first answered 202: --slow-body")


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise. `check` returns if it is kept, and raises BrokenError if it isn't."""

    name: str
    """As it stands in docs/participants.md and after --only."""
    text: str
    because: str
    """What goes wrong in a saga if it isn't kept."""
    check: Callable[[Trial], Awaitable[None]]
    needs: tuple[Need, ...] = ()

    def why_not(self, subject: Subject) -> str:
        """Why it can't be tried at this participant; empty if it can."""
        return "; ".join(need.otherwise for need in self.needs if not need.met(subject))


class Conformity(StrEnum):
    """What became of a promise."""

    KEPT = "kept"
    BROKEN = "BROKEN"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class Result:
    """A promise that was tried, or not: `message` says what is broken, or what would be needed to try it."""

    promise: Promise
    outcome: Conformity
    message: str = ""
    timeline: Sequence[Exchange] = ()


PROMISES: tuple[Promise, ...] = (
    Promise(
        "do-twice",
        "A do happens once, and its answer is repeated.",
        "the operator repeats a call whose answer was lost: each repetition would have an effect of its own",
        sequences.do_twice,
    ),
    Promise(
        "undo-first",
        "An undo that finds nothing succeeds with effect none.",
        "a rollback undoes every step, also those whose do never arrived: it would never end",
        sequences.undo_first,
    ),
    Promise(
        "late-do",
        "A do that comes after the undo is refused: 409 compensated.",
        "a do that was delayed in the network would happen after the rollback of its order, and its effect would stay",
        sequences.late_do,
    ),
    Promise(
        "undo-twice",
        "An undo takes the effect back once, and its answer is repeated.",
        "the operator repeats a call whose answer was lost: money would be refunded twice",
        sequences.undo_twice,
        (UNDOABLE,),
    ),
    Promise(
        "do-after-undone",
        "A do that was undone stays undone: its key is answered 409 compensated, not with the stored answer.",
        "a second orchestrator would take the stored success for a step that stands, and confirm the order",
        sequences.do_after_undone,
        (UNDOABLE,),
    ),
    Promise(
        "every-order",
        "In whatever order dos and undos arrive, nothing is left after an undo.",
        "calls overtake each other on the network, and processes die between any two of them",
        sequences.every_order,
        (UNDOABLE,),
    ),
    Promise(
        "undo-too-late",
        "An undo of what can't be taken back is 409 with a business reason; nothing is stored.",
        "the records would say that an effect was undone which still stands",
        sequences.undo_too_late,
        (LASTING,),
    ),
    Promise(
        "another-body",
        "The same key with other content is 422 key_reused, and changes nothing.",
        "an order's content never changes: a caller with other content would take the stored answer for its own",
        sequences.another_body,
        (OTHER,),
    ),
    Promise(
        "refusal-stored",
        "A business refusal is 409 with its reason; repetitions are answered the same, and there is nothing to undo.",
        "a repetition would succeed after the saga has recorded the refusal, and the rollback would not undo it",
        sequences.refusal_stored,
        (REFUSED,),
    ),
    Promise(
        "accepted",
        "A do that takes its time is 202 with Location and Retry-After; the Location ends with the POST's answer.",
        "the operator reads the Location instead of repeating the call, and would never learn the outcome",
        sequences.accepted,
        (SLOW,),
    ),
    Promise(
        "undo-of-accepted",
        "An undo while the do is in progress takes it back as soon as it is settled.",
        "an effect that settles after the rollback would stay",
        sequences.undo_of_accepted,
        (SLOW, UNDOABLE),
    ),
    Promise(
        "concurrent-dos",
        "Dos at the same time have one effect, and all get the same answer.",
        "while a Lease changes hands, two operators call at once: a participant that reads first and writes later does "
        "it twice",
        races.concurrent_dos,
    ),
    Promise(
        "concurrent-undos",
        "Undos at the same time take the effect back once, and all get the same answer.",
        "while a Lease changes hands, two operators roll back at once: money would be refunded twice",
        races.concurrent_undos,
        (UNDOABLE,),
    ),
    Promise(
        "race",
        "When do and undo race, nothing is left in the end.",
        "a do that is still in progress while its order is rolled back would leave its effect",
        races.race,
        (UNDOABLE,),
    ),
    Promise(
        "names-order",
        "A success is a JSON object that names the order; an undo's also has its effect.",
        "a gateway's page with status 200, or another order's answer from a cache, would count as an effect",
        headers.names_order,
    ),
    Promise(
        "problems",
        "Every answer that isn't a success is problem+json with code, detail and retryable.",
        "the operator decides by `code`, and shows `detail` to a person",
        headers.problems,
    ),
    Promise(
        "missing-key",
        "A POST without Idempotency-Key is 400 idempotency_key_required, and the detail shows a key that works.",
        "without a key, a repetition can't be distinguished from a new call",
        headers.missing_key,
    ),
    Promise(
        "malformed-key",
        "A key that doesn't fit the route is 400 idempotency_key_invalid.",
        "a key of another step would be answered with that step's result",
        headers.malformed_key,
    ),
    Promise(
        "other-orders-key",
        "A key and a body that name different orders are 400 idempotency_key_invalid.",
        "an effect would be recorded under one order and belong to the other",
        headers.other_orders_key,
    ),
    Promise(
        "other-namespace",
        "An effect belongs to its order: another namespace's key for it is 409 order_id_used.",
        "one installation serves one namespace; a copy of the resource elsewhere would do or undo it again",
        headers.other_namespace,
    ),
    Promise(
        "stale-epoch",
        "An epoch that is lower than one seen for the order is 412 stale_epoch, and nothing happens.",
        "an operator that lost its Lease without noticing would go on beside its successor",
        headers.stale_epoch,
    ),
    Promise(
        "raised-epoch",
        "A repeated call raises the epoch, too.",
        "the successor's first calls are repetitions: after them its predecessor has to be refused",
        headers.raised_epoch,
    ),
    Promise(
        "stale-undo",
        "An undo raises the epoch as well, even if it found nothing.",
        "a predecessor's do would be taken for a new one",
        headers.stale_undo,
    ),
    Promise(
        "epoch-named",
        "A 412 stale_epoch names the epoch that was seen, in the member epoch.",
        "an operator that a stranger's call has overtaken would have to guess what to raise its epoch to",
        headers.named_epoch,
    ),
    Promise(
        "epoch-ahead",
        "An epoch far ahead of the clock is 422 epoch_ahead with the participant's time (clock), and isn't kept.",
        "a wrong clock or a stranger would shut out every operator until then",
        headers.epoch_ahead,
    ),
    Promise(
        "unknown-field",
        "An unknown field is 422 invalid, and the detail names it.",
        "a misspelt field would be ignored, and the order would be carried out without it",
        headers.unknown_field,
    ),
    Promise(
        "broken-body",
        "A body that isn't a JSON object is 422 (or 400) invalid.",
        "a 500 means that the participant is broken, and the operator would repeat the call again and again",
        headers.broken_body,
    ),
    Promise(
        "correlation",
        "X-Correlation-ID comes back in the answer.",
        "the participant's log lines of an order could not be found",
        headers.correlation,
    ),
)  # fmt: skip
"""In the order in which an author repairs them: what is broken further down often follows from what is above."""


async def try_promise(promise: Promise, trial: Trial) -> Result:
    """Find out whether it is kept."""
    if missing := promise.why_not(trial.subject):
        return Result(promise, Conformity.NOT_TRIED, missing)
    try:
        await promise.check(trial)
    except BrokenError as broken:
        return Result(promise, Conformity.BROKEN, str(broken), tuple(trial.timeline))
    return Result(promise, Conformity.KEPT, timeline=tuple(trial.timeline))


async def try_all(
    subject: Subject,
    replicas: Sequence[httpx.AsyncClient],
    *,
    only: Collection[str] = (),
    rounds: int = 5,
    longest_pause: float = 1.0,
) -> AsyncIterator[Result]:
    """One result for each promise (those named in `only`, or all), each with order ids of its own.

    `rounds` is how often each race is tried; `longest_pause` the seconds between two calls, whatever Retry-After says.
    """
    run = new_run()
    for number, promise in enumerate(PROMISES):
        if not only or promise.name in only:
            trial = Trial(subject, replicas, run=f"{run}-{number}", rounds=rounds, longest_pause=longest_pause)
            yield await try_promise(promise, trial)
