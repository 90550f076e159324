"""Joining what many sources know of the same orders, in memory that doesn't grow with the number of orders.

Every source comes sorted by order id, so one pass over all of them at the same time meets everything about an order at
once (a sort-merge join), instead of asking every source about every order.
"""

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from itertools import groupby
from operator import itemgetter

from ordersaga.audit.rules.errors import CannotLookError
from ordersaga.audit.rules.records import CONFIRMATION, Document, Kind

Keyed = tuple[str, Document]
"""An order's id, and something about it."""

_SUFFIX = f"-{CONFIRMATION}"


class NotSortedError(CannotLookError):
    """A source doesn't come in the order that it promises: joining it would miss things."""


def joined(sources: Mapping[Kind, Iterable[Keyed]]) -> Iterator[tuple[str, dict[Kind, list[Document]]]]:
    """Everything about one order after the other, in the sources' common order.

    Raises:
        NotSortedError: while it is consumed.
    """
    labelled = (_labelled(kind, source) for kind, source in sources.items())
    for order_id, group in groupby(merge(*labelled, key=itemgetter(0)), key=itemgetter(0)):
        records: dict[Kind, list[Document]] = {}
        for _, kind, document in group:
            records.setdefault(kind, []).append(document)
        yield order_id, records


def _labelled(kind: Kind, source: Iterable[Keyed]) -> Iterator[tuple[str, Kind, Document]]:
    last = ""
    for order_id, document in source:
        if order_id < last:
            raise NotSortedError(f"{kind}: {order_id} comes after {last}; sources have to be sorted by order id")
        last = order_id
        yield order_id, kind, document


def as_messages_are(source: Iterable[Keyed]) -> Iterator[Keyed]:
    """The same, sorted as notifications are over REST: by `{order_id}-order_confirmed`; that is the new key.

    The two orders differ where one id begins with another: o-1 is before o-1-2, and o-1-2-order_confirmed before
    o-1-order_confirmed. So an id is held back as long as ids follow that begin with it: as many as fit into one id's
    63 characters, however long the list is.
    """
    held: list[Keyed] = []
    for order_id, document in source:
        key = f"{order_id}{_SUFFIX}"
        while held and held[-1][0] <= key:
            yield held.pop()
        held.append((key, document))
    yield from reversed(held)


def order_id_of(key: str) -> str:
    """Back from a key of `as_messages_are` to the order's id."""
    return key.removesuffix(_SUFFIX)
