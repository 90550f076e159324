"""What a claim is: a promise of the protocol, why it matters, and how to find out whether it is kept."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ordersaga.conformance.subject import Subject
from ordersaga.conformance.trial import Trial


@dataclass(frozen=True)
class Needs:
    """Something that has to be known of a participant to try a claim."""

    met: Callable[[Subject], bool]
    otherwise: str
    """Why it isn't tried, and what to give."""


UNDOABLE = Needs(lambda subject: subject.takes_back, "what this participant has done can't be taken back (--keeps)")
LASTING = Needs(lambda subject: not subject.takes_back, "what this participant has done can be taken back")
OTHER = Needs(lambda subject: subject.other is not None, "needs another valid body: --other-body")
REFUSED = Needs(lambda subject: subject.refused is not None, "needs a body that is refused: --refused-body")
SLOW = Needs(lambda subject: subject.slow is not None, "needs a body that is first answered 202: --slow-body")


@dataclass(frozen=True)
class Claim:
    """One promise. `check` returns if it is kept, and raises BrokenError if it isn't."""

    name: str
    """As the author finds it in docs/participants.md and after --only."""
    promise: str
    because: str
    """What goes wrong in a saga if it isn't kept."""
    check: Callable[[Trial], Awaitable[None]]
    needs: tuple[Needs, ...] = ()

    def why_not(self, subject: Subject) -> str:
        """Why it can't be tried at this participant; empty if it can."""
        return "; ".join(need.otherwise for need in self.needs if not need.met(subject))
