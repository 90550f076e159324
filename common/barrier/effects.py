"""What a participant with an effect outside the database tells the barrier about it (see common.barrier.claims)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from common.barrier.rules import Document

Fields: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Happened:
    """The provider did it; `fields` go into the document."""

    fields: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has accepted it and will settle it later: the caller is told to ask again in `retry_after` seconds
    (rounded up to whole ones, from 1 to 60).
    """

    fields: Fields = field(default_factory=dict)
    retry_after: float = 1


class Effect(Protocol):
    """One participant's effect at its provider. All it needs to know is in the document.

    What `ask` and `take_back` say, and what becomes of it:

        returns Happened      it happened                                stored
        raises Refused        a business no, for good                    stored (do) / answered, not stored (undo)
        returns Accepted      it will be settled later: 202 (only ask)   `pending`, until `Claims.resume` finds out
        raises Unavailable    this attempt did nothing and never will    the claim is released, 503, nothing stored
        raises anything else  nobody knows (time-out, broken line)       503, and it counts as possibly done

    The `fields` of a Refused go into the document in every case.
    """

    async def ask(self, document: Document) -> Happened | Accepted:
        """Make the effect happen, or learn what became of it: under the same provider key every time."""

    async def resolve(self, document: Document) -> Happened | Accepted:
        """Learn what became of a do that died, because it is to be undone. Where a call may still be on its way to
        the provider, the sure answer is `ask`: what comes second under the same key changes nothing.
        """

    async def take_back(self, document: Document) -> Happened:
        """Take back what happened, under a provider key of its own."""

    def taking_back(self, document: Document) -> Fields:
        """Fields of a document that is being taken back; raises Refused, before anything is written, if it can't be."""

    def nothing_happened(self, document: Document) -> Fields:
        """Fields of a document whose do was asked for and never happened, once it is undone."""

    def resource(self, document: Document) -> Mapping[str, Any]:
        """The body of an answer: the resource that this document is. Not called for tombstones and bare refusals."""
