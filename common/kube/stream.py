"""The items of a list, one by one as they arrive: a list of 100,000 as a whole would take half a gigabyte here."""

import codecs
import json
import re
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

from common.wire import Json

LONGEST_ITEM: Final = 2**22
"""Characters; etcd takes objects of 1.5 MiB."""
_DECODER: Final = json.JSONDecoder()
_SPACE: Final = " \t\r\n,"
_ITEMS: Final = '"items":'
_NONE = re.compile(r'"items":\s*null')
"""As the API server writes a list of metadata that is empty."""


async def items_of(chunks: AsyncIterable[bytes]) -> AsyncIterator[Json]:
    """The objects in the list's `items`, whose beginning may have any other fields.

    Raises:
        ValueError: it isn't a list of objects, or ends before its end.
    """
    utf8 = codecs.getincrementaldecoder("utf-8")()
    text, inside = "", False
    async for chunk in chunks:
        text += utf8.decode(chunk)
        position = 0
        if not inside:
            if _NONE.search(text):
                return
            start = text.find("[", text.find(_ITEMS)) if _ITEMS in text else -1
            inside, position = start >= 0, start + 1
        while inside:
            while position < len(text) and text[position] in _SPACE:
                position += 1
            if text.startswith("]", position):
                return
            try:
                item, position = _DECODER.raw_decode(text, position)
            except ValueError:
                break  # the rest of it is still to come
            if not isinstance(item, dict):
                raise ValueError("an item of the list is no object")
            yield item
        text = text[position:]
        if len(text) > LONGEST_ITEM:
            break
    raise ValueError("what answered is no list, or broke off")
