"""A participant in Git, by real Flux: its maintenance is a commit."""

import json

import pytest

from tests.e2e.gitops import participants
from tests.e2e.gitops.conftest import SHOP, Site
from tests.e2e.gitops.flux import NAMESPACE, PATIENCE, TEST_SECONDS
from tests.e2e.system import Stack
from tests.e2e.test_orders_in_git import manifest

pytestmark = pytest.mark.timeout(TEST_SECONDS)

NAME = "ordersaga-participants"
KUSTOMIZATION = {
    "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
    "kind": "Kustomization",
    "metadata": {"name": NAME, "namespace": NAMESPACE},
    "spec": {
        "dependsOn": [{"name": SHOP}],
        "interval": "10m",
        "sourceRef": {"kind": "GitRepository", "name": "ordersaga"},
        "path": f"./{participants.FOLDER}",
        "prune": True,
        "wait": True,
    },
}


def test_a_commit_pauses_a_participant_and_another_one_lets_the_orders_go_on(installed: Site, shop: Stack) -> None:
    repository, flux = installed.repository, installed.flux
    shop.start()
    before, shipped = participants.spec(shop), repository.head
    installed.plane.kubectl("apply", "-f", "-", input=json.dumps(KUSTOMIZATION))
    flux.until_ready(NAME, flux.fetch(repository.head))
    assert participants.spec(shop) == {**before, **participants.IN_GIT}

    flux.until_ready(NAME, flux.fetch(repository.commit("Maintenance", participants.paused(repository))))
    order_id = shop.new_id("flux-paused")
    shop.kubectl("apply", "-f", "-", manifest=manifest(order_id))
    participants.until_held_up(shop, order_id, PATIENCE)
    flux.until_ready(NAME, flux.fetch(repository.revert()))
    shop.until_finished(order_id)
    shop.assert_books({order_id: "Completed"})

    flux.until_ready(NAME, flux.fetch(repository.commit("No participant", participants.removed(repository))))
    participants.until_back(shop, before, PATIENCE)
    repository.back_to(shipped)
    installed.plane.kubectl("delete", "kustomization", NAME, "--namespace", NAMESPACE, "--timeout=60s")
