"""Each admission policy of the chart on a real API server, as those who call it there: what it refuses, and what not.

Each request is made in two namespaces with the same Roles. In the one with the policies it is refused or not; in the
other one, where there are none, it goes through: it is the policy that refuses, and it is about its namespace alone.
"""

from collections.abc import Callable, Iterator
from typing import Final

import httpx
import pytest

from dev.stack.pytest_plugin import TestControlPlane
from dev.stack.waiting import wait_until
from tests.packaging.chart.charts import rendered
from tests.packaging.policies.api import Api, rights
from tests.packaging.policies.conftest import KINDS, POLICIES
from tests.packaging.policies.requests import DONE, REFUSED, STAMPED
from tests.support.samples import order

pytestmark = pytest.mark.slow

STAMPING: Final = "guarded-and-stamped"
STAMP = ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")


@pytest.mark.parametrize("what", REFUSED)
def test_a_policy_refuses(guarded: Api, what: str) -> None:
    request = REFUSED[what]
    answer = request.made(guarded)
    assert answer.status_code == 403, answer.text
    assert request.refused in answer.json()["message"]


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("what", REFUSED)
def test_without_the_policy_it_goes_through(unguarded: Api, what: str) -> None:
    Api.did(REFUSED[what].made(unguarded))


@pytest.mark.parametrize("what", DONE)
def test_no_policy_refuses(guarded: Api, what: str) -> None:
    Api.did(DONE[what].made(guarded))


@pytest.fixture(scope="module")
def stamped(client: httpx.Client, apply: Callable[..., None], control_plane: TestControlPlane) -> Iterator[Api]:
    """A namespace with all policies, once they are in force."""
    chart = rendered(*POLICIES, "--set", "policies.stamp=true", namespace=STAMPING)
    policies = chart.all(*KINDS, *STAMP)
    apply(*rights(STAMPING), *policies)
    api = Api(client, STAMPING)
    forged = REFUSED["a cancel in another's name"]
    wait_until("the names are checked", lambda: not forged.made(api).is_success, 30)
    wait_until("names are filled in", lambda: STAMPED["a cancel"][0].made(api).is_success, 30)
    yield api
    for body in policies:
        control_plane.kubectl("delete", body["kind"].lower(), body["metadata"]["name"])


@pytest.mark.parametrize("what", STAMPED)
def test_nobody_has_to_type_a_name(stamped: Api, what: str) -> None:
    request, who = STAMPED[what]
    made = Api.did(request.made(stamped))["spec"]
    assert made.get("intervention", {}).get("by", made.get("requestedBy")) == stamped.user(who)


@pytest.mark.parametrize("what", [what for what, request in REFUSED.items() if "another" in what])
def test_a_name_that_somebody_types_is_checked_all_the_same(stamped: Api, what: str) -> None:
    assert REFUSED[what].made(stamped).status_code == 403


def test_an_order_that_nobody_asks_anything_of_gets_no_name(stamped: Api) -> None:
    assert "requestedBy" not in stamped.get(stamped.placed({}))["spec"]


def test_a_manifest_that_cancels_can_be_applied_again_and_again(stamped: Api) -> None:
    """As Argo CD and Flux do it, which say nothing of who they are: their name is filled in, and stays."""
    name = stamped.placed({})
    for _ in range(3):
        saga = Api.did(stamped.request("editor-of-git", "APPLY", f"/{name}", order(name, state="Cancelled")))
        assert saga["spec"]["requestedBy"] == "editor-of-git"
