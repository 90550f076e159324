"""The life of a release, by both versions of Helm on a real API server (where no controller makes pods out of it)."""

import json
from collections.abc import Iterator

import pytest

from common.wire import Json
from dev.release import render
from dev.stack.pytest_plugin import TestControlPlane
from tests.packaging.chart.charts import HELMS, run_helm

RELEASE = "e-commerce-saga"


class Release:
    """One release in a namespace of its own."""

    def __init__(self, control_plane: TestControlPlane, program: str) -> None:
        self.namespace = f"release-{program}"
        self._plane, self._program = control_plane, program

    def helm(self, *words: str) -> str:
        """`helm WORDS`; raises AssertionError with what it says if it fails."""
        where = ("--namespace", self.namespace, "--kubeconfig", str(self._plane.kubeconfig))
        result = run_helm(*words, *where, program=self._program)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def names(self, kinds: str) -> set[str]:
        """What there is of these kinds in the namespace."""
        return set(self._plane.kubectl("get", kinds, "-n", self.namespace, "-o", "name").stdout.split())

    def deployment(self, name: str) -> Json:
        found: Json = json.loads(
            self._plane.kubectl("get", "deployment", name, "-n", self.namespace, "-o", "json").stdout
        )
        return found


@pytest.fixture(params=HELMS)
def release(control_plane: TestControlPlane, request: pytest.FixtureRequest) -> Iterator[Release]:
    release = Release(control_plane, request.param)
    yield release
    control_plane.kubectl("delete", "namespace", release.namespace, "--wait=false")
    control_plane.administrator.install("shop")  # the definition and the ClusterRoles, as everybody else has them


def test_a_release_is_installed_changed_rolled_back_and_goes(release: Release, control_plane: TestControlPlane) -> None:
    # After the definition was applied by hand, Helm needs --take-ownership.
    release.helm("install", RELEASE, str(render.CHART), "--create-namespace", "--take-ownership")
    assert release.deployment("inventory-service")["spec"]["replicas"] == 1

    release.helm("upgrade", RELEASE, str(render.CHART), "--set", "global.environment=production")
    assert release.deployment("inventory-service")["spec"]["replicas"] == 2

    release.helm("rollback", RELEASE)
    assert release.deployment("inventory-service")["spec"]["replicas"] == 1

    # The hook is a Job, and nothing runs Jobs here.
    release.helm("uninstall", RELEASE, "--no-hooks")
    everything = "deployments,services,serviceaccounts,roles,rolebindings,networkpolicies,pdb,pvc,secrets,jobs"
    assert release.names(everything) == {"persistentvolumeclaim/mongodb", "secret/mongodb-users"}
    control_plane.kubectl("get", "crd", "ordersagas.ordersaga.io")

    release.helm("install", RELEASE, str(render.CHART), "--set", "rbac.people=false")
    assert "deployment.apps/mongodb" in release.names("deployments")
