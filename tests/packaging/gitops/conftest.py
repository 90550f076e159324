"""A namespace of their own on the shared API server; no operator watches it."""

import json
import subprocess
import time
from collections.abc import Callable

import pytest

from common.wire import Json
from dev.stack.pytest_plugin import TestControlPlane

NAMESPACE = "gitops-tests"
Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def kubectl(control_plane: TestControlPlane) -> Kubectl:
    """kubectl as administrator in that namespace: `kubectl("get", …, manifest={…}, check=False)`."""
    control_plane.kubectl("create", "namespace", NAMESPACE, check=False)

    def run(*args: str, manifest: Json | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        given = None if manifest is None else json.dumps(manifest)
        return control_plane.kubectl("--namespace", NAMESPACE, *args, input=given, check=check)

    return run


def wait_established(kubectl: Kubectl, definition: str) -> None:
    """Wait until the API server serves this CustomResourceDefinition.

    Not simply `kubectl wait`, which gives up on a definition so new that its conditions are null.
    """
    until = time.monotonic() + 30
    condition = "jsonpath={.status.conditions[?(@.type=='Established')].status}"
    while kubectl("get", "crd", definition, "-o", condition).stdout != "True":
        assert time.monotonic() < until, definition
        time.sleep(0.1)
