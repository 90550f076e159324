"""People of one namespace, with the rights that a test gives them."""

import uuid
from collections.abc import Callable

import pytest

from dev.stack.pytest_plugin import TestControlPlane
from tests.operator.conftest import Sagas
from tests.operator.page.cluster_page import ApiServer

NAMESPACE = f"looked-at-{uuid.uuid4().hex[:6]}"
"""Of this session: an API server that is given may know those of earlier ones."""
Token = Callable[..., str]


@pytest.fixture(scope="session")
def token(control_plane: TestControlPlane) -> Token:
    """The token of a ServiceAccount, which stands for a person, with this ClusterRole in the namespace (or none)."""
    control_plane.kubectl("create", "namespace", NAMESPACE)
    control_plane.kubectl("apply", "-f", "manifests/rbac/people.yaml")

    def made(account: str, role: str = "") -> str:
        control_plane.kubectl("create", "serviceaccount", account, "-n", NAMESPACE)
        for each in role.split():
            words = ("rolebinding", f"{account}-{each}", "--clusterrole", each, "-n", NAMESPACE)
            control_plane.kubectl("create", *words, "--serviceaccount", f"{NAMESPACE}:{account}")
        return control_plane.kubectl("create", "token", account, "-n", NAMESPACE).stdout.strip()

    return made


@pytest.fixture(scope="session")
def api(control_plane: TestControlPlane, tmp_path_factory: pytest.TempPathFactory) -> ApiServer:
    return ApiServer.of(control_plane.kubeconfig, tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def sagas(control_plane: TestControlPlane, token: Token) -> Sagas:
    return Sagas(control_plane.kubeconfig, NAMESPACE)
