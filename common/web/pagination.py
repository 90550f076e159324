"""Lists: `{"items", "total", "limit", "skip"}`, sorted by id, at most 1000 at a time."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query

from common.mongo import Collection, Document
from common.wire import Page

T = TypeVar("T")
MAX_LIMIT = 1000
DEFAULT_LIMIT = 100


class Paging:
    """Which part of a list is wanted: `limit` items after the first `skip`."""

    def __init__(
        self,
        limit: Annotated[
            int, Query(ge=1, le=MAX_LIMIT, description="The largest number of items in the answer.")
        ] = DEFAULT_LIMIT,
        skip: Annotated[
            int, Query(ge=0, le=2**31 - 1, description="The number of items to leave out at the beginning.")
        ] = 0,
    ) -> None:
        self.limit = limit
        self.skip = skip


PagingQuery = Annotated[Paging, Depends()]


async def page(
    collection: Collection,
    where: Mapping[str, Any],
    paging: Paging,
    make: Callable[[Document], T],
    *,
    sort: str = "_id",
) -> Page[T]:
    """One page of the documents that match `where`, each turned into an item by `make`. None doesn't filter."""
    matching = {name: value for name, value in where.items() if value is not None}
    documents, total = await asyncio.gather(
        collection.find(matching, sort=sort, skip=paging.skip, limit=paging.limit), collection.count(matching)
    )
    return Page(items=[make(document) for document in documents], total=total, limit=paging.limit, skip=paging.skip)
