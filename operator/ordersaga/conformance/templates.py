"""What the command line says of a participant: request bodies and paths as templates for any order.

`{order_id}` stands for the order's id in both.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from common.wire import Json
from ordersaga.conformance.subject import Body
from ordersaga.conformance.trial import BrokenError

PLACEHOLDER = "{order_id}"


class BadBodyError(ValueError):
    """What was given is not a JSON object; the message says what to give."""


def template(text: str) -> Json:
    """The JSON object that `text` is, or that the file of that name holds. Raises BadBodyError."""
    source = text
    if not text.lstrip().startswith("{"):
        try:
            source = Path(text).read_text()
        except OSError as error:
            raise BadBodyError(f"{text!r} is neither a JSON object nor a file that can be read: {error}") from error
    try:
        parsed = json.loads(source)
    except ValueError as error:
        raise BadBodyError(f"{text!r} is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise BadBodyError(f"{text!r} is JSON, but not an object: give the body of a POST")
    return parsed


def body_of(given: Json) -> Body:
    """Bodies made from a template: `{order_id}` is replaced wherever it stands, and the field order_id is set."""

    def body(order_id: str) -> Json:
        filled: Json = _filled(given, order_id)
        return {**filled, "order_id": order_id}

    return body


def other_than(given: Json) -> Json | None:
    """Another body that should be as valid: its first number is raised by 1. None if it has no number."""
    for name, value in given.items():
        if name == "order_id":
            continue
        if isinstance(value, int) and not isinstance(value, bool):
            return {**given, name: value + 1}
        if isinstance(value, dict) and (changed := other_than(value)) is not None:
            return {**given, name: changed}
        if isinstance(value, list) and value and isinstance(value[0], dict):
            changed = other_than(value[0])
            if changed is not None:
                return {**given, name: [changed, *value[1:]]}
    return None


def _filled(value: Any, order_id: str) -> Any:
    match value:
        case str():
            return value.replace(PLACEHOLDER, order_id)
        case Mapping():
            return {name: _filled(inner, order_id) for name, inner in value.items()}
        case list():
            return [_filled(inner, order_id) for inner in value]
    return value


def live_at(client: httpx.AsyncClient, path: str, condition: str | None) -> Callable[[str], Awaitable[bool]]:
    """A function that says whether an order's effect stands.

    It does if GET `path` is 200 and, given a condition like `status=reserved,dispatched`, the field has one of the
    values; 404 means that there is no effect.
    """
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
    """A function that reads the kinds of an order's ledger entries.

    GET `path` has to answer with a JSON list (or `{"items": […]}`) of objects with a `kind`.
    """

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
