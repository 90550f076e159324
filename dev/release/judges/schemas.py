"""JSON schemas of every kind that we ship, in kubeconform's layout.

Kubernetes' own and ours are taken from a real API server, so that nothing is older than what is tested with; those of
other projects from their own definitions (foreign.py).
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.wire import Json
from dev.release.judges import foreign
from dev.stack.parts.control_plane import ControlPlane

KINDS = "x-kubernetes-group-version-kind"
PREFIX = "#/definitions/"


def write(folder: Path) -> str:
    """Write them; what kubeconform wants as -schema-location."""
    folder.mkdir(parents=True, exist_ok=True)
    with _document() as document:
        definitions: dict[str, Json] = document["definitions"]
        strict = {name: _closed(body) for name, body in definitions.items()}
        for name, body in definitions.items():
            for kind in body.get(KINDS, []):
                schema = {"$ref": f"{PREFIX}{name}", "definitions": _needed(name, strict)}
                (folder / _file(kind)).write_text(json.dumps(schema))
    for kind, schema in foreign.schemas():
        (folder / _file(kind)).write_text(json.dumps(_closed(schema)))
    return f"{folder}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"


def _file(kind: Json) -> str:
    parts = [kind["kind"], kind["group"].split(".")[0], kind["version"]]
    return "-".join(part for part in parts if part).lower() + ".json"


@contextmanager
def _document() -> Iterator[Json]:
    """The OpenAPI document of an API server with our definition; it runs as long as the block."""
    with tempfile.TemporaryDirectory() as name, ControlPlane(Path(name), fsync=False).running() as administrator:
        yield json.loads(administrator.kubectl("get", "--raw", "/openapi/v2").stdout)


def _closed(schema: Any) -> Any:
    """Unknown fields are errors, optional ones may be null, and amounts may be numbers, as the API server has it."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if closed.get("format") == "int-or-string" or closed.get("x-kubernetes-int-or-string") is True:
        return {"oneOf": [{"type": "string"}, {"type": "integer"}]}
    if isinstance(closed.get("properties"), dict) and not closed.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


def _needed(name: str, definitions: dict[str, Json]) -> dict[str, Json]:
    """The definition of this name and all that it refers to."""
    found: dict[str, Json] = {}
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found[each] = definitions[each]
            waiting += [reference.removeprefix(PREFIX) for reference in _references(definitions[each])]
    return found


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(reference := schema.get("$ref"), str):
            yield reference
        schema = list(schema.values())
    if isinstance(schema, list):
        for each in schema:
            yield from _references(each)
