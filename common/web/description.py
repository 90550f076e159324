"""The OpenAPI document: what the framework doesn't know of our routes."""

from typing import Any

from common.errors import ProblemBody, documented, documented_truly
from common.identity.callers import Role
from common.web.guard import Table
from common.web.links import link


def complete(document: dict[str, Any], callers: Table) -> None:
    """Add ProblemBody, to which routes refer by name (`common.errors.documented`), and who may call what."""
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["ProblemBody"] = ProblemBody.model_json_schema()
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            documented_truly(operation)
            if roles := callers.get(f"{method.upper()} {path}"):
                statuses = (401, 403, 429) if Role.CUSTOMER in roles else (401, 403)
                answers = {str(status): answer for status, answer in documented(*statuses).items()}
                operation["responses"] = dict(sorted({**answers, **operation["responses"]}.items()))
                operation["security"] = [{"bearer": []}]
    link(document)
