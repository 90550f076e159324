"""Real Flux installs the shop from what is shipped, on an empty cluster."""

import json
import subprocess

import pytest
import yaml

from common.wire import Json
from dev.release import helm
from tests.e2e.gitops.conftest import DEFINITION, ORDERS, SHOP, Site
from tests.e2e.gitops.flux import NAMESPACE as NAMESPACE_OF_FLUX
from tests.e2e.gitops.flux import TEST_SECONDS
from tests.e2e.nodeless import NAMESPACE
from tests.e2e.system import Stack

pytestmark = pytest.mark.timeout(TEST_SECONDS)

HOOKS = "helm.sh/hook"


def chart(site: Site) -> list[Json]:
    """What the chart makes with the release's values, without its hooks."""
    release = yaml.safe_load(site.repository.read("manifests/gitops/flux/shop/release.yaml"))
    rendered = subprocess.run(
        [
            helm.find(),
            "template",
            NAMESPACE,
            site.repository.folder / "helm",
            "--namespace",
            NAMESPACE,
            "--values",
            "-",
        ],
        input=yaml.safe_dump(release["spec"]["values"]),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = [each for each in yaml.safe_load_all(rendered) if each]
    return [each for each in found if HOOKS not in each["metadata"].get("annotations", {})]


def test_the_definition_and_the_shop_become_ready(installed: Site) -> None:
    for name in (DEFINITION, SHOP):
        installed.flux.until_ready(name, f"main@sha1:{installed.repository.head}")
    release = installed.flux.until_released(NAMESPACE, installed.repository.head)
    assert release["status"]["history"][0]["status"] == "deployed"


def test_the_release_has_the_commit_in_its_version_and_its_labels_are_valid(installed: Site) -> None:
    commit = installed.repository.head[:12]
    release = installed.flux.until_released(NAMESPACE, commit)
    assert release["status"]["history"][0]["chartVersion"] == f"0.1.0+{commit}"
    labels = installed.kubectl("get", "deployment", "ordersaga-operator", "-o", r"jsonpath={.metadata.labels}")
    assert f"0.1.0_{commit}" in labels


def test_all_objects_of_the_chart_are_there(installed: Site) -> None:
    expected = json.dumps({"apiVersion": "v1", "kind": "List", "items": chart(installed)})
    installed.plane.kubectl("get", "--namespace", NAMESPACE, "-f", "-", input=expected)


def test_the_shipped_orders_complete_and_their_kustomization_is_ready_then(installed: Site, shop: Stack) -> None:
    installed.flux.until_ready(ORDERS, f"main@sha1:{installed.repository.head}")
    for name in ("o-git-mug", "o-git-posters"):
        assert shop.resource(name)["status"]["phase"] == "Completed"
    shop.assert_books({"o-git-mug": "Completed", "o-git-posters": "Completed"})


def test_the_definition_outlives_a_kustomization_that_prunes(installed: Site) -> None:
    found: Json = yaml.safe_load(installed.repository.read("manifests/gitops/flux/1-definition.yaml"))
    name = f"{DEFINITION}-pruned"
    found["metadata"]["name"], found["spec"]["prune"] = name, True
    installed.plane.kubectl("apply", "-f", "-", input=json.dumps(found))
    installed.flux.until_ready(name, f"main@sha1:{installed.repository.head}")
    installed.plane.kubectl("delete", "kustomization", name, "--namespace", NAMESPACE_OF_FLUX, "--timeout=60s")
    for definition in ("ordersagas.ordersaga.io", "participants.ordersaga.io"):
        crd = json.loads(installed.plane.kubectl("get", "crd", definition, "-o", "json").stdout)
        assert "deletionTimestamp" not in crd["metadata"]
