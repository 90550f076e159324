"""The real operator process against a real API server, with scripted participants."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from common.kube import Events, KubeClient, OrderSagas
from common.services import SERVICES
from common.wire import Json
from dev.stack import forked, processes, waiting
from dev.stack.processes import Child, free_port
from saga_operator.clock import Clock
from saga_operator.engine.engine import Engine
from saga_operator.parts import Operator, compose
from saga_operator.settings import Settings
from tests.operator.inside import SoleHolder
from tests.operator.scripted import ScriptedParticipants
from tests.support import asking
from tests.support.samples import order

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
GROUP, VERSION, PLURAL, NAMESPACE = "ordersaga.io", "v1alpha1", "ordersagas", "sagas-of-operator-tests"


class Sagas:
    """OrderSagas of one namespace (the tests' own), as an administrator sees them."""

    def __init__(self, kubeconfig: Path, namespace: str = NAMESPACE) -> None:
        self.namespace = namespace
        self.api = client.CustomObjectsApi(config.new_client_from_config(str(kubeconfig)))
        self.core = client.CoreV1Api(self.api.api_client)

    def create(
        self, name: str, *, finalizer: bool = True, annotations: dict[str, str] | None = None, **spec: Any
    ) -> Json:
        finalizers = ("ordersaga.io/compensation",) if finalizer else ()
        retry = {"maxAttempts": 3, "initialBackoffSeconds": 1, "maxBackoffSeconds": 1}
        body = order(name, finalizers=finalizers, **{"retry": retry, **spec})
        body["metadata"]["annotations"] = annotations or {}
        return self.api.create_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, body)  # type: ignore[no-any-return]

    def get(self, name: str) -> Json:
        return self.api.get_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name)  # type: ignore[no-any-return]

    def patch(self, name: str, **spec: Any) -> Json:
        return self.api.patch_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name, {"spec": spec})  # type: ignore[no-any-return]

    def apply(self, name: str, body: Json) -> Json:
        """Server-side, as a GitOps tool does."""
        self.api.patch_namespaced_custom_object(
            *(GROUP, VERSION, self.namespace, PLURAL, name, body),
            field_manager="kustomize-controller",
            force=True,
            _content_type="application/apply-patch+yaml",
        )
        return self.get(name)

    def patch_metadata(self, name: str, **metadata: Any) -> None:
        body = {"metadata": metadata}
        self.api.patch_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name, body)

    def patch_status(self, name: str, **status: Any) -> Json:
        return self.api.patch_namespaced_custom_object_status(  # type: ignore[no-any-return]
            GROUP, VERSION, self.namespace, PLURAL, name, {"status": status}
        )

    def delete(self, name: str) -> None:
        self.api.delete_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name)

    def listed(self) -> Json:
        return self.api.list_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL)  # type: ignore[no-any-return]

    def exists(self, name: str) -> bool:
        try:
            self.get(name)
        except ApiException as error:
            if error.status == 404:
                return False
            raise
        return True

    def status(self, name: str) -> Json:
        return self.get(name).get("status") or {}

    def step(self, name: str, step: str) -> Json:
        return next((s for s in self.status(name).get("steps", []) if s["name"] == step), {})

    def condition(self, name: str, type_: str) -> Json:
        return next((c for c in self.status(name).get("conditions", []) if c["type"] == type_), {})

    def events(self, name: str) -> list[tuple[str, str]]:
        listed = self.core.list_namespaced_event(self.namespace, field_selector=f"involvedObject.name={name}")
        return [(event.type, event.reason) for event in listed.items]

    def wait(self, name: str, *phases: str, seconds: float = 20.0) -> Json:
        return wait_until(lambda: self._in_phase(name, phases), f"{name} to be {phases}", seconds)

    def _in_phase(self, name: str, phases: tuple[str, ...]) -> Json | None:
        resource = self.get(name)
        return resource if (resource.get("status") or {}).get("phase") in phases else None


def wait_until(look: Callable[[], T | None], what: str, seconds: float = 20.0) -> T:
    found = waiting.wait_until(what, look, seconds)
    assert found is not None
    return found


