"""Joins sorted sources of records, in memory that doesn't grow with the number of orders.

Every source comes sorted by order id, so one pass over all of them (a sort-merge join) meets all records of an order
together, instead of asking every source for every order.
"""

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import groupby
from operator import itemgetter

from ordersaga.audit.rules.records import CONFIRMATION, Document, RecordKind

Keyed = tuple[str, Document]
"""An order's id (or a key made from it, see `by_message_id`), and a record of that order."""

_SUFFIX = f"-{CONFIRMATION}"


class CannotLookError(Exception):
    """A source can't be read, so nothing can be said; the message says which source, and what to do."""


class NotSortedError(CannotLookError):
    """A source isn't sorted: a join would miss records."""


def joined(sources: Mapping[RecordKind, Iterable[Keyed]]) -> Iterator[tuple[str, dict[RecordKind, list[Document]]]]:
    """Each key with all its records by kind, in the sources' common order.

    Raises:
        NotSortedError: while it is consumed.
    """
    labelled = (_labelled(kind, source) for kind, source in sources.items())
    for key, group in groupby(merge(*labelled, key=itemgetter(0)), key=itemgetter(0)):
        records: dict[RecordKind, list[Document]] = {}
        for _, kind, document in group:
            records.setdefault(kind, []).append(document)
        yield key, records


def _labelled(kind: RecordKind, source: Iterable[Keyed]) -> Iterator[tuple[str, RecordKind, Document]]:
    last = ""
    for order_id, document in source:
        if order_id < last:
            raise NotSortedError(f"{kind}: {order_id} comes after {last}; sources have to be sorted by order id")
        last = order_id
        yield order_id, kind, document


def by_message_id(source: Iterable[Keyed]) -> Iterator[Keyed]:
    """The same records, sorted and keyed as notifications are over REST: by `{order_id}-order_confirmed`.

    The two orders differ where one id begins with another: o-1 is before o-1-2, but o-1-2-order_confirmed before
    o-1-order_confirmed. So a record is held back as long as ids follow that begin with its own. An id has 63
    characters at most, so few records are held back at once, however long the source is.
    """
    held: list[Keyed] = []
    for order_id, document in source:
        key = f"{order_id}{_SUFFIX}"
        while held and held[-1][0] <= key:
            yield held.pop()
        held.append((key, document))
    yield from reversed(held)


def order_id_of(key: str) -> str:
    """The order's id in a key, whether `by_message_id` made it or it is the id itself."""
    return key.removesuffix(_SUFFIX)
