"""A real API server takes in everything that we ship, with Pod Security `restricted` enforced.

Nothing here is a dry run, except for the pods: no controller makes them out of Deployments here, so each pod template
is put to the API server as a pod, which is where Pod Security decides.
"""

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.wire import Json
from dev.release import render
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT
from dev.stack.pytest_plugin import TestControlPlane
from tests.packaging.chart.charts import EVERYTHING, OPENSHIFT, Manifests, rendered
from tests.support import yamls

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
APPLY = ("apply", "--server-side", "--force-conflicts", "-f", "-")


@pytest.fixture(scope="module")
def cluster(control_plane: TestControlPlane) -> Iterator[TestControlPlane]:
    """With the definitions of others; afterwards everybody's own files are in force again."""
    definitions = (Path(__file__).parent / "definitions" / "others.yaml").read_text()
    control_plane.kubectl(*APPLY, input=definitions)
    for body in yamls.load_all(definitions):
        control_plane.kubectl("wait", "--for=condition=Established", f"crd/{body['metadata']['name']}")
    yield control_plane
    control_plane.administrator.install("shop")


def apply(cluster: TestControlPlane, manifests: Manifests, namespace: str) -> subprocess.CompletedProcess[str]:
    """Apply it into a restricted namespace and put its pods to the API server; kubectl's result, warnings in stderr."""
    restricted = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": RESTRICTED}}
    # Made by a controller in a cluster, and needed by pods that name no other.
    default = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}}
    lasting = [body for body in manifests.objects if body["kind"] not in ("Pod", "Job")]
    result = cluster.kubectl(*APPLY, input=_list([restricted, default, *lasting]))
    pods = [_pod(name, template, namespace) for name, template in manifests.pods()]
    cluster.kubectl("create", "--dry-run=server", "-f", "-", input=_list(pods))
    return result


CHARTS = {
    "defaults": (),
    "everything": EVERYTHING,
    "openshift": (*OPENSHIFT, "--set", "hooks.uninstallWaitSeconds=5,page.enabled=true,page.secret=page-proxy"),
}


@pytest.mark.parametrize("name", CHARTS)
def test_the_chart_is_taken_in(cluster: TestControlPlane, name: str) -> None:
    namespace = f"chart-{name}"
    result = apply(cluster, rendered(*CHARTS[name], namespace=namespace), namespace)
    assert result.stderr == ""


@pytest.mark.parametrize("file", ["k8s-local-deployment.yaml", "openshift-deployment.yaml"])
def test_a_generated_file_is_taken_in_as_it_is(cluster: TestControlPlane, file: str) -> None:
    result = cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", CHECKOUT / file)
    assert result.stderr == ""
    apply(cluster, Manifests.of((CHECKOUT / file).read_text()), render.NAMESPACE)


@pytest.mark.parametrize("overlay", ["dev", "production", "openshift"])
def test_an_overlay_is_taken_in(cluster: TestControlPlane, overlay: str) -> None:
    built = cluster.kubectl("kustomize", CHECKOUT / "manifests" / "overlays" / overlay).stdout
    assert apply(cluster, Manifests.of(built), render.NAMESPACE).stderr == ""


def test_it_is_really_restricted_that_decides(cluster: TestControlPlane) -> None:
    chart = rendered(namespace="chart-refused")
    deployment = copy.deepcopy(chart("Deployment", "payment-service"))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["securityContext"]["allowPrivilegeEscalation"] = True
    manifests = Manifests([chart("ServiceAccount", "payment-service"), deployment])
    with pytest.raises(StackError, match='violates PodSecurity "restricted:latest": allowPrivilegeEscalation'):
        apply(cluster, manifests, "chart-refused")


def _pod(name: str, template: Json, namespace: str) -> Json:
    spec = dict(template["spec"])
    if spec.get("priorityClassName", "").startswith("system-"):
        del spec["priorityClassName"]  # allowed by quota in a real cluster; not what is tested here
    metadata = {**template.get("metadata", {}), "name": f"{name}-pod", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _list(objects: list[Json]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
