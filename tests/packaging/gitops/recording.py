"""Writes real statuses down as the test data of Argo CD's health check and actions, in the form that Argo CD has them.

ORDERSAGA_RECORD=1 python -m pytest tests/e2e/test_health_in_git_tools.py
"""

import copy
from collections.abc import Callable
from pathlib import Path

import yaml

from common.wire import Json
from tests.packaging.gitops import argo_lua
from tests.support import yamls

TESTDATA = argo_lua.CUSTOMIZATION / "testdata"
ACTION_DATA = argo_lua.CUSTOMIZATION / "actions" / "testdata"
Choice = Callable[[Json], bool]


def _phase(phase: str, reason: str | None = None) -> Choice:
    def chosen(resource: Json) -> bool:
        status = resource["status"]
        current = status["observedGeneration"] == resource["metadata"]["generation"]
        reasons = {condition["reason"] for condition in status.get("conditions", [])}
        return current and status.get("phase") == phase and (reason is None or reason in reasons)

    return chosen


def _condition(name: str) -> Choice:
    return lambda resource: any(each["type"] == name for each in resource["status"].get("conditions", []))


# file: (order, which of its versions: the first that is so)
RECORDED: dict[str, tuple[str, Choice]] = {
    "unseen": ("plain", lambda resource: resource["status"] == {"observedGeneration": -1}),
    "pending": ("plain", _phase("Pending")),
    "running": ("processing", _phase("Running")),
    "retry_scheduled": ("unavailable", _phase("Running", "RetryScheduled")),
    "completed": ("plain", _phase("Completed")),
    "completed_with_warning": ("bounced", _phase("Completed")),
    "cancel_refused": ("late", _condition("CancelRefused")),
    "suspended": ("paused", _phase("Suspended")),
    "suspended_unseen": ("paused", lambda resource: resource["status"]["observedGeneration"] not in (-1, 0)
                         and resource["status"]["observedGeneration"] != resource["metadata"]["generation"]),
    "compensating": ("declined", _phase("Compensating")),
    "compensated_declined": ("declined", _phase("Compensated")),
    "compensated_cancelled": ("cancelled", _phase("Compensated")),
    "failed": ("stuck", _phase("Failed")),
}  # fmt: skip
ACTED = {
    "retry": ("failed", "retry_scheduled"),
    "suspend": ("running",),
    "resume": ("suspended",),
    "cancel": ("running",),
}


def write(versions: dict[str, list[Json]], ids: dict[str, str]) -> None:
    """All files of the test data, and what the scripts say to them."""
    health: list[Json] = []
    discovery: list[Json] = []
    for name, (order, choice) in RECORDED.items():
        resource = _tidy(next(filter(choice, versions[order])), ids[order], f"o-{order}")
        _dump(TESTDATA / f"{name}.yaml", resource)
        health.append({"healthStatus": argo_lua.health(resource), "inputPath": f"testdata/{name}.yaml"})
        discovery.append({"inputPath": f"../testdata/{name}.yaml", "result": argo_lua.offered_actions(resource)})
    _dump(argo_lua.CUSTOMIZATION / "health_test.yaml", {"tests": health}, sort=False)
    actions = []
    for action, names in ACTED.items():
        for name in names:
            before = yamls.load((TESTDATA / f"{name}.yaml").read_text())
            _dump(ACTION_DATA / f"{name}_{action}.yaml", argo_lua.act(action, before))
            expected = f"testdata/{name}_{action}.yaml"
            actions.append({"action": action, "inputPath": f"../testdata/{name}.yaml", "expectedOutputPath": expected})
    tests = {"discoveryTests": discovery, "actionTests": actions}
    _dump(argo_lua.CUSTOMIZATION / "actions" / "action_test.yaml", tests, sort=False)


def _tidy(resource: Json, order_id: str, name: str) -> Json:
    """As it was, under a name that can be read, and without what tells who wrote which field."""
    found: Json = yamls.load(yaml.safe_dump(copy.deepcopy(resource)).replace(order_id, name))
    found["metadata"].pop("managedFields", None)
    found["metadata"].pop("annotations", None)
    return found


def _dump(path: Path, data: Json, *, sort: bool = True) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(data, sort_keys=sort, width=120, allow_unicode=True))
