"""How a participant describes an effect outside the database: what it asks of a provider, and what can come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from common.barrier.rules import Document

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Happened:
    """The provider did it; `fields` are set in the document."""

    fields: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has accepted it and will settle it later: the caller is told to ask again in `retry_after` seconds
    (rounded up to whole ones, from 1 to 60).
    """

    fields: Fields = field(default_factory=dict)
    retry_after: float = 1


class Effect(Protocol):
    """One participant's effect at its provider. Its methods get everything they need from the document.

    How `ask`, `find`, `resolve` and `take_back` may end, and what the barrier makes of it:

        returns Happened      the provider did it                            200, stored
        raises Refused        the provider refuses for good                  409, stored (do) or not stored (undo)
        returns Accepted      the provider will settle it (not take_back)    202, `pending` until `Claims.resume`
        raises Unavailable    this attempt did nothing and never will        503, the claim is released
        raises anything else  the outcome is unknown (time-out, lost answer) 503, counts as possibly done

    The `fields` of a Refused are set in the document in either case.
    """

    async def ask(self, document: Document) -> Happened | Accepted:
        """Make the effect happen or, if a call of the last minutes did, learn its outcome: always under the same
        provider key.
        """

    async def find(self, document: Document) -> Happened | Accepted | None:
        """What became of an earlier call, looked up by the order and not by the key; None if the provider knows none.

        It is called before `ask` and `resolve` whenever an earlier call may have reached the provider. That may have
        been weeks ago, and a provider forgets its keys (many after 24 hours): asked again, it would do it again.
        """

    async def resolve(self, document: Document) -> Happened | Accepted:
        """Learn the outcome of a do whose process died, so that it can be undone; `find` has found nothing.

        If that process's request may still be on its way to the provider, do what `ask` does: the provider honours its
        key, so that the later of the two requests changes nothing.
        """

    async def take_back(self, document: Document) -> Happened:
        """Take the effect back, under a second provider key, unless the provider says that it was taken back already.

        An earlier call may have done it that left no trace, so this one always looks first.
        """

    def taking_back(self, document: Document) -> Fields:
        """Fields to set when an undo begins. Raises Refused, before anything is written, if it can't be undone."""

    def nothing_happened(self, document: Document) -> Fields:
        """Fields to set when the undo of a do that never happened ends."""

    def resource(self, document: Document) -> Mapping[str, Any]:
        """The resource in this document, as the body of an answer. Never called for tombstones and bare refusals."""
