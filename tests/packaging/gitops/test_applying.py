"""What happens when GitOps tools apply orders again and again: on the real API server, which has the last word."""

import copy
import json
from typing import Any

import pytest

from common.wire import Json
from tests.packaging.gitops.conftest import NAMESPACE, Kubectl
from tests.packaging.gitops.test_manifests import GITOPS, documents
from tests.support import yamls
from tests.support.samples import ended

FLUX = ("apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller", "-f", "-")


def order(name: str, **spec: Any) -> Json:
    found = documents(GITOPS / "orders" / "o-git-mug.yaml")[0]
    return {**found, "metadata": {"name": name}, "spec": {**found["spec"], "orderID": name, **spec}}


def listed(*orders: Json) -> Json:
    return {"apiVersion": "v1", "kind": "List", "items": list(orders)}


def wanted(kubectl: Kubectl, name: str) -> str:
    return kubectl("get", "ordersaga", name, "-o", "jsonpath={.spec.state}").stdout


def patch(kubectl: Kubectl, name: str, spec: Json) -> None:
    kubectl("patch", "ordersaga", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def finish(kubectl: Kubectl, name: str, phase: str) -> None:
    status = json.dumps({"status": {**ended(phase), "observedGeneration": 1}})
    kubectl("patch", "ordersaga", name, "--subresource=status", "--type=merge", "-p", status)


def taken_over(resource: Json) -> Json:
    """What Flux does before it applies (but not for `ssa: Merge`): it makes what kubectl has set its own."""
    managed = copy.deepcopy(resource["metadata"]["managedFields"])
    (own,) = [entry for entry in managed if entry["manager"] == "kustomize-controller"]
    for entry in [entry for entry in managed if entry["manager"].startswith("kubectl")]:
        own["fieldsV1"]["f:spec"] |= entry["fieldsV1"]["f:spec"]
        managed.remove(entry)
    return {"metadata": {"managedFields": managed, "resourceVersion": resource["metadata"]["resourceVersion"]}}


@pytest.mark.parametrize("folder", ["orders", "smoke"])
def test_the_sample_orders_are_accepted(kubectl: Kubectl, folder: str) -> None:
    built = kubectl("kustomize", str(GITOPS / folder)).stdout.replace("e-commerce-saga", NAMESPACE)
    found = list(yamls.load_all(built))
    assert {each["kind"] for each in found} == {"OrderSaga"}
    kubectl(*FLUX, "--dry-run=server", manifest=listed(*found))


def test_what_a_person_has_set_survives_the_next_synchronisation(kubectl: Kubectl) -> None:
    for state in ("Suspended", "Cancelled"):
        name = f"o-{state.lower()}"
        kubectl(*FLUX, manifest=order(name))
        patch(kubectl, name, {"state": state})
        kubectl(*FLUX, manifest=order(name))
        assert wanted(kubectl, name) == state


def test_a_manifest_with_an_active_state_is_refused_after_a_cancel(kubectl: Kubectl) -> None:
    kubectl(*FLUX, manifest=order("o-active", state="Active"))
    kubectl("patch", "ordersaga", "o-active", "--type=merge", "-p", '{"spec":{"state":"Cancelled"}}')
    answer = kubectl(*FLUX, manifest=order("o-active", state="Active"), check=False)
    assert answer.returncode != 0
    assert "a cancelled order stays cancelled" in answer.stderr


def test_without_merge_flux_would_fail_over_an_order_that_kubectl_cancelled(kubectl: Kubectl) -> None:
    kubectl(*FLUX, manifest=order("o-taken"))
    patch(kubectl, "o-taken", {"state": "Cancelled"})
    resource = json.loads(kubectl("get", "ordersaga", "o-taken", "-o", "json", "--show-managed-fields").stdout)
    kubectl("patch", "ordersaga", "o-taken", "--type=merge", "-p", json.dumps(taken_over(resource)))
    answer = kubectl(*FLUX, manifest=order("o-taken"), check=False)
    assert "a cancelled order stays cancelled" in answer.stderr


def test_an_order_is_cancelled_from_git(kubectl: Kubectl) -> None:
    kubectl(*FLUX, manifest=order("o-from-git"))
    kubectl(*FLUX, manifest=order("o-from-git", state="Cancelled"))
    assert wanted(kubectl, "o-from-git") == "Cancelled"


def test_one_refused_order_fails_the_whole_dry_run_and_names_itself(kubectl: Kubectl) -> None:
    good, bad = order("o-good"), order("o-changed")
    kubectl(*FLUX, manifest=listed(good, bad))
    bad["spec"]["items"][0]["quantity"] = 2
    answer = kubectl(*FLUX, "--dry-run=server", manifest=listed(good, bad), check=False)
    assert answer.returncode != 0
    assert '"o-changed" is invalid' in answer.stderr
    assert "an order is immutable, and this would change its items" in answer.stderr
    assert "o-good" not in answer.stderr
    kubectl(*FLUX, "--dry-run=server", manifest=listed(good))


@pytest.mark.parametrize("phase", ["Completed", "Compensated"])
def test_a_finished_order_may_stay_in_git_but_not_change_there(kubectl: Kubectl, phase: str) -> None:
    name = f"o-{phase.lower()}"
    kubectl(*FLUX, manifest=order(name))
    finish(kubectl, name, phase)
    kubectl(*FLUX, manifest=order(name))
    tracked = order(name)
    tracked["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": f"orders:ordersaga.io/OrderSaga:{name}"}
    kubectl(*FLUX, manifest=tracked)
    for change in ({"state": "Cancelled"}, {"activeDeadlineSeconds": 60}):
        answer = kubectl(*FLUX, manifest=order(name, **change), check=False)
        assert "this saga is finished: too late to cancel or change it" in answer.stderr


def test_the_settings_for_argo_cd_leave_other_settings_alone(kubectl: Kubectl) -> None:
    there = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm"}, "data": {"url": "https://cd"}}
    kubectl("apply", "-f", "-", manifest=there)
    settings = documents(GITOPS / "argocd" / "argocd-cm.yaml")[0]
    settings["metadata"]["namespace"] = NAMESPACE
    kubectl("patch", "configmap", "argocd-cm", "-p", json.dumps(settings))
    found = json.loads(kubectl("get", "configmap", "argocd-cm", "-o", "json").stdout)["data"]
    assert found == {**settings["data"], "url": "https://cd"}
