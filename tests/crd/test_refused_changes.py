"""Every change that an existing order must not suffer: of its spec by people, of its status by the operator."""

from typing import Any

import pytest

T = "2026-11-22T12:00:00Z"
NOTIFY = {"notify": {"contactRef": "c-18"}}
REPAIR = {"intervention": {"id": "repair-1", "action": "RetryNow", "step": "payment", "reason": "the provider is back"}}
FINISHED = "this saga is finished: too late to cancel or change it"
FROZEN = "this saga is finished: its status is its record and can't change any more"


def condition(type_: str, status: str, reason: str = "StepInProgress", **change: Any) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": "", "lastTransitionTime": T, **change}


COMPLETED = {
    "observedGeneration": 1,
    "phase": "Completed",
    "stepsSummary": "6/6",
    "completionTime": T,
    "steps": [{"name": name, "state": "Succeeded", "attempts": 1} for name in ("order", "confirmation")],
    "conditions": [condition("Ready", "True", "Completed")],
}
COMPENSATED = {
    "observedGeneration": 1,
    "phase": "Compensated",
    "completionTime": T,
    "failure": {"step": "payment", "reason": "PaymentDeclined", "message": "the card was declined"},
    "steps": [{"name": "order", "state": "Compensated"}, {"name": "payment", "state": "Refused"}],
    "conditions": [condition("Stalled", "True", "Compensated")],
}
FAILED = {
    "phase": "Failed",
    "failure": {"reason": "PaymentDeclined"},
    "conditions": [condition("Stalled", "True", "CompensationFailed")],
}

SPEC_REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    # an order is immutable
    ("another order id", {}, {"orderID": "o-else"}, "this would change its orderID"),
    ("another customer", {}, {"customerID": "c-18"}, "this would change its customerID: cancel this order and place"),
    ("another currency", {}, {"currency": "USD"}, "this would change its currency:"),
    (
        "one more of it",
        {},
        {"items": [{"productID": "p-mug", "quantity": 3, "unitPriceMinor": 1250}]},
        "change its items:",
    ),
    (
        "a better price",
        {},
        {"items": [{"productID": "p-mug", "quantity": 2, "unitPriceMinor": 1}]},
        "change its items:",
    ),
    (
        "another product",
        {},
        {"items": [{"productID": "p-cup", "quantity": 2, "unitPriceMinor": 1250}]},
        "change its items:",
    ),
    ("another card", {}, {"payment": {"methodRef": "test-processing"}}, "change its payment:"),
    ("another address", {}, {"shipTo": {"addressRef": "a-18"}}, "change its shipTo:"),
    ("a contact added", {}, NOTIFY, "change its notify:"),
    ("another order id, where it stands", {}, {"orderID": "o-else"}, "spec.orderID: Forbidden: an order is immutable"),
    ("a contact removed", NOTIFY, {"notify": None}, "change its notify:"),
    ("another contact", NOTIFY, {"notify": {"contactRef": "c-19"}}, "change its notify:"),
    ("two fields at once: the first", {}, {"currency": "USD", "customerID": "c-1"}, "change its customerID:"),
    ("two fields at once: the second", {}, {"currency": "USD", "customerID": "c-1"}, "change its currency:"),
    ("no items any more", {}, {"items": None}, "spec.items: Required value"),
    # a cancel can't be taken back
    ("a cancelled order made active", {"state": "Cancelled"}, {"state": "Active"}, "a cancelled order stays cancelled"),
    (
        "a cancelled order suspended",
        {"state": "Cancelled"},
        {"state": "Suspended"},
        "a cancelled order stays cancelled",
    ),
    (
        "a cancel taken out of the manifest",
        {"state": "Cancelled"},
        {"state": None},
        "a cancelled order stays cancelled",
    ),
    # an id acts once
    ("an intervention changed under its id", REPAIR, {"intervention": {"step": "shipping"}}, "each id acts once"),
    ("an intervention signed afterwards", REPAIR, {"intervention": {"by": "alice"}}, "each id acts once"),
    ("an intervention explained anew under its id", REPAIR, {"intervention": {"reason": "again"}}, "each id acts once"),
    # the bounds hold for changes too
    (
        "a back-off that ends before it begins",
        {},
        {"retry": {"initialBackoffSeconds": 60}},
        "maxBackoffSeconds must not be",
    ),
    ("a deadline of nought", {}, {"activeDeadlineSeconds": 0}, "should be greater than or equal to 1"),
]

