"""Definitions and an order that were there before OLM: from the chart, or from `kubectl apply -f crds/`."""

import json

import pytest

from dev.setup.paths import CHECKOUT
from dev.stack.waiting import wait_until
from tests.e2e.nodeless import NAMESPACE
from tests.e2e.olm.conftest import FIRST, TEST_SECONDS, new_site
from tests.e2e.olm.test_removal import uids
from tests.e2e.test_orders_in_git import manifest

pytestmark = pytest.mark.timeout(TEST_SECONDS)

ORDER = "o-before-olm"


def test_definitions_and_orders_that_are_there_already_stay(tmp_path_factory: pytest.TempPathFactory) -> None:
    with new_site(tmp_path_factory.mktemp("adoption")) as site:
        site.plane.kubectl("apply", "--server-side", "-f", CHECKOUT / "crds")
        place = ("apply", "--namespace", NAMESPACE, "-f", "-")
        order = json.dumps(manifest(ORDER))
        placed = lambda: not site.plane.kubectl(*place, input=order, check=False).returncode  # noqa: E731
        wait_until("the order is taken", placed, 60)
        definitions, uid = uids(site), site.kubectl("get", "ordersaga", ORDER, "-o", "jsonpath={.metadata.uid}")
        site.olm.subscribe(NAMESPACE)
        site.olm.until_installed(FIRST, NAMESPACE)
        assert uids(site) == definitions
        assert len(definitions) == 2
        assert site.kubectl("get", "ordersaga", ORDER, "-o", "jsonpath={.metadata.uid}") == uid
