"""A second shop in another namespace, by OLM as well."""

import pytest

from tests.e2e.nodeless import NAMESPACE
from tests.e2e.olm.conftest import TEST_SECONDS, Site
from tests.e2e.olm.lifecycle import CSV
from tests.e2e.olm.test_removal import ROLES, roles, uids

pytestmark = pytest.mark.timeout(TEST_SECONDS)

OTHER = "other-shop"


@pytest.fixture
def both(installed: Site) -> Site:
    installed.plane.kubectl("create", "namespace", OTHER)
    installed.olm.subscribe(OTHER)
    installed.olm.until_installed(installed.version(OTHER), OTHER)
    return installed


def test_the_second_ones_removal_takes_nothing_from_the_first(both: Site) -> None:
    definitions = uids(both)
    csv = both.olm.list(CSV, OTHER)[0]["metadata"]["name"]
    both.plane.kubectl("delete", "subscription.operators.coreos.com", "--all", "--namespace", OTHER)
    both.plane.kubectl("delete", CSV, csv, "--namespace", OTHER, "--timeout=60s")
    both.collect_garbage()
    assert both.olm.get("deployment", "ordersaga-operator", OTHER) == {}
    assert both.olm.get("deployment", "ordersaga-operator", NAMESPACE)
    assert uids(both) == definitions
    assert roles(both) == dict.fromkeys(ROLES, True)