SPEC_ACCEPTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("a cancel", {}, {"state": "Cancelled"}),
    ("a cancel of a suspended order", {"state": "Suspended"}, {"state": "Cancelled"}),
    ("a pause", {}, {"state": "Suspended"}),
    ("going on", {"state": "Suspended"}, {"state": "Active"}),
    ("more time", {}, {"activeDeadlineSeconds": 7200}),
    ("kept for a week", {}, {"ttlSecondsAfterFinished": 604800}),
    ("a time to live taken back", {"ttlSecondsAfterFinished": 5}, {"ttlSecondsAfterFinished": None}),
    ("more patience", {}, {"retry": {"maxAttempts": 20}}),
    ("an intervention", {}, REPAIR),
    ("the next intervention", REPAIR, {"intervention": {"id": "repair-2", "step": "shipping"}}),
    ("who asked for a state", {"state": "Suspended"}, {"state": "Active", "requestedBy": "alice"}),
    ("an intervention taken away", REPAIR, {"intervention": None}),
    ("the same items again", {}, {"items": [{"productID": "p-mug", "quantity": 2, "unitPriceMinor": 1250}]}),
    (
        "a cancel repeated, with more patience",
        {"state": "Cancelled"},
        {"state": "Cancelled", "retry": {"maxAttempts": 9}},
    ),
]

FINISHED_REFUSED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("a completed order cancelled", COMPLETED, {"state": "Cancelled"}),
    ("a completed order suspended", COMPLETED, {"state": "Suspended"}),
    ("a completed order given more time", COMPLETED, {"activeDeadlineSeconds": 7200}),
    ("a completed order removed sooner", COMPLETED, {"ttlSecondsAfterFinished": 1}),
    ("a completed order intervened in", COMPLETED, REPAIR),
    ("a compensated order cancelled", COMPENSATED, {"state": "Cancelled"}),
    ("a compensated order tried again", COMPENSATED, REPAIR),
    ("a compensated order given more attempts", COMPENSATED, {"retry": {"maxAttempts": 9}}),
]


def steps(**states: str) -> dict[str, Any]:
    return {"steps": [{"name": name, "state": state} for name, state in states.items()]}


WHY = {"failure": {"reason": "PaymentDeclined"}}
NOT_COMPLETED, NOT_COMPENSATED = "this saga isn't Completed", "this saga isn't Compensated"

