"""What can be seen of a participant's effects over HTTP, for those who have no other way to look."""

from collections.abc import Awaitable, Callable, Sequence

import httpx

from ordersaga.conformance.templates import PLACEHOLDER
from ordersaga.conformance.trial import BrokenError


def live_at(client: httpx.AsyncClient, path: str, condition: str | None) -> Callable[[str], Awaitable[bool]]:
    """Whether GET `path` shows an effect: 200, and the field has one of the values (`status=reserved,dispatched`)."""
    field, _, values = (condition or "").partition("=")

    async def live(order_id: str) -> bool:
        answer = await _get(client, path, order_id)
        if answer.status_code == 404:
            return False
        if answer.status_code != 200:
            raise BrokenError(f"GET {path} of order {order_id} was answered {answer.status_code}: 200 or 404 expected")
        return not field or str(answer.json().get(field)) in values.split(",")

    return live


def ledger_at(client: httpx.AsyncClient, path: str) -> Callable[[str], Awaitable[Sequence[str]]]:
    """The kinds of all entries of GET `path`: a JSON list (or `{"items": […]}`) of objects with a `kind`."""

    async def ledger(order_id: str) -> Sequence[str]:
        answer = await _get(client, path, order_id)
        if answer.status_code != 200:
            raise BrokenError(f"GET {path} of order {order_id} was answered {answer.status_code}: a list expected")
        found = answer.json()
        entries = found["items"] if isinstance(found, dict) else found
        return [str(entry["kind"]) for entry in entries]

    return ledger


async def _get(client: httpx.AsyncClient, path: str, order_id: str) -> httpx.Response:
    try:
        return await client.get(path.replace(PLACEHOLDER, order_id))
    except httpx.HTTPError as error:
        raise BrokenError(f"GET {path} of order {order_id}: no answer ({error or type(error).__name__})") from error
