"""What the GitOps manifests promise, read from the files."""

import re
from pathlib import Path

import pytest

from common.wire import Json
from dev.release import argocd
from dev.release.generated import stale
from tests.packaging.gitops import argo_lua
from tests.support import yamls

ROOT = Path(__file__).resolve().parents[3]
GITOPS = ROOT / "manifests" / "gitops"
SCRIPTS = argo_lua.CUSTOMIZATION


def documents(path: Path) -> list[Json]:
    return [document for document in yamls.load_all(path.read_text()) if document]


def applications() -> dict[str, Json]:
    paths = [GITOPS / "argocd" / "root.yaml", *(GITOPS / "argocd" / "apps").glob("*.yaml")]
    return {found["metadata"]["name"]: found for path in paths for found in documents(path)}


def kustomizations() -> dict[str, Json]:
    paths = (GITOPS / "flux").glob("*.yaml")
    return {found["metadata"]["name"]: found for path in paths for found in documents(path)}


def scripts() -> dict[str, str]:
    files = {"health": SCRIPTS / "health.lua", "discovery": SCRIPTS / "actions" / "discovery.lua"}
    files |= {action: SCRIPTS / "actions" / action / "action.lua" for action in argo_lua.ACTIONS}
    return {name: path.read_text() for name, path in files.items()}


def unpacked(health: str, actions: str) -> dict[str, str]:
    found = yamls.load(actions)
    each = {definition["name"]: definition["action.lua"] for definition in found["definitions"]}
    return {"health": health, "discovery": found["discovery.lua"], **each}


def test_generated_settings_are_fresh() -> None:
    assert stale(argocd.generated()) == [], "run `make manifests`"


def test_the_config_map_has_exactly_the_tested_scripts() -> None:
    data = documents(GITOPS / "argocd" / "argocd-cm.yaml")[0]["data"]
    key = "resource.customizations.{}.ordersaga.io_OrderSaga"
    assert unpacked(data[key.format("health")], data[key.format("actions")]) == scripts()


def test_openshift_gitops_gets_exactly_the_tested_scripts() -> None:
    spec = documents(GITOPS / "argocd" / "argocd-openshift.yaml")[0]["spec"]
    check = {each["kind"]: each["check"] for each in spec["resourceHealthChecks"]}
    assert unpacked(check["OrderSaga"], spec["resourceActions"][0]["action"]) == scripts()


def judged(application: Json) -> Json:
    """What our settings have Argo CD say of an Application."""
    data = documents(GITOPS / "argocd" / "argocd-cm.yaml")[0]["data"]
    return argo_lua.run(data["resource.customizations.health.argoproj.io_Application"], application)


@pytest.mark.parametrize("status", [None, {}, {"health": {"status": "Degraded", "message": "an order was declined"}}])
def test_an_application_is_as_healthy_as_it_says(status: Json | None) -> None:
    told = judged({} if status is None else {"status": status})
    assert told == ((status or {}).get("health") or {"status": "Progressing", "message": ""})


def test_an_application_that_syncs_by_itself_is_healthy_once_all_of_it_is_there() -> None:
    by_itself, by_hand, off = {"automated": {}}, {}, {"automated": {"enabled": False}}
    for sync in ("OutOfSync", "Unknown", None):
        status = {"health": {"status": "Healthy"}, **({"sync": {"status": sync}} if sync else {})}
        assert judged({"spec": {"syncPolicy": by_itself}, "status": status})["status"] == "Progressing"
        for policy in (by_hand, off):
            assert judged({"spec": {"syncPolicy": policy}, "status": status})["status"] == "Healthy"
    status = {"health": {"status": "Healthy"}, "sync": {"status": "Synced"}}
    assert judged({"spec": {"syncPolicy": by_itself}, "status": status})["status"] == "Healthy"


@pytest.mark.parametrize(
    ("sync", "phase", "kinds", "expected"),
    [
        ("Synced", "Succeeded", ["CustomResourceDefinition"] * 2, "Healthy"),
        ("OutOfSync", "Succeeded", ["CustomResourceDefinition"], "Progressing"),
        ("Synced", "Running", ["CustomResourceDefinition"], "Progressing"),
        ("Synced", "Succeeded", ["CustomResourceDefinition", "Deployment"], "Progressing"),
        ("Synced", "Succeeded", [], "Progressing"),
    ],
)
def test_an_application_of_definitions_alone_is_healthy_once_it_is_synchronised(
    sync: str, phase: str, kinds: list[str], expected: str
) -> None:
    status = {
        "health": {"status": "Progressing"},
        "sync": {"status": sync},
        "operationState": {"phase": phase},
        "resources": [{"kind": kind} for kind in kinds],
    }
    assert judged({"spec": {"syncPolicy": {"automated": {}}}, "status": status})["status"] == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("ComparisonError", "Degraded"), ("SyncError", "Degraded"), ("SharedResourceWarning", "Healthy")],
)
def test_an_application_that_was_refused_is_degraded_and_says_why(kind: str, expected: str) -> None:
    status = {
        "health": {"status": "Healthy"},
        "sync": {"status": "Synced"},
        "conditions": [{"type": kind, "message": "operatr is no value of the chart"}],
    }
    told = judged({"spec": {"syncPolicy": {"automated": {}}}, "status": status})
    assert told["status"] == expected
    assert ("operatr" in told["message"]) == (expected == "Degraded")


