"""Which sagas are meant, in which order, and what is wrong with them: for the terminal and for the page. Pure."""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Self, TypeVar

from ordersaga.phases import FINISHED, Phase
from ordersaga.saga.facts import CUSTOMER_NOT_TOLD, NOT_BEGUN, Facts
from ordersaga.saga.record import STEPS
from ordersaga.saga.words import count, seconds_in
from saga_operator.process import reasons

F = TypeVar("F", bound=Facts)

SORTS: Final = ("age", "name", "customer", "phase", "step", "reason", "waiting")
_RANK: Final = {
    phase: rank
    for rank, phase in enumerate(
        ("Failed", "Compensating", "Suspended", "Pending", "Running", "Compensated", "Completed")
    )
}
"""Of phases, by how much a person has to look at them."""
_STEP: Final = {step: number for number, step in enumerate(STEPS)}
_CONDITIONS: Final = ("CompensationRetried", "CancelRefused", CUSTOMER_NOT_TOLD)
"""Words that find sagas beside the reasons that have a meaning of their own."""

NEAR: Final = 0.75
"""How like a reason a word has to be, of 1, to be taken for a slip: difflib's own 0.6 finds words that nobody meant."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A saga is meant if all of it is true of it; what is empty is true of each."""

    phases: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    """Of its record, or the word for its trouble."""
    customer: str = ""
    part: str = ""
    """Of its id."""
    by: str = ""
    """In the name of somebody who asked for its state, or intervened last."""
    labels: str = ""
    """What the API server selects by them; nobody else can tell."""
    older: float = 0.0
    """Seconds since it was created, at least."""
    newer: float = 0.0
    """At most; 0: however old."""
    finished: bool = False
    """Completed and Compensated ones as well."""
    needs_person: bool = False
    """Only those with which nothing more happens by itself."""

    @classmethod
    def said(
        cls,
        *,
        phase: Iterable[str] = (),
        step: Iterable[str] = (),
        reason: Iterable[str] = (),
        customer: str = "",
        part: str = "",
        by: str = "",
        labels: str = "",
        older: float = 0.0,
        newer: float = 0.0,
        finished: bool = False,
        needs_person: bool = False,
    ) -> Self:
        """In words, several of them being one text with commas, or several texts.

        Raises:
            ValueError: there is no such phase or step.
        """
        return cls(
            phases=_chosen("phase", phase, tuple(Phase)),
            steps=_chosen("step", step, STEPS),
            reasons=frozenset(map(spelt, _words(reason))),
            customer=customer,
            part=part,
            by=by,
            labels=labels,
            older=older,
            newer=newer,
            finished=finished,
            needs_person=needs_person,
        )

    @property
    def is_empty(self) -> bool:
        """Whether every open saga is meant."""
        return self == Selection()

    def parameters(self) -> dict[str, str]:
        """What the API server can select by itself: never less than what is meant."""
        fields = []
        if len(self.phases) == 1 and "Pending" not in self.phases:  # which has none until the operator writes one
            fields.append(f"status.phase={next(iter(self.phases))}")
        elif not self.phases & FINISHED and (self.phases or not self.finished):
            fields += [f"status.phase!={phase}" for phase in sorted(FINISHED)]
        if len(self.steps) == 1:
            fields.append(f"status.currentStep={next(iter(self.steps))}")
        if self.customer:
            fields.append(f"spec.customerID={self.customer}")
        chosen = {"fieldSelector": ",".join(fields), "labelSelector": self.labels}
        return {key: value for key, value in chosen.items() if value}

    def takes(self, saga: Facts, now: float) -> bool:
        """Whether this one is meant."""
        age = now - saga.created
        return (
            (saga.phase in self.phases if self.phases else self.finished or saga.phase not in FINISHED)
            and (not self.steps or saga.step in self.steps)
            and (not self.reasons or not self.reasons.isdisjoint(saga.reasons) or saga.trouble_at(now) in self.reasons)
            and (not self.customer or saga.customer == self.customer)
            and (not self.part or self.part in saga.name)
            and (not self.by or any(self.by in person for person in saga.people))
            and age >= self.older
            and (not self.newer or age <= self.newer)
            and (not self.needs_person or saga.needs_person(now))
        )


@dataclass(frozen=True, slots=True)
class Group:
    """Sagas with the same trouble at the same step."""

    trouble: str
    step: str
    number: int
    customers: int
    """How many of them."""
    oldest: float
    """When the first of them was created."""
    since: float | None
    """When the first of them got into that trouble."""
    needs_person: bool
    example: str
    """The oldest's name."""


def grouped(sagas: Iterable[Facts], now: float) -> Sequence[Group]:
    """The trouble of these sagas by step and reason: what needs a person first, then the most frequent."""
    found: dict[tuple[str, str], list[Facts]] = {}
    for saga in sagas:
        if trouble := saga.trouble_at(now):
            found.setdefault((trouble, saga.step), []).append(saga)
    groups = [
        Group(
            trouble=trouble,
            step=step,
            number=len(of),
            customers=len({saga.customer for saga in of}),
            oldest=(first := min(of, key=lambda saga: (saga.created, saga.name))).created,
            since=min(filter(None, (saga.troubled_since(now) for saga in of)), default=None),
            needs_person=any(saga.needs_person(now) for saga in of),
            example=first.name,
        )
        for (trouble, step), of in found.items()
    ]
    return sorted(groups, key=lambda group: (not group.needs_person, -group.number, group.step, group.trouble))


