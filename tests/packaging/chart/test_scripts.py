"""The deploy scripts: short, explained, careful about whose cluster it is."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from dev.release.deploy.contexts import Cluster
from dev.release.deploy.images import IMAGES, loader
from dev.release.deploy.rollout import smoke_pod
from dev.setup.binaries import find
from dev.setup.paths import CHECKOUT
from dev.stack.pytest_plugin import TestControlPlane
from tests.packaging.chart.charts import environment, rendered

SCRIPTS = ("deploy-local-k8s.sh", "deploy-openshift.sh", "push-to-openshift.sh")
LOGGED_IN = """#!/bin/sh
# oc, as far as the scripts use it: kubectl, and who is logged in.
case "$*" in
    *"whoami --show-token") echo sha256~token ;;
    *whoami) echo kube:admin ;;
    *) exec "$(dirname "$0")/kubectl" "$@" ;;
esac
"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for PATH with the kubectl that the tests use, and an oc that is logged in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "kubectl").symlink_to(find("kubectl"))
    (folder / "oc").write_text(LOGGED_IN)
    (folder / "oc").chmod(0o755)
    return folder


def run(script: str, *arguments: str, tools: Path, kubeconfig: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "KUBECONFIG": str(kubeconfig)}
    return subprocess.run(
        [CHECKOUT / script, *arguments], capture_output=True, text=True, check=False, env=environ, cwd="/"
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_is_short_and_can_be_run(script: str) -> None:
    path = CHECKOUT / script
    assert len(path.read_text().splitlines()) <= 40
    assert path.stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_explains_itself_without_a_cluster(script: str, tools: Path) -> None:
    result = run(script, "--help", tools=tools, kubeconfig=Path("/nowhere"))
    assert result.returncode == 0
    assert "--dry-run" in result.stdout
    assert "--allow-remote" in result.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_without_a_context_it_says_how_to_get_one(script: str, tools: Path, tmp_path: Path) -> None:
    result = run(script, tools=tools, kubeconfig=tmp_path / "none")
    assert (result.returncode, result.stdout) == (1, "")
    assert "has no current context" in result.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_cluster_elsewhere_is_refused_unless_one_insists(script: str, tools: Path, tmp_path: Path) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "prod",
        "contexts": [{"name": "prod", "context": {"cluster": "prod", "user": "me"}}],
        "clusters": [{"name": "prod", "cluster": {"server": "https://203.0.113.7:6443"}}],
        "users": [{"name": "me", "user": {}}],
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(config))
    result = run(script, "--dry-run", tools=tools, kubeconfig=kubeconfig)
    assert result.returncode == 1
    assert "prod (https://203.0.113.7:6443) isn't a cluster on this machine: add --allow-remote" in result.stderr


def test_a_dry_run_tells_everything_and_does_nothing(control_plane: TestControlPlane, tools: Path) -> None:
    namespaces = control_plane.kubectl("get", "namespaces", "-o", "name").stdout
    options = ("--dry-run", "--load", "load {image}")
    result = run("deploy-local-k8s.sh", *options, tools=tools, kubeconfig=control_plane.kubeconfig)
    assert result.returncode == 0, result.stderr
    for image in IMAGES:
        assert f"would run docker build --tag {image.tag}" in result.stdout
        assert f"would run load {image.tag}" in result.stdout
    assert "-f k8s-local-deployment.yaml" in result.stdout
    assert control_plane.kubectl("get", "namespaces", "-o", "name").stdout == namespaces


@pytest.mark.parametrize("script", ["deploy-openshift.sh", "push-to-openshift.sh"])
def test_on_openshift_a_dry_run_shows_no_token(script: str, control_plane: TestControlPlane, tools: Path) -> None:
    options = ("--dry-run", "--registry", "registry.example.com", "--no-build")
    result = run(script, *options, tools=tools, kubeconfig=control_plane.kubeconfig)
    assert result.returncode == 0, result.stderr
    assert "would run docker push registry.example.com/e-commerce-saga/operator:latest" in result.stdout
    assert ("-f openshift-deployment.yaml" in result.stdout) is (script == "deploy-openshift.sh")
    assert "sha256~token" not in result.stdout + result.stderr


def test_known_local_clusters_get_images_by_their_own_tool() -> None:
    def command(context: str) -> str | None:
        return loader(Cluster("kubectl", context, "https://127.0.0.1:1"), None)

    assert command("kind-shop") == "kind load docker-image {image} --name shop"
    assert command("k3d-shop") == "k3d image import {image} --cluster shop"
    assert command("minikube") == "minikube --profile minikube image load {image}"
    assert command("docker-desktop") is None


def test_the_scripts_smoke_order_is_the_one_of_helm_test() -> None:
    theirs, mine = rendered()("Pod", "ordersaga-test"), smoke_pod(rendered()("Deployment", "ordersaga-operator"))
    (container,), (chart,) = mine["spec"]["containers"], theirs["spec"]["containers"]
    assert container["command"] == chart["command"]
    assert container["securityContext"] == chart["securityContext"]
    assert environment(chart).items() <= environment(container).items()
    assert mine["metadata"]["labels"]["app.kubernetes.io/name"] == theirs["metadata"]["name"]
