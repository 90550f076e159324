"""A resource as it is kept while its saga lives: tens of thousands of them wait when a participant is down."""

from __future__ import annotations

import sys
from typing import Any

Json = dict[str, Any]


def compact(resource: Json) -> Json:
    """The same resource with its strings shared, and without managedFields unless they say who intervened.

    Each answer of the API server is parsed by itself and brings its own copy of every key and word; nearly all of
    them are the same for all sagas. Shared, a waiting saga's resource takes 5 KB instead of 17.
    """
    metadata = resource["metadata"]
    if "managedFields" in metadata and not resource["spec"].get("intervention"):
        metadata = {key: value for key, value in metadata.items() if key != "managedFields"}
    shared: Json = _shared({**resource, "metadata": metadata})
    return shared


def _shared(value: Any) -> Any:
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, dict):
        return {sys.intern(key): _shared(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_shared(each) for each in value]
    return value
