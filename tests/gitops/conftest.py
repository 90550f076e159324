"""A namespace of their own on the shared API server; no operator watches it."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from dev.testing import TestControlPlane

Json = dict[str, Any]
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