def spelt(reason: str) -> str:
    """A reason as the resources have it, also if it is written as the services spell it: `card_declined`."""
    reason = "_".join(reason.replace("-", " ").split())
    plain = reason.replace("_", "").lower()
    if known := next((each for each in _words_known() if each.lower() == plain), ""):
        return known
    return reason if reason != reason.lower() else "".join(part.capitalize() for part in reason.split("_"))


def near(asked: Iterable[str], there: Iterable[str]) -> str:
    """`; did you mean MarkedCompensated?`, if these words are no reasons but like some; "" if there is nothing to say.

    `there`: the reasons of the sagas that were looked at, of which some are a service's own.
    """
    known = sorted({*_words_known(), *filter(None, there)})
    by_plain = {each.lower(): each for each in known}
    meant: dict[str, None] = {}
    for word in sorted(set(asked) - set(known)):
        for found in get_close_matches(word.replace("_", "").lower(), by_plain, n=1, cutoff=NEAR):
            meant[by_plain[found]] = None
    return f"; did you mean {' or '.join(meant)}?" if meant else ""


def _words_known() -> tuple[str, ...]:
    return (NOT_BEGUN, *_CONDITIONS, *reasons.MEANINGS)


def summed(sagas: Iterable[tuple[str, str, str]]) -> str:
    """How many there are of how many customers, and by phase: of phases, customers and reasons.

    Of those that have ended the reasons as well, the most frequent first; those of open ones are in the groups.
    """
    found = list(sagas)
    phases: dict[str, Counter[str]] = {}
    for phase, _, reason in found:
        phases.setdefault(phase, Counter())[reason if phase in FINISHED and reason != phase else ""] += 1
    said = [f"{of.total():,} {phase}{_by_reason(of)}" for phase, of in sorted(phases.items())]
    customers = count(len({customer for _, customer, _ in found}), "customer")
    return f"{count(len(found), 'saga')} of {customers}: {', '.join(said)}"


def _by_reason(reasons_: Counter[str]) -> str:
    named = [f"{number:,} {reason}" for reason, number in reasons_.most_common() if reason]
    return f" ({', '.join(named)})" if named else ""


def sorted_by(sagas: Iterable[F], sort: str, *, reverse: bool = False) -> list[F]:
    """By one of `SORTS`; the name decides between equal ones. `age`: the youngest first; the same within a phase.

    `waiting`: who has been in trouble for longest first, and those last that are in none.
    """

    def key(saga: Facts) -> tuple[object, ...]:
        match sort:
            case "age":
                return (-saga.created, saga.name)
            case "step":
                return (_STEP.get(saga.step, -1), saga.name)
            case "customer":
                return (saga.customer, saga.name)
            case "reason":
                return (saga.reason, saga.name)
            case "waiting":
                since = saga.since if saga.trouble else None if saga.is_seen else saga.created
                return (since is None, since or 0.0, saga.name)
            case "name":
                return (saga.name,)
        return (_RANK.get(saga.phase, len(_RANK)), -saga.created, saga.name)

    return sorted(sagas, key=key, reverse=reverse)


def add_filter(parser: argparse.ArgumentParser, *, reason: str = "--reason") -> None:
    """The options of a filter, for every command that takes one; `reason`: the name of that which is about reasons."""
    group = parser.add_argument_group("which sagas (all that is said must be true)")
    group.add_argument(
        "--phase", action="append", metavar="PHASE", help="such as Failed; several: --phase Failed,Suspended"
    )
    group.add_argument("--step", action="append", metavar="STEP", help="at this step, such as payment")
    group.add_argument(
        reason,
        dest="with_reason",
        action="append",
        metavar="REASON",
        help="such as CardDeclined or card_declined, or a TROUBLE of list",
    )
    group.add_argument("--customer", metavar="ID", default="", help="of this customer")
    group.add_argument("--id", dest="part", metavar="PART", default="", help="with this in the order's id")
    group.add_argument(
        "--by",
        metavar="PART",
        default="",
        help="suspended, cancelled or intervened in by somebody with this in the name",
    )
    group.add_argument("-l", "--selector", metavar="LABELS", default="", help="with these labels, as in kubectl")
    group.add_argument("--older", metavar="TIME", type=time_of, default=0.0, help="created before, such as 5m, 2h, 1d")
    group.add_argument("--newer", metavar="TIME", type=time_of, default=0.0, help="created since")
    group.add_argument("--needs-person", action="store_true", help="with which nothing more happens by itself")
    group.add_argument("--all", dest="finished", action="store_true", help="Completed and Compensated ones as well")


def selection_of(options: argparse.Namespace) -> Selection:
    """What these options mean.

    Raises:
        ValueError: there is no such phase or step.
    """
    return Selection.said(
        phase=options.phase or (),
        step=options.step or (),
        reason=options.with_reason or (),
        customer=options.customer,
        part=options.part,
        by=options.by,
        labels=options.selector,
        older=options.older,
        newer=options.newer,
        finished=options.finished,
        needs_person=options.needs_person,
    )


def _words(given: Iterable[str]) -> list[str]:
    return [each for text in given for each in text.split(",") if each]


def _chosen(kind: str, given: Iterable[str], known: Sequence[str]) -> frozenset[str]:
    names = {name.lower(): str(name) for name in known}
    wanted = _words(given)
    for each in wanted:
        if each.lower() not in names:
            raise ValueError(f"there is no {kind} {each!r}: {', '.join(map(str, known))}")
    return frozenset(names[each.lower()] for each in wanted)


def time_of(text: str) -> float:
    """The type of an option that takes a time."""
    try:
        return seconds_in(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