class OperatorProcess:
    """One `python -m saga_operator` that tests may kill, pause and start again."""

    def __init__(self, kubeconfig: Path, participants: str, log: Path, identity: str = "tests", **env: str) -> None:
        self.log, self.port = log, free_port()
        services = ("ORDER", "INVENTORY", "PAYMENT", "SHIPPING", "NOTIFICATION")
        self.env = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            **{f"ORDERSAGA_{name}_URL": participants for name in services},
            "ORDERSAGA_NAMESPACE": NAMESPACE,
            "ORDERSAGA_IDENTITY": identity,
            "ORDERSAGA_HEALTH_PORT": str(self.port),
            "ORDERSAGA_CALL_TIMEOUT": "4.0",
            "ORDERSAGA_SWEEP_INTERVAL": "2",
            "ORDERSAGA_COMPENSATION_ATTEMPTS": "4",
            "ORDERSAGA_COMPENSATION_SECONDS": "3",
            "ORDERSAGA_LOG_FORMAT": "text",
            **env,
        }
        self.process: Child | None = None

    def start(self, *, release: str = "", faulty: str = "") -> None:
        """`release`: another process table, see tests/operator/release.py; `faulty`: a defect, see faulty.py."""
        module = ["saga_operator"]
        if release or faulty:
            module = ["tests.operator.release", release] if release else ["tests.operator.faulty", faulty]
        run = processes.run if release else forked.run  # what is forked has imported the table already
        self.process = run([sys.executable, "-m", *module], env=self.env, log=self.log, cwd=ROOT)

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def healthz(self) -> tuple[int, Json]:
        """Status and body; status 0 while nothing answers."""
        try:
            answer = asking.get(f"http://127.0.0.1:{self.port}/healthz", timeout=5)
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    def metrics(self, accept: str = "*/*") -> str:
        return asking.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5, headers={"Accept": accept}).text

    def signal(self, number: int) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            os.kill(self.process.pid, number)

    def kill(self) -> None:
        assert self.process is not None
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        assert self.process is not None
        self.signal(signal.SIGTERM)
        return self.process.wait(15)


@pytest.fixture(scope="session")
def operator_kubeconfig(control_plane: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exactly the Role that we ship, in a namespace of these tests' own."""
    control_plane.administrator.install(NAMESPACE)
    folder = tmp_path_factory.mktemp("identities")
    path: Path = control_plane.administrator.identity("ordersaga-operator", NAMESPACE, folder)
    return path


@pytest.fixture(scope="session")
def participants() -> Iterator[ScriptedParticipants]:
    scripted = ScriptedParticipants()
    yield scripted
    scripted.stop()


@pytest.fixture(autouse=True)
def nothing_left_behind(participants: ScriptedParticipants) -> Iterator[None]:
    yield
    participants.forget()


@pytest.fixture(scope="session")
def sagas(control_plane: Any) -> Sagas:
    return Sagas(control_plane.kubeconfig)


@pytest.fixture(scope="session")
def operator(
    operator_kubeconfig: Path, participants: ScriptedParticipants, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    process = OperatorProcess(operator_kubeconfig, participants.url, tmp_path_factory.mktemp("operator") / "log")
    process.start()
    yield process
    if process.runs:
        process.stop()


class Operators:
    """Operators of one test's own. Each has a log of its own."""

    def __init__(self, kubeconfig: Path, participants: str, folder: Path) -> None:
        self._kubeconfig, self._participants, self._folder = kubeconfig, participants, folder
        self._started: list[OperatorProcess] = []

    def start(
        self, identity: str = "tests", *, kubeconfig: Path | None = None, faulty: str = "", **env: str
    ) -> OperatorProcess:
        """With the shared operator's rights, unless there is another `kubeconfig`; `faulty`: see `OperatorProcess`."""
        log = self._folder / f"log-of-{identity}"
        process = OperatorProcess(kubeconfig or self._kubeconfig, self._participants, log, identity, **env)
        process.start(faulty=faulty)
        self._started.append(process)
        return process

    def end(self) -> None:
        """End those that still run; without a clean end if they don't come to it."""
        for process in self._started:
            if process.runs:
                try:
                    process.stop()
                except subprocess.TimeoutExpired:
                    process.kill()


@pytest.fixture
def operators(operator_kubeconfig: Path, participants: ScriptedParticipants, tmp_path: Path) -> Iterator[Operators]:
    """Starts operators for one test, and ends them after it."""
    operators = Operators(operator_kubeconfig, participants.url, tmp_path)
    yield operators
    operators.end()


@pytest.fixture
def resting(operator: OperatorProcess) -> Iterator[None]:
    """The operator process rests, so that only the engine in this process works."""
    operator.stop()
    yield
    operator.start()


@pytest.fixture
async def holder() -> SoleHolder:
    return SoleHolder()


@pytest.fixture
async def inside(
    resting: None, operator_kubeconfig: Path, participants: ScriptedParticipants, holder: SoleHolder
) -> AsyncIterator[Operator]:
    """All parts of an operator in this process, without the watch and the resync's timer."""
    urls = {f"{name}_url": participants.url for name in SERVICES}
    client = KubeClient.from_config(operator_kubeconfig, user_agent="tests")
    settings = Settings(namespace=NAMESPACE, **urls)  # type: ignore[arg-type]
    operator = compose(settings, Clock(), OrderSagas(client, NAMESPACE), events=Events(client, "tests"), epochs=holder)
    beside = [asyncio.create_task(part.run()) for part in (operator.finalizers, operator.events)]
    yield operator
    for task in beside:
        task.cancel()
    await operator.stop()
    await client.aclose()


@pytest.fixture
async def engine(inside: Operator) -> Engine:
    return inside.engine
