"""The participant that is in Git, and what orders make of it."""

import json

from common.wire import Json
from dev.stack.waiting import wait_until
from tests.e2e.gitops.repository import Repository
from tests.e2e.system import Stack

FOLDER = "manifests/gitops/participants"
PAYMENT, KUSTOMIZATION = f"{FOLDER}/payment.yaml", f"{FOLDER}/kustomization.yaml"
IN_GIT = {"state": "Active", "pauseReason": "", "maxCallsPerSecond": 50}
"""What the file says. The rest is the operator's settings."""


def paused(repository: Repository) -> dict[str, str | None]:
    """The files of a commit that pauses it."""
    text = repository.read(PAYMENT)
    active = 'state: Active\n  pauseReason: ""'
    assert active in text
    return {PAYMENT: text.replace(active, "state: Paused\n  pauseReason: maintenance until 4:00")}


def removed(repository: Repository) -> dict[str, str | None]:
    """The files of a commit that takes it out of Git."""
    kustomization = repository.read(KUSTOMIZATION)
    assert "  - payment.yaml" in kustomization
    return {PAYMENT: None, KUSTOMIZATION: kustomization.replace("  - payment.yaml", "  []")}


def spec(stack: Stack) -> Json:
    """What the cluster has of it."""
    found: Json = json.loads(stack.kubectl("get", "participant", "payment", "-o", "json").stdout)["spec"]
    return found


def until_back(stack: Stack, before: Json, seconds: float) -> None:
    """Wait until the operator has made it anew from its settings."""

    def is_back() -> bool:
        found = stack.kubectl("get", "participant", "payment", "-o", "json", "--ignore-not-found").stdout
        return bool(found) and json.loads(found)["spec"] == before

    wait_until("the participant is as the settings have it", is_back, seconds)


def until_held_up(stack: Stack, order_id: str, seconds: float) -> None:
    """Wait until the order says that it waits for a participant that is paused."""
    says = lambda: "ParticipantPaused" in json.dumps(stack.resource(order_id).get("status", {}))  # noqa: E731
    wait_until(f"{order_id} waits for the participant", says, seconds)
