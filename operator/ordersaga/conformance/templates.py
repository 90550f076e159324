"""Request bodies from the command line: JSON, or a file with JSON, as a template for any order."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.wire import Json
from ordersaga.conformance.subject import Body

PLACEHOLDER = "{order_id}"


class BadBodyError(ValueError):
    """What was given is no JSON object; the message says what to give."""


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
        raise BadBodyError(f"{text!r} is JSON, but not an object: give what the POST takes")
    return parsed


def body_of(given: Json) -> Body:
    """Bodies made from a template: `{order_id}` is replaced wherever it stands, and the field order_id is set."""

    def body(order_id: str) -> Json:
        filled: Json = _filled(given, order_id)
        return {**filled, "order_id": order_id}

    return body


def other_than(given: Json) -> Json | None:
    """The same with another content that should be as valid: one more of its first number. None if it has none."""
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
