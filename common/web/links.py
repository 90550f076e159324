"""OpenAPI links: which routes an answer leads to, and with what of it they are called.

Made from the document itself: an answer with an `order_id` leads to every route whose path has an `{order_id}`, and the
answer to a step of a saga leads to its compensation. Programs can follow them, people see them in /docs.
"""

import re
from typing import Any

from common.web.idempotency import HEADER, example_key, saga_key_parts

Schema = dict[str, Any]


def link(document: Schema) -> None:
    """Add `links` to each success that has all that another route needs."""
    schemas = document["components"]["schemas"]
    operations = [(path, operation) for path, methods in document["paths"].items() for operation in methods.values()]
    for _, operation in operations:
        for status, answer in operation["responses"].items():
            if not status.startswith("2") or "content" not in answer:
                continue
            known = {name: f"$response.body#/{name}" for name in _names(_json(answer), schemas)}
            links = {
                target["operationId"]: found
                for at, target in operations
                if target is not operation and (found := _link(known, _key(operation), at, target, schemas))
            }
            if links:
                answer["links"] = links


def _link(
    known: dict[str, str], key: tuple[str, str] | None, path: str, target: Schema, schemas: Schema
) -> Schema | None:
    """How `target` is called with what is `known`; None if that isn't enough, or if it has nothing to do with it."""
    in_path = re.findall(r"\{(\w+)\}", path)
    its_key = _key(target)
    if its_key is not None:
        step, direction = its_key
        needed = _names(_json(target["requestBody"]), schemas)
        if key != (step, "do") or direction != "undo" or not needed <= known.keys():
            return None
        header = example_key(step, direction, "{$response.body#/order_id}")
        body = {name: known[name] for name in sorted(needed)}
        return {"operationId": target["operationId"], "parameters": {f"header.{HEADER}": header}, "requestBody": body}
    if "requestBody" in target or not in_path:
        return None
    values = {**known, **({"direction": key[1]} if key else {})}
    if not values.keys() >= set(in_path):
        return None
    return {"operationId": target["operationId"], "parameters": {f"path.{name}": values[name] for name in in_path}}


def _key(operation: Schema) -> tuple[str, str] | None:
    """Step and direction of a saga's call; None if it is none."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == HEADER and parameter.get("required"):
            parts = saga_key_parts(parameter["schema"]["examples"][0])
            return parts and parts[2:]
    return None


def _json(holder: Schema) -> Schema:
    schema: Schema = holder["content"].get("application/json", {}).get("schema", {})
    return schema


def _names(schema: Schema, schemas: Schema) -> set[str]:
    """The members that every value of this schema has."""
    if "$ref" in schema:
        return _names(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    if "anyOf" in schema:
        return set.intersection(*(_names(each, schemas) for each in schema["anyOf"]))
    return set(schema.get("required", ()))
