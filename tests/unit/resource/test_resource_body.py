"""The view of a resource, and what is kept of it in memory."""

import json
from typing import Any

import pytest

from common.order_saga import ARCHIVED, CORRELATION_ID, EXPIRES, FINALIZER
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
