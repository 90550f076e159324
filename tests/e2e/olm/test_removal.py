"""The operator is removed and installed again: what docs/openshift.md says about removing it."""

import json

import pytest

from tests.e2e.nodeless import NAMESPACE
from tests.e2e.olm.conftest import TEST_SECONDS, Site
from tests.e2e.olm.lifecycle import CSV, name
from tests.e2e.olm.test_install import OPERATOR
from tests.e2e.system import Stack, step_states
from tests.e2e.test_orders_in_git import manifest

pytestmark = pytest.mark.timeout(TEST_SECONDS)

ROLES = tuple(f"ordersaga-{name}" for name in ("viewer", "editor", "participant-editor"))


def test_without_subscription_and_version_definitions_roles_and_orders_stay_and_go_on_later(
    installed: Site, shop: Stack
) -> None:
    ended, hanging = shop.new_id("olm-ended"), shop.new_id("olm-hanging")
    shop.kubectl("apply", "-f", "-", manifest=manifest(ended))
    shop.until_finished(ended)
    shop.services["shipping"].stop()
    patient = manifest(hanging, retry={"maxAttempts": 100, "maxBackoffSeconds": 2})
    shop.kubectl("apply", "-f", "-", manifest=patient)
    shop.until(hanging, lambda order: step_states(order).get("payment") == "Succeeded")
    definitions = uids(installed)

    version = installed.version(NAMESPACE)
    installed.kubectl("delete", "subscription.operators.coreos.com", OPERATOR)
    installed.kubectl("delete", CSV, name(version), "--timeout=60s")
    shop.operator.stop()
    installed.collect_garbage()
    for kind in ("deployment", "serviceaccount"):
        assert installed.olm.get(kind, OPERATOR, NAMESPACE) == {}
    assert uids(installed) == definitions
    assert roles(installed) == dict.fromkeys(ROLES, True)
    assert shop.resource(ended)["status"]["phase"] == "Completed"
    assert shop.resource(hanging)["status"]["phase"] == "Running"

    installed.olm.subscribe(NAMESPACE)
    installed.olm.until_installed(version, NAMESPACE)
    assert uids(installed) == definitions
    # The account is a new one, and so are its tokens.
    shop.identify()
    installed.plane.identity(OPERATOR, NAMESPACE)
    shop.start()
    phases = shop.until_finished(hanging)
    assert phases == {hanging: "Completed"}
    shop.assert_books(phases)


def roles(site: Site) -> dict[str, bool]:
    """Which of people's roles are there."""
    return {name: bool(site.olm.get("clusterrole", name, NAMESPACE)) for name in ROLES}


def uids(site: Site) -> dict[str, str]:
    """Of our definitions."""
    found = json.loads(site.plane.kubectl("get", "crd", "-o", "json").stdout)["items"]
    ours = [each["metadata"] for each in found if each["spec"]["group"] == "ordersaga.io"]
    return {each["name"]: each["uid"] for each in ours}
