"""These tests need a container engine: `make compose-test` runs them, the default tests leave them out."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.services import SERVICES
from tests.packaging.images.engine.system import Compose, docker

collect_ignore_glob = [] if os.environ.get("ORDERSAGA_CONTAINER_TESTS") else ["test_*.py"]


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """All images, built with the commands that the documentation has. By name: the reference."""
    docker("build", "-t", "e-commerce-saga-base", ".")
    built = {"base": "e-commerce-saga-base"}
    for name in SERVICES:
        built[name] = f"e-commerce-saga/{name}-service:latest"
        docker("build", "-t", built[name], "--build-arg", f"SERVICE_DIR={name}", ".")
    for target in ("operator", "tools"):
        built[target] = f"e-commerce-saga/{target}:latest"
        docker("build", "-t", built[target], "--target", target, ".")
    return built


@pytest.fixture(scope="session")
def running_compose(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    compose = Compose(tmp_path_factory.mktemp("compose"))
    compose.require_absent()
    try:
        compose("up", "-d")
        compose.identify()
        with compose.shop as shop:
            shop.seed()
            yield compose
    finally:
        compose.keep_logs(Path(os.environ.get("ORDERSAGA_CONTAINER_LOGS", ".ordersaga/logs/compose-test.log")))
        compose("down", "-v", "--remove-orphans", "-t", "5")


@pytest.fixture
def compose(running_compose: Compose) -> Compose:
    """The system, whole again after whatever an earlier test did to it."""
    running_compose("up", "-d")
    return running_compose
