"""A list of the API server, read item by item however its bytes arrive."""

import json
from collections.abc import AsyncIterator

import pytest

from common.kube.stream import items_of
from common.wire import Json

ITEMS: list[Json] = [
    {"metadata": {"name": "o-1", "note": '}],{"items":[ "\\'}},
    {"metadata": {"name": "o-2 Österreich €"}},
    {},
    {"metadata": {"name": "o-4", "finalizers": [[], [1.5]]}},
]
LIST = {"kind": "PartialObjectMetadataList", "metadata": {"resourceVersion": "7"}, "items": ITEMS}


async def read(content: bytes, size: int) -> list[Json]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), size):
            yield content[start : start + size]

    return [item async for item in items_of(chunks())]


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
@pytest.mark.parametrize("compact", [True, False])
async def test_all_items_come_wherever_the_bytes_are_cut(size: int, compact: bool) -> None:
    text = json.dumps(LIST, ensure_ascii=False, separators=(",", ":") if compact else None)
    assert await read(text.encode() + b"\n", size) == ITEMS


@pytest.mark.parametrize("items", [b"[]", b"null", b" null"])
async def test_a_list_without_items_is_empty(items: bytes) -> None:
    assert await read(b'{"kind":"X","items":' + items + b"}", 5) == []


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"items":[{"a":1},', b'{"items":[1]}', b"[]"])
async def test_what_is_no_list_or_breaks_off_is_an_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="list"):
        await read(content, 4)