def test_every_application_tries_again_with_the_newest_commit() -> None:
    assert {found["spec"]["syncPolicy"]["retry"]["refresh"] for found in applications().values()} == {True}


def test_definition_shop_and_orders_come_in_waves() -> None:
    waves = {
        name: int(found["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"])
        for name, found in applications().items()
        if name != "ordersaga"
    }
    assert sorted(waves, key=lambda name: waves[name]) == ["ordersaga-definition", "ordersaga-shop", "ordersaga-orders"]
    assert len(set(waves.values())) == 3


def test_every_path_that_is_followed_exists() -> None:
    followed = [found["spec"]["source"]["path"] for found in applications().values()]
    followed += [found["spec"]["path"] for found in kustomizations().values() if "path" in found["spec"]]
    release = documents(GITOPS / "flux" / "shop" / "release.yaml")[0]
    followed.append(release["spec"]["chart"]["spec"]["chart"])
    assert len(followed) == 8
    for path in followed:
        assert (ROOT / path).is_dir(), path


def test_the_definition_is_never_pruned() -> None:
    application, kustomization = applications()["ordersaga-definition"], kustomizations()["ordersaga-definition"]
    assert application["spec"]["syncPolicy"]["automated"]["prune"] is False
    assert kustomization["spec"]["prune"] is False
    for path in (ROOT / "crds").glob("*.yaml"):
        (definition,) = documents(path)
        assert definition["metadata"]["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
    for found in applications().values():  # deleting an Application deletes nothing that it made
        assert "finalizers" not in found["metadata"]


def test_what_people_set_while_an_order_runs_is_left_alone() -> None:
    orders = applications()["ordersaga-orders"]["spec"]
    assert orders["ignoreDifferences"] == [
        {"group": "ordersaga.io", "kind": "OrderSaga", "jsonPointers": ["/spec/state", "/spec/intervention"]}
    ]
    assert "RespectIgnoreDifferences=true" in orders["syncPolicy"]["syncOptions"]
    kustomization = documents(GITOPS / "orders" / "kustomization.yaml")[0]
    assert kustomization["commonAnnotations"]["kustomize.toolkit.fluxcd.io/ssa"] == "Merge"


def test_orders_live_apart_and_their_removal_is_confirmed() -> None:
    assert applications()["ordersaga-orders"]["spec"]["source"]["path"] == "manifests/gitops/orders"
    orders = kustomizations()["ordersaga-orders"]["spec"]
    assert orders["path"] == "./manifests/gitops/orders"
    assert (orders["deletionPolicy"], orders["force"], orders["wait"]) == ("Orphan", False, True)
    assert orders["dependsOn"] == [{"name": "ordersaga-shop"}]
    annotations = documents(GITOPS / "orders" / "kustomization.yaml")[0]["commonAnnotations"]
    assert annotations["argocd.argoproj.io/sync-options"] == "Prune=confirm,Delete=confirm"


def test_orders_in_git_carry_nothing_of_the_moment_and_never_expire() -> None:
    found = [order for path in GITOPS.glob("*/o-*.yaml") for order in documents(path)]
    assert len(found) == 3
    for order in found:
        assert not {"state", "intervention", "ttlSecondsAfterFinished"} & set(order["spec"]), order["metadata"]["name"]
    listed = documents(GITOPS / "orders" / "kustomization.yaml")[0]["resources"]
    assert sorted(listed) == sorted(path.name for path in (GITOPS / "orders").glob("o-*.yaml"))


def test_the_chart_leaves_the_definition_to_its_own_application() -> None:
    helm = applications()["ordersaga-shop"]["spec"]["source"]["helm"]
    release = documents(GITOPS / "flux" / "shop" / "release.yaml")[0]["spec"]
    assert helm["valuesObject"]["crds"] == release["values"]["crds"] == {"install": False}


def test_the_smoke_order_is_a_hook_after_the_synchronisation() -> None:
    order = documents(GITOPS / "smoke" / "o-smoke.yaml")[0]
    assert order["metadata"]["annotations"] == {
        "argocd.argoproj.io/hook": "PostSync",
        "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
    }


def test_files_that_the_manual_names_exist() -> None:
    text = (ROOT / "docs" / "gitops.md").read_text()
    named = set(re.findall(r"manifests/gitops/[\w./-]+", text))
    assert named
    for path in named:
        assert (ROOT / path.rstrip("./")).exists(), path
