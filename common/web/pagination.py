"""Lists: `{"items", "total", "limit", "skip"}`, sorted by id, at most 1000 items and about one mebibyte at a time.

A page ends early when it has that many bytes, so that no list costs more memory than a service has. Whoever wants all
items goes on with `skip` plus the number of items that came, until that is `total`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from bson import encode
from fastapi import Depends, Query

from common.errors import Unavailable
from common.mongo import Collection, Document
from common.text import printable
from common.wire import Page

log = logging.getLogger("ordersaga.lists")
T = TypeVar("T")
MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
MAX_BYTES = 1024 * 1024
"""What the documents of one page may have together; as objects they take about fifteen times as much memory."""
PAGES_AT_ONCE = 4
"""Further lists wait: with the largest documents these four take about a third of a service's 192 MiB."""
TURN_SECONDS = 4.0
"""How long a list waits for its turn, as long as one may take: without an end, whoever has gone would still be in the
way of those who come.
"""
MOST_UNREADABLE = 100
"""Documents of one page that may be unreadable without making it shorter."""
_HIDDEN = ("barrier",)
"""Never shown, and half of a document."""

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is wanted: `limit` items after the first `skip`."""

    limit: int = DEFAULT_LIMIT
    skip: int = 0


async def _paging(
    limit: Annotated[
        int,
        Query(
            ge=1,
            le=MAX_LIMIT,
            description="The largest number of items in the answer. A page of large items ends earlier: go on with "
            "`skip` plus the number of items that came, until that is `total`.",
        ),
    ] = DEFAULT_LIMIT,
    skip: Annotated[
        int, Query(ge=0, le=2**31 - 1, description="The number of items to leave out at the beginning.")
    ] = 0,
) -> Paging:
    return Paging(limit, skip)


PagingQuery = Annotated[Paging, Depends(_paging)]


async def page(
    collection: Collection,
    where: Mapping[str, Any],
    paging: Paging,
    make: Callable[[Document], T],
    *,
    sort: str = "_id",
) -> Page[T]:
    """One page of the documents that match `where`, each turned into an item by `make`. None doesn't filter.

    It ends early, but with one item at least, when its documents have MAX_BYTES. `make` gets them without a barrier.
    Documents of which it can make no item are left out, in `total` as well: so whoever goes on with the items that came
    sees all others, some of them twice, and comes to the end. The documents are counted only if the page has not shown
    where they end.
    """
    matching = {name: value for name, value in where.items() if value is not None}
    async with _turn():
        part = await _bounded(collection, matching, paging, make, sort)
        total = part.ends_at
        if total is None:
            total = max(0, await collection.count(matching) - part.unreadable)
    return Page(items=part.items, total=total, limit=paging.limit, skip=paging.skip)


@asynccontextmanager
async def _turn() -> AsyncIterator[None]:
    """The turn of one list. Raises Unavailable if those of others take too long."""
    turns = _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(PAGES_AT_ONCE))
    try:
        async with asyncio.timeout(TURN_SECONDS):
            await turns.acquire()
    except TimeoutError as error:
        raise Unavailable("other lists take their time at the moment: repeat this later", retry_after=2) from error
    try:
        yield
    finally:
        turns.release()


@dataclass(frozen=True, slots=True)
class _Part(Generic[T]):
    """The items of a page, and how many documents between them could not be read."""

    items: list[T]
    unreadable: int
    ends_at: int | None
    """How many items there are in all, if the page has come to their end."""


async def _bounded(
    collection: Collection, where: Mapping[str, Any], paging: Paging, make: Callable[[Document], T], sort: str
) -> _Part[T]:
    items: list[T] = []
    left, unreadable, is_end = MAX_BYTES, 0, True
    most = paging.limit + MOST_UNREADABLE
    documents = collection.stream(where, sort=sort, skip=paging.skip, limit=most, without=_HIDDEN)
    async with aclosing(documents):
        async for document in documents:
            left -= len(encode(document))
            if (left < 0 and items) or len(items) == paging.limit:
                is_end = False
                break
            try:
                items.append(make(document))
            except Exception as error:  # whatever is in it, it is one of many
                unreadable += 1
                log.error("document %s is left out of a list: %r", printable(str(document["_id"]), 128), error)
    read = len(items) + unreadable
    is_end = is_end and read < most and (read > 0 or paging.skip == 0)
    return _Part(items, unreadable, paging.skip + len(items) if is_end else None)
