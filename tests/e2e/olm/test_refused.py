"""What the bundle doesn't support, and what OLM says of it."""

import pytest

from tests.e2e.olm.conftest import FIRST, TEST_SECONDS, Site

pytestmark = pytest.mark.timeout(TEST_SECONDS)

EVERYWHERE = "everywhere"


def test_an_operator_group_of_all_namespaces_is_refused(site: Site) -> None:
    site.plane.kubectl("create", "namespace", EVERYWHERE)
    site.olm.subscribe(EVERYWHERE, targets=[])
    csv = site.olm.until_phase(FIRST, EVERYWHERE, "Failed")
    assert csv["status"]["reason"] == "UnsupportedOperatorGroup", csv["status"]
    assert "AllNamespaces InstallModeType not supported" in csv["status"]["message"]
    assert site.olm.get("deployment", "ordersaga-operator", EVERYWHERE) == {}
    site.plane.kubectl("delete", "subscription.operators.coreos.com", "--all", "--namespace", EVERYWHERE)
    site.plane.kubectl("delete", "clusterserviceversion", "--all", "--namespace", EVERYWHERE, "--timeout=60s")
