"""The view of a resource, and what is kept of it in memory."""

import json
from typing import Any

import pytest

from common.order_saga import ABANDON, ARCHIVED, CONFIRM_DELETION, CORRELATION_ID, EXPIRES, FINALIZER
from common.wire import Json
from saga_operator.resource.body import Resource
from saga_operator.resource.status import intervention_of

TEXT = json.dumps(
    {
        "metadata": {
            "name": "o-1",
            "managedFields": [
                {"manager": "kubectl", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:intervention": {}}}}
            ],
        },
        "spec": {"orderID": "o-1", "items": [{"productID": "p-mug", "quantity": 2}]},
    }
)


def slim(raw: Json) -> Json:
    return Resource(raw).slim().raw


def test_two_resources_share_their_words() -> None:
    one, other = slim(json.loads(TEXT)), slim(json.loads(TEXT))
    assert one == other
    assert one["spec"]["items"][0]["productID"] is other["spec"]["items"][0]["productID"]
    assert all(key is same for key, same in zip(one["spec"], other["spec"], strict=True))


def test_who_wrote_which_field_is_dropped_unless_somebody_intervened() -> None:
    resource = json.loads(TEXT)
    assert "managedFields" not in slim(resource)["metadata"]
    assert "managedFields" in resource["metadata"]
    before = {"manager": "argocd", "time": "2025-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:intervention": {}}}}
    resource["metadata"]["managedFields"].append(before)
    resource["spec"]["intervention"] = {"id": "1", "action": "RetryNow", "step": "payment", "reason": "repaired"}
    intervention = intervention_of(Resource(resource).slim())
    assert intervention is not None
    assert intervention.by == "kubectl"


def test_a_finalizer_is_added_and_taken_off_at_exactly_this_version_and_others_stay() -> None:
    resource = Resource({"metadata": {"name": "o-1", "resourceVersion": "7", "finalizers": ["other"]}})
    assert not resource.has_finalizer
    added = resource.with_finalizer()
    assert added == {"metadata": {"resourceVersion": "7", "finalizers": ["other", FINALIZER]}}
    after = Resource(added)
    assert after.has_finalizer
    assert after.without_finalizer() == {"metadata": {"resourceVersion": "7", "finalizers": ["other"]}}


APPLIED = {"manager": "kustomize-controller", "operation": "Apply"}
UPDATED = {"manager": "ordersaga-operator", "operation": "Update"}


def finished_saga(**metadata: Any) -> Json:
    about = {"uid": "u-1", "resourceVersion": "7", "generation": 1, "finalizers": [FINALIZER]}
    about |= {"managedFields": [UPDATED], **metadata}
    return {"metadata": about, "spec": {}, "status": {"phase": "Completed"}}


def test_who_wrote_a_finished_saga_goes_with_the_finalizer() -> None:
    assert Resource(finished_saga()).without_finalizer()["metadata"]["managedFields"] == [{}]


@pytest.mark.parametrize(
    "raw",
    [
        finished_saga(managedFields=[UPDATED, APPLIED]),
        finished_saga(generation=2),
        finished_saga() | {"spec": {"intervention": {"id": "1"}}},
        finished_saga() | {"status": {"phase": "Failed"}},
        Resource(finished_saga()).slim().raw,
    ],
    ids=["applied", "changed", "intervened", "failed", "unknown"],
)
def test_who_wrote_it_stays_where_somebody_may_ask(raw: Json) -> None:
    assert "managedFields" not in Resource(raw).without_finalizer()["metadata"]


def test_a_resource_without_a_status_has_not_finished_and_does_not_expire() -> None:
    resource = Resource({"metadata": {"name": "o-1"}, "spec": {"ttlSecondsAfterFinished": 60}})
    assert (resource.phase, resource.finished, resource.expires, resource.deleting) == ("", False, None, False)
    ended = {"phase": "Completed", "completionTime": "1970-01-01T00:00:05Z"}
    assert Resource({**resource.raw, "status": ended}).finished
    assert Resource({**resource.raw, "status": ended}).expires == 65


@pytest.mark.parametrize("ended", ["soon", "9999-99-99T00:00:00Z", 5])
def test_a_time_that_can_not_be_read_keeps_no_finalizer_on(ended: object) -> None:
    metadata = {"name": "o-1", "uid": "u-1", "resourceVersion": "7", "finalizers": [FINALIZER]}
    status = {"phase": "Completed", "completionTime": ended}
    resource = Resource({"metadata": metadata, "spec": {"ttlSecondsAfterFinished": 60}, "status": status})
    patch = resource.without_finalizer(archived=True)["metadata"]
    assert (patch["finalizers"], patch["annotations"]) == ([], {ARCHIVED: "u-1", EXPIRES: None})


def test_the_correlation_id_is_the_requests_or_else_the_uid() -> None:
    metadata = {"name": "o-1", "uid": "u-1"}
    assert Resource({"metadata": metadata}).correlation_id == "u-1"
    metadata_of_request = {**metadata, "annotations": {CORRELATION_ID: "r-1"}}
    assert Resource({"metadata": metadata_of_request}).correlation_id == "r-1"


