"""A new version in the catalog, while an order is open."""

import operator

import pytest

from tests.e2e.nodeless import NAMESPACE
from tests.e2e.olm.conftest import FIRST, SECOND, TEST_SECONDS, Site
from tests.e2e.olm.lifecycle import CSV, name
from tests.e2e.olm.test_install import INSTALL, OPERATOR, rules_of, without_own_condition
from tests.e2e.system import Stack, step_states
from tests.e2e.test_orders_in_git import manifest

pytestmark = pytest.mark.timeout(TEST_SECONDS)


def test_an_order_that_is_open_while_the_operator_is_upgraded_completes(installed: Site, shop: Stack) -> None:
    shop.services["shipping"].stop()
    order_id = shop.new_id("olm-upgrade")
    patient = manifest(order_id, retry={"maxAttempts": 100, "maxBackoffSeconds": 2})
    shop.kubectl("apply", "-f", "-", manifest=patient)
    shop.until(order_id, lambda order: step_states(order).get("payment") == "Succeeded")

    installed.olm.catalog.publish(FIRST, SECOND)
    csv = installed.olm.until_installed(SECOND, NAMESPACE)
    assert csv["spec"]["replaces"] == name(FIRST)
    installed.olm.until(
        "the first version is gone", lambda: installed.olm.get(CSV, name(FIRST), NAMESPACE), operator.not_
    )
    # What OLM itself leaves to the garbage collector: the first version's Role and its like.
    installed.collect_garbage()

    path = "jsonpath={.spec.template.spec.containers[0].image}"
    assert installed.kubectl("get", "deployment", OPERATOR, "-o", path).endswith(f":{SECOND}")
    assert len(without_own_condition(rules_of(installed, OPERATOR))) == len(INSTALL["permissions"][0]["rules"])
    # As the Deployment does with its pods.
    shop.operator.stop()
    shop.start()
    phases = shop.until_finished(order_id)
    assert phases == {order_id: "Completed"}
    shop.assert_books(phases)