STATUS_REFUSED: list[tuple[str, dict[str, Any], dict[str, Any] | None, str]] = [
    ("completed goes back to running", COMPLETED, {"phase": "Running"}, FROZEN),
    ("completed turns into compensated", COMPLETED, {"phase": "Compensated"}, FROZEN),
    ("completed loses its phase", COMPLETED, {"phase": None}, FROZEN),
    ("completed gets another time", COMPLETED, {"completionTime": "2026-11-22T13:00:00Z"}, FROZEN),
    ("completed loses its steps", COMPLETED, {"steps": None}, FROZEN),
    ("a step of completed changes", COMPLETED, {"steps": [{"name": "order", "state": "Compensated"}]}, FROZEN),
    ("completed gets a condition", COMPLETED, {"conditions": [condition("Ready", "False")]}, FROZEN),
    ("completed gets another generation", COMPLETED, {"observedGeneration": 2}, FROZEN),
    ("completed loses its status", COMPLETED, None, FROZEN),
    ("compensated goes back", COMPENSATED, {"phase": "Compensating"}, FROZEN),
    ("compensated turns into completed", COMPENSATED, {"phase": "Completed"}, FROZEN),
    ("compensated forgets why", COMPENSATED, {"failure": None}, FROZEN),
    (
        "compensated gets a failed step",
        COMPENSATED,
        {"steps": [{"name": "payment", "state": "CompensationFailed"}]},
        FROZEN,
    ),
    # a phase that the steps contradict
    ("completed without a step", {}, {"phase": "Completed"}, NOT_COMPLETED),
    (
        "completed with a step to come",
        steps(order="Succeeded", payment="Pending", confirmation="Succeeded"),
        {"phase": "Completed"},
        NOT_COMPLETED,
    ),
    (
        "completed with a refused confirmation",
        steps(order="Succeeded", confirmation="Refused"),
        {"phase": "Completed"},
        NOT_COMPLETED,
    ),
    ("completed, not confirmed", steps(order="Succeeded"), {"phase": "Completed"}, NOT_COMPLETED),
    ("completed in a rollback", {**WHY, **steps(confirmation="Succeeded")}, {"phase": "Completed"}, NOT_COMPLETED),
    ("compensated without a step", WHY, {"phase": "Compensated"}, NOT_COMPENSATED),
    ("compensated for no reason", steps(order="Compensated"), {"phase": "Compensated"}, NOT_COMPENSATED),
    *[
        (f"compensated with a step {state}", {**WHY, **steps(payment=state)}, {"phase": "Compensated"}, NOT_COMPENSATED)
        for state in ("Pending", "Succeeded", "Unknown", "CompensationFailed")
    ],
    # the shape
    ("a phase that there isn't", {}, {"phase": "Done"}, 'Unsupported value: "Done"'),
    ("a step that there isn't", {}, {"currentStep": "delivery"}, 'Unsupported value: "delivery"'),
    (
        "a state of a step that there isn't",
        {},
        {"steps": [{"name": "order", "state": "Running"}]},
        'Unsupported value: "Running"',
    ),
    ("a step without a state", {}, {"steps": [{"name": "order"}]}, "status.steps[0].state: Required value"),
    (
        "a log without end",
        {},
        {"steps": [{"name": "order", "state": "Pending"}] * 17},
        "status.steps: Too many: 17: must have at most 16",
    ),
    (
        "a message without end",
        {},
        {"failure": {"reason": "X", "message": "x" * 1025}},
        "Too long: may not be more than 1024 bytes",
    ),
    ("a failure without a reason", {}, {"failure": {"step": "payment"}}, "status.failure.reason: Required value"),
    ("a time that isn't one", {}, {"startTime": "yesterday"}, "must be of type date-time"),
    ("negative time in suspension", {}, {"suspendedSeconds": -1}, "should be greater than or equal to 0"),
    ("negative time of waiting", {}, {"waitedSeconds": -1}, "should be greater than or equal to 0"),
    ("a field that there isn't", {}, {"kopf": {}}, 'unknown field "status.kopf"'),
    (
        "a condition without a reason",
        {},
        {"conditions": [condition("Ready", "True", reason="")]},
        "should be at least 1 chars long",
    ),
    ("a condition that is maybe", {}, {"conditions": [condition("Ready", "Maybe")]}, 'Unsupported value: "Maybe"'),
    (
        "working and stuck at once",
        {},
        {"conditions": [condition("Reconciling", "True"), condition("Stalled", "True")]},
        "a saga can't be Reconciling and Stalled at once",
    ),
]

STATUS_ACCEPTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("the first look", {}, {"observedGeneration": 1, "phase": "Running", "currentStep": "order"}),
    ("completed said twice", COMPLETED, COMPLETED),
    ("compensated said twice", COMPENSATED, COMPENSATED),
    (
        "failed is left, compensating",
        FAILED,
        {"phase": "Compensating", "conditions": [condition("Reconciling", "True")]},
    ),
    ("failed is left, compensated", FAILED, {"phase": "Compensated", "steps": COMPENSATED["steps"]}),
    (
        "a rollback that resumes forward",
        {"phase": "Compensating", "failure": {"reason": "X"}},
        {"phase": "Running", "failure": None},
    ),
    ("stuck, no longer working", {}, {"conditions": [condition("Reconciling", "False"), condition("Stalled", "True")]}),
]


@pytest.mark.parametrize(("before", "change", "message"), [pytest.param(*row[1:], id=row[0]) for row in SPEC_REFUSED])
def test_a_change_of_spec_is_refused(api: Any, before: dict[str, Any], change: dict[str, Any], message: str) -> None:
    answer = api.patch(api.created({"spec": before}), {"spec": change})
    assert answer.status_code == 422, answer.text
    assert message in answer.json()["message"]


