"""Argo CD's health check and actions, on recorded statuses of real orders, in the Lua that Argo CD gives them.

That the live operator's statuses are like the recorded ones is in tests/e2e/test_health_in_git_tools.py.
"""

import copy

import pytest
from lupa.lua51 import LuaError

from common.wire import Json
from saga_operator.process.saga import Phase
from tests.packaging.gitops import argo_lua, kstatus
from tests.packaging.gitops.argo_lua import ACTIONS, CUSTOMIZATION
from tests.support import yamls

HEALTH_TESTS = yamls.load((CUSTOMIZATION / "health_test.yaml").read_text())["tests"]
ACTION_TESTS = yamls.load((CUSTOMIZATION / "actions" / "action_test.yaml").read_text())
RECORDED = dict(argo_lua.recorded())


def load(path: str) -> Json:
    found: Json = yamls.load((CUSTOMIZATION / path).resolve().read_text())
    return found


@pytest.mark.parametrize("case", HEALTH_TESTS, ids=lambda case: case["inputPath"].split("/")[-1])
def test_health_as_argo_cds_own_tests_ask_for_it(case: Json) -> None:
    assert argo_lua.health(load(case["inputPath"])) == case["healthStatus"]


def test_every_recorded_status_is_a_test_and_every_phase_is_recorded() -> None:
    assert {case["inputPath"] for case in HEALTH_TESTS} == {f"testdata/{name}.yaml" for name in RECORDED}
    phases = {resource["status"].get("phase") for resource in RECORDED.values()}
    assert phases == {None, *(phase.value for phase in Phase)}


@pytest.mark.parametrize(
    ("name", "health", "kstatus_"),
    [
        ("unseen", "Progressing", "InProgress"),
        ("pending", "Progressing", "InProgress"),
        ("running", "Progressing", "InProgress"),
        ("retry_scheduled", "Progressing", "InProgress"),
        ("cancel_refused", "Progressing", "InProgress"),
        ("suspended", "Suspended", "InProgress"),
        ("suspended_unseen", "Progressing", "InProgress"),
        ("compensating", "Progressing", "InProgress"),
        ("completed", "Healthy", "Current"),
        ("completed_with_warning", "Healthy", "Current"),
        ("compensated_declined", "Degraded", "Failed"),
        ("compensated_cancelled", "Degraded", "Failed"),
        ("failed", "Degraded", "Failed"),
    ],
)
def test_argo_cd_and_kstatus_agree(name: str, health: str, kstatus_: str) -> None:
    assert argo_lua.health(RECORDED[name])["status"] == health
    assert kstatus.status_of(RECORDED[name]) == kstatus_


def test_a_resource_without_a_status_is_waited_for() -> None:
    resource = {key: value for key, value in RECORDED["unseen"].items() if key != "status"}
    assert argo_lua.health(resource)["status"] == "Progressing"


def test_a_wish_that_the_operator_has_not_seen_is_waited_for() -> None:
    resource = copy.deepcopy(RECORDED["failed"])
    resource["metadata"]["generation"] += 1
    assert argo_lua.health(resource) == {"status": "Progressing", "message": "Waiting for the operator"}


def test_a_participant_that_answers_nonsense_is_told() -> None:
    resource = copy.deepcopy(RECORDED["running"])
    resource["status"]["conditions"].append({"type": "ParticipantError", "status": "True", "message": "payment: 404"})
    assert argo_lua.health(resource)["status"] == "Progressing"
    assert "(ParticipantError: payment: 404)" in argo_lua.health(resource)["message"]


@pytest.mark.parametrize("case", ACTION_TESTS["discoveryTests"], ids=lambda case: case["inputPath"].split("/")[-1])
def test_actions_are_offered_as_argo_cds_own_tests_ask_for_it(case: Json) -> None:
    assert argo_lua.offered_actions(load(f"actions/{case['inputPath']}")) == case["result"]


@pytest.mark.parametrize(
    "case", ACTION_TESTS["actionTests"], ids=lambda case: case["expectedOutputPath"].split("/")[-1]
)
def test_actions_do_as_argo_cds_own_tests_ask_for_it(case: Json) -> None:
    expected = load(f"actions/{case['expectedOutputPath']}")
    assert argo_lua.act(case["action"], load(f"actions/{case['inputPath']}")) == expected


@pytest.mark.parametrize(
    ("name", "enabled"),
    [
        ("unseen", {"suspend", "cancel"}),
        ("running", {"suspend", "cancel"}),
        ("retry_scheduled", {"retry", "suspend", "cancel"}),
        ("suspended", {"resume", "cancel"}),
        ("compensating", set()),
        ("failed", {"retry"}),
        ("cancel_refused", {"retry"}),
        ("completed", set()),
        ("compensated_declined", set()),
    ],
)
def test_only_what_would_change_something_can_be_pressed(name: str, enabled: set[str]) -> None:
    assert argo_lua.enabled_actions(RECORDED[name]) == enabled


def test_nothing_can_be_pressed_while_an_order_is_being_deleted() -> None:
    resource = copy.deepcopy(RECORDED["retry_scheduled"])
    resource["metadata"]["deletionTimestamp"] = "2026-11-22T22:00:00Z"
    assert argo_lua.enabled_actions(resource) == set()


def test_an_action_changes_one_field_of_the_spec_and_nothing_else() -> None:
    fields = {"retry": "intervention", "suspend": "state", "resume": "state", "cancel": "state"}
    for case in ACTION_TESTS["actionTests"]:
        before = load(f"actions/{case['inputPath']}")
        patch = argo_lua.merge_patch(before, argo_lua.act(case["action"], before))
        assert list(patch) == ["spec"]
        assert list(patch["spec"]) == [fields[case["action"]]]
    assert {case["action"] for case in ACTION_TESTS["actionTests"]} == set(ACTIONS)


def test_retry_with_nothing_stuck_says_so() -> None:
    with pytest.raises(LuaError, match="order o-plain: no step is stuck or waiting"):
        argo_lua.act("retry", RECORDED["completed"])


def test_the_scripts_get_no_more_than_argo_cd_gives() -> None:
    for missing in ("string", "io", "math", "debug", "package", "require", "python", "os.execute"):
        assert argo_lua.run(f"return {{ there = {missing} ~= nil }}", {}) == {"there": False}, missing
    with pytest.raises(LuaError, match="attempt to index"):
        argo_lua.run("return ('x'):upper()", {})
