"""The bundle, installed by the real Operator Lifecycle Manager as docs/openshift.md says."""

import json

import pytest
import yaml

from common.wire import Json
from dev.release import olm
from tests.e2e.nodeless import NAMESPACE
from tests.e2e.olm.conftest import FIRST, TEST_SECONDS, Site
from tests.e2e.olm.lifecycle import CSV, PLAN, name
from tests.e2e.system import Stack
from tests.e2e.test_orders_in_git import manifest

pytestmark = pytest.mark.timeout(TEST_SECONDS)

OPERATOR = olm.PACKAGE
OURS = yaml.safe_load((olm.BUNDLE / "manifests" / f"{OPERATOR}.clusterserviceversion.yaml").read_text())["spec"]
INSTALL = OURS["install"]["spec"]


def rules_of(site: Site, account: str) -> list[Json]:
    """The rules of all Roles of the namespace that this account is bound to."""
    bound = [
        each["roleRef"]["name"]
        for each in site.olm.list("rolebinding", NAMESPACE)
        if account in [subject["name"] for subject in each.get("subjects", [])]
    ]
    roles = [each for each in site.olm.list("role", NAMESPACE) if each["metadata"]["name"] in bound]
    return [rule for role in roles for rule in role["rules"]]


def without_own_condition(rules: list[Json]) -> list[Json]:
    """Without what OLM gives to every operator: to write its own OperatorCondition."""
    return [rule for rule in rules if rule["apiGroups"] != ["operators.coreos.com"]]


def test_the_install_plan_completes_and_the_operator_is_there(installed: Site) -> None:
    (plan,) = installed.olm.list(PLAN, NAMESPACE)
    assert plan["status"]["phase"] == "Complete"
    assert {step["status"] for step in plan["status"]["plan"]} <= {"Created", "Present"}
    csv = installed.olm.get(CSV, name(FIRST), NAMESPACE)
    assert csv["status"]["reason"] == "InstallSucceeded"
    assert {each["status"] for each in csv["status"]["requirementStatus"]} == {"Present"}
    for kind in ("ordersagas", "participants"):
        installed.kubectl("wait", "--for=condition=Established", "--timeout=10s", f"crd/{kind}.ordersaga.io")


def test_the_deployment_is_the_bundles(installed: Site) -> None:
    (ours,) = INSTALL["deployments"]
    found = installed.olm.get("deployment", OPERATOR, NAMESPACE)["spec"]
    (container,), (expected,) = (each["template"]["spec"]["containers"] for each in (found, ours["spec"]))
    assert {key: container[key] for key in ("image", "securityContext", "resources", "volumeMounts")} == {
        key: expected[key] for key in ("image", "securityContext", "resources", "volumeMounts")
    }
    for each in expected["env"]:
        (is_there,) = [found for found in container["env"] if found["name"] == each["name"]]
        assert is_there.get("value") == each.get("value")
    assert found["replicas"] == ours["spec"]["replicas"]
    account = found["template"]["spec"]["serviceAccountName"]
    assert account == INSTALL["permissions"][0]["serviceAccountName"]


def test_the_operators_account_may_what_the_bundle_says_and_no_more(installed: Site) -> None:
    found = without_own_condition(rules_of(installed, OPERATOR))
    assert sorted(map(json.dumps, found)) == sorted(
        json.dumps(dict(sorted(rule.items()))) for rule in INSTALL["permissions"][0]["rules"]
    )
    bindings = json.loads(installed.plane.kubectl("get", "clusterrolebinding", "-o", "json").stdout)["items"]
    accounts = {(each.get("namespace"), each["name"]) for one in bindings for each in one.get("subjects", [])}
    assert (NAMESPACE, OPERATOR) not in accounts


def test_orders_complete_and_are_undone_with_that_account(shop: Stack) -> None:
    good, declined = shop.new_id("olm"), shop.new_id("olm-declined")
    shop.kubectl("apply", "-f", "-", manifest=manifest(good))
    shop.kubectl("apply", "-f", "-", manifest=manifest(declined, payment={"methodRef": "test-declined"}))
    phases = shop.until_finished(good, declined)
    assert phases == {good: "Completed", declined: "Compensated"}
    shop.assert_books(phases)


def test_people_see_and_place_orders_by_the_roles_that_the_bundle_brings(installed: Site) -> None:
    for role in ("viewer", "editor", "participant-editor"):
        assert installed.olm.get("clusterrole", f"ordersaga-{role}", NAMESPACE), role


def test_olm_itself_lets_whoever_edits_the_namespace_change_participants(installed: Site) -> None:
    """docs/openshift.md says so: OLM makes such roles for each kind that a bundle has."""
    found = installed.olm.get("clusterrole", "participants.ordersaga.io-v1alpha1-edit", NAMESPACE)
    assert found["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    (rule,) = found["rules"]
    assert rule["resources"] == ["participants"]
    assert "patch" in rule["verbs"]


def test_a_services_address_in_the_subscription_arrives_in_the_deployment(installed: Site) -> None:
    def address() -> str:
        path = "jsonpath={.spec.template.spec.containers[0].env[?(@.name=='ORDERSAGA_PAYMENT_URL')].value}"
        return installed.kubectl("get", "deployment", OPERATOR, "-o", path)

    before = address()
    elsewhere = "https://payment.example.com:8443"
    for env, expected in (([{"name": "ORDERSAGA_PAYMENT_URL", "value": elsewhere}], elsewhere), ([], before)):
        installed.olm.subscribe(NAMESPACE, config={"env": env})
        installed.olm.until(f"the address is {expected}", address, expected.__eq__)
        installed.olm.until_phase(FIRST, NAMESPACE)
