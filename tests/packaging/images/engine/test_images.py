"""The images, as they were built with the documented commands."""

import json
import tomllib

import pytest

from common.services import SERVICES
from dev.setup.paths import CHECKOUT
from tests.packaging.images.engine.system import docker

LOCKED_IN = ("--rm", "--read-only", "--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
OTHERS = "import os; print(sorted(each for each in os.listdir('/app/services') if '__' not in each))"
WRITABLE = (
    "import os; print([top for top, dirs, files in os.walk('/') if not top.startswith(('/proc', '/dev', '/sys')) "
    "and os.access(top, os.W_OK)])"
)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_alone_on_a_read_only_root_as_a_made_up_user(images: dict[str, str], name: str) -> None:
    look = "import os,sys; sys.path.insert(0,''); import uvicorn; uvicorn.Config(os.environ['UVICORN_APP']).load()"
    docker("run", *LOCKED_IN, "--user", "1000650000:0", images[name], "python", "-c", look)


def test_the_operator_as_a_made_up_user_says_what_it_misses(images: dict[str, str]) -> None:
    found = docker("run", *LOCKED_IN, "--user", "1000650000:0", images["operator"], check=False)
    assert found.returncode == 1
    assert "set KUBECONFIG to a kubeconfig file" in found.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_brings_no_other_service(images: dict[str, str], name: str) -> None:
    assert docker("run", *LOCKED_IN, images[name], "python", "-c", OTHERS).stdout.strip() == f"['{name}']"


def test_the_base_runs_any_service(images: dict[str, str]) -> None:
    assert docker("run", *LOCKED_IN, images["base"], "python", "-c", OTHERS).stdout.strip() == str(sorted(SERVICES))
    untold = docker("run", *LOCKED_IN, images["base"], check=False)
    assert untold.returncode != 0
    assert "Missing argument 'APP'" in untold.stderr


def test_a_service_that_does_not_exist_is_not_built() -> None:
    assert docker("build", "--build-arg", "SERVICE_DIR=orders", ".", check=False).returncode != 0


@pytest.mark.parametrize("name", ["order", "operator", "tools"])
def test_nothing_installs_or_compiles_in_an_image(images: dict[str, str], name: str) -> None:
    tools = ("pip", "pip3", "gcc", "cc", "make", "uv", "hatchling")
    look = f"import shutil; print([each for each in {tools} if shutil.which(each)])"
    assert docker("run", *LOCKED_IN, images[name], "python", "-c", look).stdout.strip() == "[]"
    for module in ("pip", "setuptools", "ensurepip", "hatchling"):
        assert docker("run", *LOCKED_IN, images[name], "python", "-c", f"import {module}", check=False).returncode


@pytest.mark.parametrize("name", ["order", "operator"])
def test_nothing_is_writable_but_the_memory_that_every_container_has(images: dict[str, str], name: str) -> None:
    # With a writable root: what the file modes alone allow.
    found = docker("run", "--rm", "--network", "none", images[name], "python", "-c", WRITABLE).stdout
    assert set(json.loads(found.replace("'", '"'))) <= {"/tmp", "/var/tmp", "/run/lock"}  # noqa: S108 - the base's own


@pytest.mark.parametrize("name", ["order", "operator", "tools", "base"])
def test_an_image_says_what_it_is(images: dict[str, str], name: str) -> None:
    config = json.loads(docker("image", "inspect", images[name], "--format", "{{json .Config}}").stdout)
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert labels["version"] == project["version"]
    assert labels["licenses"] == project["license"]
    assert labels["title"].startswith("OrderSaga")
    assert config["User"] == "10001:0"


def test_what_is_shared_is_shared(images: dict[str, str]) -> None:
    """One layer with all dependencies: pulled once, kept once. (Those above it differ if somebody edits meanwhile.)"""

    def layers(name: str) -> list[str]:
        found = docker("image", "inspect", images[name], "--format", "{{json .RootFS.Layers}}").stdout
        return list(json.loads(found))

    together = [set(layers(name)) for name in (*SERVICES, "operator", "tools")]
    base = set(json.loads(docker("image", "inspect", _base(), "--format", "{{json .RootFS.Layers}}").stdout))
    assert len(set.intersection(*together) - base) >= 2


def _base() -> str:
    line = next(line for line in (CHECKOUT / "Dockerfile").read_text().splitlines() if line.startswith("ARG PYTHON"))
    return line.partition("=")[2]
