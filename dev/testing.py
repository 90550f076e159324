"""The pytest plugin: one real MongoDB and one real control plane for a whole session of tests.

Each is started when the first test asks for it. ORDERSAGA_TEST_MONGODB_URL and ORDERSAGA_TEST_KUBECONFIG name ones
that run already: they are used as they are, and left running.
"""

# ruff: noqa: PLC0415 - imported where it is used: a plugin that can't be imported takes every test with it.
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class TestControlPlane:
    """A running control plane with our resource definition and Roles."""

    __test__ = False  # pytest: a class named Test…, but no tests

    kubeconfig: Path
    """For an administrator (client certificate)."""
    url: str
    _plane: Any = None

    def kubectl(
        self,
        *args: str | Path,
        input: str | None = None,  # noqa: A002 - the name it has in subprocess.run
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator; raises dev.errors.StackError with its message if `check` and it fails."""
        from dev import binaries, cluster

        return cluster.run_kubectl(binaries.find("kubectl"), self.kubeconfig, *args, input=input, check=check)

    def identity(self, account: str) -> Path:
        """A kubeconfig for the ServiceAccount `account` of the namespace `shop`, with a token for a week."""
        if self._plane is None:
            pytest.skip(
                "ORDERSAGA_TEST_KUBECONFIG is set: identities can't be made for a control plane of somebody else"
            )
        path: Path = self._plane.identity(account)
        return path


@pytest.fixture(scope="session")
def mongodb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a MongoDB replica set with one member: fresh, or the one of ORDERSAGA_TEST_MONGODB_URL."""
    if given := os.environ.get("ORDERSAGA_TEST_MONGODB_URL"):
        yield given
        return
    from dev.binaries import find
    from dev.mongod import Mongod
    from dev.processes import free_port, wait_ready

    folder = tmp_path_factory.mktemp("mongod")
    mongod = Mongod(find("mongod"), data=folder / "data", port=free_port(), log=folder / "mongod.log")
    mongod.start()
    try:
        wait_ready([mongod])
        yield mongod.url
    finally:
        mongod.stop()


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestControlPlane]:
    """An API server with our CRD, RBAC and namespace `shop`: fresh, or the one of ORDERSAGA_TEST_KUBECONFIG."""
    if given := os.environ.get("ORDERSAGA_TEST_KUBECONFIG"):
        found = TestControlPlane(Path(given), "")
        url = found.kubectl("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}").stdout
        yield TestControlPlane(Path(given), url)
        return
    from dev.binaries import find
    from dev.cluster import Binaries, ControlPlane
    from dev.processes import free_port, wait_ready

    folder = tmp_path_factory.mktemp("control-plane")
    plane = ControlPlane(
        Binaries(find("etcd"), find("kube-apiserver"), find("kubectl")),
        folder=folder,
        logs=folder,
        ports=(free_port(), free_port(), free_port()),
    )
    plane.start()
    try:
        wait_ready([plane.etcd, plane.apiserver])
        plane.install()
        yield TestControlPlane(plane.kubeconfig, plane.url, plane)
    finally:
        plane.stop()
