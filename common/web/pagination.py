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
    """Which part of a list: `limit` items after the first `skip`."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many items at most.")] = DEFAULT_LIMIT,
        skip: Annotated[int, Query(ge=0, le=2**31 - 1, description="How many items to leave out.")] = 0,
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
    """One page of what matches `where` (values that are None don't filter), each made an item by `make`."""
    matching = {name: value for name, value in where.items() if value is not None}
    documents, total = await asyncio.gather(
        collection.find(matching, sort=sort, skip=paging.skip, limit=paging.limit), collection.count(matching)
    )
    return Page(items=[make(document) for document in documents], total=total, limit=paging.limit, skip=paging.skip)
