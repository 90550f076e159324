"""The stack with a Prometheus that watches it."""

from collections.abc import Iterator

import pytest

from common.services import SERVICES
from dev.stack.processes import wait_ready
from tests.e2e.alerts.jobs import Jobs
from tests.e2e.alerts.prometheus import PROGRAM, Prometheus, program
from tests.e2e.system import NAMESPACE, Stack


@pytest.fixture(scope="session", autouse=True)
def binary() -> str:
    """Asked for before the stack is started for nothing."""
    found = program()
    if found is None:
        pytest.skip(f"{PROGRAM} names no Prometheus: `make alerts-test` runs this with the one in PATH")
    return found


@pytest.fixture(scope="session")
def jobs() -> Iterator[Jobs]:
    with Jobs() as running:
        yield running


@pytest.fixture(scope="session")
def prometheus(
    binary: str, running_stack: Stack, jobs: Jobs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    targets = {name: running_stack.wiring.url(name) for name in SERVICES}
    targets["operator"] = f"http://127.0.0.1:{running_stack.wiring.health_port}"
    targets["kube-state-metrics"] = jobs.url
    made = Prometheus(binary, tmp_path_factory.mktemp("prometheus"), targets, NAMESPACE)
    made.start()
    try:
        wait_ready([made])
        yield made
    finally:
        made.stop()


@pytest.fixture
def seen(prometheus: Prometheus, stack: Stack) -> Prometheus:
    """Prometheus, once it has seen the whole stack well."""
    prometheus.until_fires("OrderSagaWatchdog")
    prometheus.until_ends("OperatorDown")
    return prometheus