@pytest.mark.parametrize(("before", "change"), [pytest.param(*row[1:], id=row[0]) for row in SPEC_ACCEPTED])
def test_a_change_of_spec_is_accepted(api: Any, before: dict[str, Any], change: dict[str, Any]) -> None:
    answer = api.patch(api.created({"spec": before}), {"spec": change})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("status", "change"), [pytest.param(*row[1:], id=row[0]) for row in FINISHED_REFUSED])
def test_it_is_too_late_to_change_a_finished_saga(api: Any, status: dict[str, Any], change: dict[str, Any]) -> None:
    answer = api.patch(api.created(status=status), {"spec": change})
    assert answer.status_code == 422, answer.text
    assert FINISHED in answer.json()["message"]


def test_a_failed_saga_can_still_be_cancelled_and_intervened_in(api: Any) -> None:
    answer = api.patch(api.created(status=FAILED), {"spec": {"state": "Cancelled", **REPAIR}})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("status", [COMPLETED, COMPENSATED], ids=["completed", "compensated"])
def test_a_finished_saga_can_lose_its_finalizer_and_be_deleted(api: Any, status: dict[str, Any]) -> None:
    name = api.created({"metadata": {"finalizers": ["ordersaga.io/compensation"]}}, status)
    path = f"/apis/ordersaga.io/v1alpha1/namespaces/{api.namespace}/ordersagas/{name}"
    assert api.client.delete(path).status_code == 200
    assert api.patch(name, {"metadata": {"finalizers": None}}).status_code == 200
    assert api.client.get(path).status_code == 404


def test_a_manifest_without_state_does_not_take_a_cancel_back(api: Any) -> None:
    """`kubectl replace` of what is in Git, after a cancel: refused, never a silent second start."""
    body = api.order()
    assert api.create(body).status_code == 201
    assert api.patch(body["metadata"]["name"], {"spec": {"state": "Cancelled"}}).status_code == 200
    version = api.get(body["metadata"]["name"])["metadata"]["resourceVersion"]
    answer = api.replace({**body, "metadata": {**body["metadata"], "resourceVersion": version}})
    assert answer.status_code == 422, answer.text
    assert "a cancelled order stays cancelled" in answer.json()["message"]


@pytest.mark.parametrize(("before", "change", "message"), [pytest.param(*row[1:], id=row[0]) for row in STATUS_REFUSED])
def test_a_status_is_refused(api: Any, before: dict[str, Any], change: dict[str, Any] | None, message: str) -> None:
    answer = api.patch(api.created(status=before), {"status": change}, "/status")
    assert answer.status_code in (400, 422), answer.text
    assert message in answer.json()["message"]


@pytest.mark.parametrize(("before", "change"), [pytest.param(*row[1:], id=row[0]) for row in STATUS_ACCEPTED])
def test_a_status_is_accepted(api: Any, before: dict[str, Any], change: dict[str, Any]) -> None:
    answer = api.patch(api.created(status=before), {"status": change}, "/status")
    assert answer.status_code == 200, answer.text


def test_the_main_resource_cannot_set_a_status(api: Any) -> None:
    name = api.created()
    assert api.patch(name, {"status": {"phase": "Completed"}}).status_code == 200
    assert api.get(name)["status"] == {"observedGeneration": -1}


def test_the_status_subresource_cannot_change_the_order(api: Any) -> None:
    name = api.created()
    assert api.patch(name, {"spec": {"currency": "USD"}, "status": {"phase": "Running"}}, "/status").status_code == 200
    assert api.get(name)["spec"]["currency"] == "EUR"


def test_a_status_decided_on_an_older_version_is_refused(api: Any) -> None:
    name = api.created()
    version = api.get(name)["metadata"]["resourceVersion"]
    first = {"metadata": {"resourceVersion": version}, "status": {"phase": "Running"}}
    assert api.patch(name, first, "/status").status_code == 200
    second = {"metadata": {"resourceVersion": version}, "status": {"phase": "Compensating"}}
    assert api.patch(name, second, "/status").status_code == 409
