"""The pytest plugin: one real MongoDB and one real control plane for a whole session of tests.

Each is started when the first test asks for it. ORDERSAGA_TEST_MONGODB_URL and ORDERSAGA_TEST_KUBECONFIG name ones
that run already: they are used as they are, and left running. With pytest-xdist (`make test`) every worker is a session
of its own, and tests that share a system stay together.
"""

# ruff: noqa: PLC0415 - imported where it is used: a plugin that can't be imported takes every test with it.
import contextlib
import functools
import importlib
import json
import logging
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest


@dataclass(frozen=True, slots=True)
class TestControlPlane:
    """A control plane with our resource definition, and our Roles in the namespace `shop`."""

    __test__ = False  # it is named Test…, and holds none

    administrator: Any
    """dev.stack.parts.admin.Administrator"""
    url: str
    apiserver: Any = None
    """dev.stack.parts.control_plane's process, for tests that stop or pause it; None if it isn't ours."""

    @property
    def kubeconfig(self) -> Path:
        """For an administrator (client certificate)."""
        path: Path = self.administrator.kubeconfig
        return path

    def kubectl(
        self,
        *args: str | Path,
        input: str | None = None,  # noqa: A002 - the name it has in subprocess.run
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as administrator; raises dev.setup.errors.StackError with its message if `check` and it fails."""
        result: subprocess.CompletedProcess[str] = self.administrator.kubectl(*args, input=input, check=check)
        return result

    def identity(self, account: str, namespace: str = "shop") -> Path:
        """A kubeconfig of this ServiceAccount with a fresh token for a week; call again for a newer one."""
        folder = self.kubeconfig.parent / f"identities-{namespace}"
        folder.mkdir(exist_ok=True)
        path: Path = self.administrator.identity(account, namespace, folder)
        return path


def pytest_configure() -> None:
    """No property fails because the machine is slow: their time is bounded by the suite's own time-out."""
    from hypothesis import HealthCheck, settings

    settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any-machine")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Each of several workers begins with other files: they leave byte code to each other, and compile none twice."""
    if not (worker := getattr(session.config, "workerinput", None)):
        return
    root = session.config.rootpath
    chosen = [root / arg.split("::")[0] for arg in session.config.args]
    files = sorted({file for path in chosen for file in (path.rglob("test_*.py") if path.is_dir() else (path,))})
    start = len(files) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    for file in files[start:] + files[:start]:
        with contextlib.suppress(Exception, pytest.skip.Exception):  # told when it is collected
            importlib.import_module(".".join(file.relative_to(root).with_suffix("").parts))


SYSTEMS = ("running_stack", "operator")
"""Fixtures that start a whole system, the longest first: their tests mostly wait, and a folder's go to one worker."""

GROUPS: Final = "groups"
"""What a worker is given: the file in which it leaves the group of each test."""
_groups: Final = pytest.StashKey[Path]()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Of several workers: make the folder in which they leave their groups."""
    folder = tempfile.TemporaryDirectory(prefix="ordersaga-tests-")
    config.add_cleanup(folder.cleanup)
    config.stash[_groups] = Path(folder.name) / GROUPS


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker where."""
    node.workerinput[GROUPS] = str(node.config.stash[_groups])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`: a group goes to one worker. pytest-xdist 3.8's own does so with pytest below 9.2 only.

    Issue 1386 of pytest-xdist; with one that is mended, its mark `xdist_group` will do.
    """
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]
        @functools.cached_property
        def groups(self) -> dict[str, str]:
            found: dict[str, str] = json.loads(config.stash[_groups].read_text())
            return found

        def _split_scope(self, nodeid: str) -> str:
            return self.groups[nodeid]

    return ByGroup(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several workers: keep the tests of a folder that share a system together, and start the long ones first."""
    if not hasattr(config, "workerinput"):
        return

    def system(item: pytest.Item) -> str:
        return next((name for name in SYSTEMS if name in getattr(item, "fixturenames", ())), "")

    def group(item: pytest.Item) -> str:
        return f"{system(item)} {item.path.parent if system(item) else item.path}"

    def how_soon(item: pytest.Item) -> int:
        if name := system(item):
            return SYSTEMS.index(name)
        return len(SYSTEMS) + (item.get_closest_marker("slow") is None)

    items.sort(key=how_soon)
    file = Path(config.workerinput[GROUPS])
    unfinished = file.with_name(config.workerinput["workerid"])
    groups = {item.nodeid: group(item) for item in items}
    unfinished.write_text(json.dumps(groups))
    unfinished.replace(file)  # all workers have the same


@pytest.fixture(scope="session", autouse=True)
def quick_starts() -> None:
    """The parts of ours that tests start again and again needn't import everything each time.

    Programs in Go, the API server above all, collect garbage less often: a quarter of a gigabyte more, for less work.
    """
    os.environ.setdefault("GOGC", "400")
    from dev.stack import forked
    from dev.stack.processes import Process

    Process.run = staticmethod(forked.run)


def _log_levels() -> dict[logging.Logger, int]:
    known = [logging.getLogger(), *logging.getLogger().manager.loggerDict.values()]
    return {each: each.level for each in known if isinstance(each, logging.Logger)}


@pytest.fixture(scope="module", autouse=True)
def log_level() -> Iterator[None]:
    """Levels that a module's apps and servers have set are not for the next one: it may look for lines in the log."""
    before = _log_levels()
    yield
    for logger in _log_levels():
        logger.setLevel(before.get(logger, logging.NOTSET))


@pytest.fixture(scope="session")
def mongodb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a MongoDB replica set with one member: fresh, or the one of ORDERSAGA_TEST_MONGODB_URL."""
    if given := os.environ.get("ORDERSAGA_TEST_MONGODB_URL"):
        yield given
        return
    from dev.stack.parts.mongod import Mongod
    from dev.stack.processes import free_port, wait_ready

    folder = tmp_path_factory.mktemp("mongod")
    mongod = Mongod(data=folder / "data", port=free_port(), log=folder / "mongod.log")
    mongod.start()
    try:
        wait_ready([mongod])
        yield mongod.url
    finally:
        mongod.stop()


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestControlPlane]:
    """An API server with our CRD, RBAC and namespace `shop`: fresh, or the one of ORDERSAGA_TEST_KUBECONFIG."""
    from dev.setup.binaries import find
    from dev.stack.parts.admin import Administrator
    from dev.stack.parts.control_plane import ControlPlane

    if given := os.environ.get("ORDERSAGA_TEST_KUBECONFIG"):
        administrator = Administrator(find("kubectl"), Path(given))
        server = ("config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
        administrator.install("shop")
        yield TestControlPlane(administrator, administrator.kubectl(*server).stdout)
        return
    plane = ControlPlane(tmp_path_factory.mktemp("control-plane"), fsync=False)
    with plane.running() as administrator:
        yield TestControlPlane(administrator, plane.url, plane.apiserver)
