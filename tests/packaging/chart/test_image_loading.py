"""How deploy-local-k8s.sh gets images into clusters, with stand-ins for their tools that fail like the real ones."""

import os
import subprocess
from pathlib import Path

import pytest

from dev.release.deploy.images import IMAGES
from dev.setup.paths import CHECKOUT

RECORD = 'echo "${0##*/} $*" >> "$CALLS"\n'
STAND_INS = {
    "docker": "",
    # A cluster of the context in CONTEXT, where every request succeeds and nothing is left to wait for.
    "kubectl": """
case "$*" in
    "config current-context") echo "$CONTEXT" ;;
    *"config view"*) echo https://127.0.0.1:6443 ;;
esac
""",
    "kind": """
case "$*" in
    "load docker-image e-commerce-saga/"*" --name shop") ;;
    *) echo 'ERROR: no nodes found for cluster "'"${*##* }"'"' >&2; exit 1 ;;
esac
""",
    "k3d": """
case "$*" in
    "image import e-commerce-saga/"*" --cluster shop") ;;
    *) echo "FATA[0000] failed to get cluster ${*##* }: No nodes found for given cluster" >&2; exit 1 ;;
esac
""",
    # What can't be loaded isn't, and it says nothing.
    "minikube": """
case "$*" in
    "--profile minikube image load "*) [ "$5" = "$BROKEN" ] || echo "docker.io/$5" >> "$CALLS.loaded" ;;
    "--profile minikube image ls") cat "$CALLS.loaded" ;;
    *) exit 1 ;;
esac
""",
}


class Machine:
    """A machine with these tools, whose current context is the given one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls = folder / "calls"
        for name, does in STAND_INS.items():
            (folder / name).write_text(f"#!/bin/sh\n{RECORD}{does}")
            (folder / name).chmod(0o755)

    def deploy(self, context: str, *options: str, broken: str = "") -> subprocess.CompletedProcess[str]:
        """Run the script."""
        own = {"CONTEXT": context, "CALLS": str(self._calls), "BROKEN": broken}
        return subprocess.run(
            [CHECKOUT / "deploy-local-k8s.sh", "--no-smoke", *options],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **own, "PATH": f"{self._folder}:{os.environ['PATH']}"},
        )

    def calls(self, tool: str) -> list[str]:
        """What the tool was told, in order."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        return [line.removeprefix(f"{tool} ") for line in lines if line.startswith(f"{tool} ")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("context", "tool", "call"),
    [
        ("kind-shop", "kind", "load docker-image {image} --name shop"),
        ("k3d-shop", "k3d", "image import {image} --cluster shop"),
        ("minikube", "minikube", "--profile minikube image load {image}"),
    ],
)
def test_the_clusters_own_tool_gets_every_image_and_again_at_the_next_run(
    machine: Machine, context: str, tool: str, call: str
) -> None:
    wanted = [call.replace("{image}", image.tag) for image in IMAGES]
    for runs in (1, 2):
        done = machine.deploy(context)
        assert done.returncode == 0, done.stderr
        assert [each for each in machine.calls(tool) if "image ls" not in each] == wanted * runs
        assert len([each for each in machine.calls("docker") if each.startswith("build ")]) == len(IMAGES) * runs


@pytest.mark.parametrize(("context", "tool"), [("kind-gone", "kind"), ("k3d-gone", "k3d")])
def test_an_image_that_does_not_get_in_ends_it_before_anything_is_applied(
    machine: Machine, context: str, tool: str
) -> None:
    failed = machine.deploy(context)
    assert failed.returncode == 1
    assert len(machine.calls(tool)) == 1
    assert f"`{tool} " in failed.stderr
    assert "failed (exit status 1): see above" in failed.stderr
    assert not [call for call in machine.calls("kubectl") if " apply " in call]


def test_minikube_is_asked_whether_it_took_the_images(machine: Machine) -> None:
    failed = machine.deploy("minikube", broken="e-commerce-saga/operator:latest")
    assert failed.returncode == 1
    assert "minikube did not take e-commerce-saga/operator:latest" in failed.stderr
    assert not [call for call in machine.calls("kubectl") if " apply " in call]


def test_a_cluster_that_shares_the_engine_needs_no_loading(machine: Machine) -> None:
    assert machine.deploy("docker-desktop").returncode == 0
    assert all(machine.calls(tool) == [] for tool in ("kind", "k3d", "minikube"))


def test_a_local_cluster_of_another_kind_needs_a_word(machine: Machine) -> None:
    asked = machine.deploy("lab")
    assert asked.returncode == 1
    assert "how do images get into lab? --load 'COMMAND {image}' says so" in asked.stderr
    told = machine.deploy("lab", "--load", "kind load docker-image {image} --name shop")
    assert told.returncode == 0, told.stderr
    assert len(machine.calls("kind")) == len(IMAGES)


def test_a_dry_run_calls_nothing_but_questions(machine: Machine) -> None:
    shown = machine.deploy("kind-shop", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert f"would run kind load docker-image {IMAGES[0].tag} --name shop" in shown.stdout
    assert machine.calls("kind") == []
    assert machine.calls("docker") == []
    assert not [call for call in machine.calls("kubectl") if " apply " in call]