@pytest.mark.parametrize("unfit", ["Auftrag-Müller", "a\nb", "a b", "x" * 200_000, "", "\u202e"])
def test_a_correlation_id_that_is_no_header_is_replaced_by_the_uid(unfit: str) -> None:
    annotated = {"name": "o-1", "uid": "u-1", "annotations": {CORRELATION_ID: unfit}}
    assert Resource({"metadata": annotated, "spec": {}}).correlation_id == "u-1"


def test_a_correlation_id_that_fits_stays() -> None:
    annotated = {"name": "o-1", "uid": "u-1", "annotations": {CORRELATION_ID: "Auftrag-Mueller:17"}}
    assert Resource({"metadata": annotated, "spec": {}}).correlation_id == "Auftrag-Mueller:17"


def test_what_others_wrote_beside_an_order_takes_no_memory_while_it_waits() -> None:
    annotations = {CORRELATION_ID: "r-1", "example.com/note": "x" * 200_000}
    metadata = {"name": "o-1", "uid": "u-1", "annotations": annotations, "labels": {"a": "b"}}
    slimmed = Resource({"metadata": metadata, "spec": {}}).slim()
    assert slimmed.raw["metadata"] == {"name": "o-1", "uid": "u-1", "annotations": {CORRELATION_ID: "r-1"}}
    assert slimmed.correlation_id == "r-1"
    assert metadata["annotations"] is annotations


def test_a_megabyte_of_metadata_takes_no_memory_while_its_order_waits() -> None:
    """The API server bounds neither labels nor owners nor finalizers, and who may create an order may fill them."""
    names = [f"example.com/{number:050}" for number in range(20_000)]
    said = {"f:spec": {"f:intervention": {}, **{f"f:{name}": {} for name in names}}}
    metadata = {
        "name": "o-1",
        "labels": dict.fromkeys(names, ""),
        "ownerReferences": [{"name": name} for name in names],
        "finalizers": [*names, FINALIZER],
        "managedFields": [{"manager": name, "fieldsV1": said} for name in names[:100]],
    }
    waiting = Resource(
        {"metadata": metadata | {"resourceVersion": "7"}, "spec": {"intervention": {"id": "1"}}, "status": {}}
    ).slim()
    assert len(json.dumps(waiting.raw)) < 10_000
    assert waiting.has_finalizer
    few = {"metadata": {"name": "o-1", "finalizers": names[:60]}, "spec": {}}
    assert Resource(few).slim().finalizers == names[:60]


def test_no_finalizer_of_another_goes_because_it_is_not_held() -> None:
    metadata = {"name": "o-1", "resourceVersion": "7", "finalizers": [f"example.com/{n}" for n in range(65)]}
    waiting = Resource({"metadata": metadata, "spec": {}}).slim()
    for patch in (waiting.with_finalizer, waiting.without_finalizer, waiting.slim().with_finalizer):
        with pytest.raises(ValueError, match="would go with this write"):
            patch()


def test_why_an_order_is_deleted_is_known_once_it_is() -> None:
    annotations = {CONFIRM_DELETION: " a test\norder ", ABANDON: "x" * 300, "example.com/note": "y"}
    metadata: Json = {"name": "o-1", "uid": "u-1", "annotations": annotations}
    resource = Resource({"metadata": metadata, "spec": {}})
    assert resource.deletion_reason == ""
    assert len(resource.abandoned) == 256
    deleted = Resource({"metadata": metadata | {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {}}).slim()
    assert deleted.deletion_reason == "a test order"
    assert deleted.raw["metadata"]["annotations"] == {
        CONFIRM_DELETION: "a test order",
        ABANDON: resource.abandoned,
    }


@pytest.mark.parametrize("odd", [None, {CONFIRM_DELETION: 7}, {CONFIRM_DELETION: ["x"]}, {CONFIRM_DELETION: ""}])
def test_a_reason_that_is_none_is_none(odd: Json | None) -> None:
    metadata = {"name": "o-1", "deletionTimestamp": "2026-01-01T00:00:00Z", "annotations": odd}
    assert Resource({"metadata": metadata, "spec": {}}).deletion_reason == ""


TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_whose_doing_it_is_is_known_as_far_as_it_is_a_traceparent_also_when_the_rest_is_left_out() -> None:
    def noted(text: object) -> str:
        metadata = {"name": "o-1", "uid": "u-1", "annotations": {"tracing.k8s.io/traceparent": text}}
        resource = Resource({"metadata": metadata, "spec": {}})
        assert resource.slim().traceparent == resource.traceparent
        return resource.traceparent

    assert noted(TRACEPARENT) == TRACEPARENT
    for wrong in (17, "", "x" * 200_000, TRACEPARENT + "\r\nX-Header: forged", TRACEPARENT.replace("b7", "zz")):
        assert noted(wrong) == ""
