"""How large the metadata of an order may become, on a real API server, which itself bounds annotations alone."""

import json
from typing import Any

import pytest

from common.order_saga import ABANDON, FINALIZER
from common.wire import Json
from tests.packaging.policies.api import ALICE, OPERATOR, Api, Request
from tests.support.samples import order

MANY, LONG = "an order has at most 16 finalizers", "has at most 65536 characters, and this would have "
LARGE = 250_000
"""Characters: four times what is allowed, a sixth of what etcd takes."""


def placed(order_id: str, **metadata: Any) -> Request:
    """An order of somebody's with this metadata."""
    manifest = order(order_id)
    return Request(ALICE, "POST", {**manifest, "metadata": {"name": order_id, **metadata}}, path="")


def changed(**metadata: Any) -> Request:
    """An order that is to get this metadata."""
    return Request(ALICE, "PATCH", {"metadata": metadata})


def names(number: int) -> list[str]:
    return [f"example.com/{n:050}" for n in range(number)]


def writers(number: int, *fields: str) -> list[Json]:
    """That many managers in managedFields, each with all of these fields, which the order needn't have."""
    about = {"operation": "Apply", "apiVersion": "ordersaga.io/v1alpha1", "time": "2026-01-01T00:00:00Z"}
    said = {"fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:orderID": {}, **{f"f:{each}": {} for each in fields}}}}
    return [{"manager": f"m-{n}", **about, **said} for n in range(number)]


LABELS = {f"l-{n}": "x" * 60 for n in range(LARGE // 100)}
OWNER: Json = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u-1"}
OWNERS = [{**OWNER, "uid": f"u-{n}", "name": "x" * 250} for n in range(LARGE // 300)]
FIELDS = [f"{n:060}" for n in range(LARGE // 70)]
LARGEST = [{"productID": f"p-{n:061}", "quantity": 10_000, "unitPriceMinor": 1000} for n in range(100)]
NOTED = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(order("o-largest", items=LARGEST))}
"""What `kubectl apply` notes of the largest order."""
OF_TOOLS: Json = {
    "labels": {f"app.kubernetes.io/of-tool-{n}": "x" * 60 for n in range(20)},
    "annotations": {**NOTED, **{f"tool-{n}.example.com/note": "x" * 1000 for n in range(20)}},
    "ownerReferences": [{**OWNER, "uid": f"u-{n}"} for n in range(4)],
    "finalizers": [FINALIZER, *names(15)],
    "managedFields": writers(16, *map(str, range(100))),
}
"""More than any order has that people and tools work with."""

REFUSED = {
    "a finalizer more than there may be": (changed(finalizers=[FINALIZER, *names(16)]), MANY),
    "an order placed with a hundred finalizers": (placed("o-held", finalizers=names(100)), MANY),
    "thousands of finalizers": (changed(finalizers=[FINALIZER, *names(LARGE // 100)]), MANY),
    "thousands of labels": (changed(labels=LABELS), LONG),
    "an order placed with thousands of labels": (placed("o-labelled", labels=LABELS), LONG),
    "hundreds of owners": (changed(ownerReferences=OWNERS), LONG),
    "one owner with a long name": (changed(ownerReferences=[{**OWNER, "name": "x" * LARGE}]), LONG),
    "as many annotations as the API server takes": (changed(annotations={"x": "x" * 262_000}), LONG),
    "a thousand writers": (changed(managedFields=writers(1000)), LONG),
    "thousands of fields that nobody wrote": (changed(managedFields=writers(1, *FIELDS)), LONG),
    "an order placed with a long field that nobody wrote": (
        placed("o-written", managedFields=writers(1, "x" * LARGE)),
        LONG,
    ),
}
DONE = {
    "an order with all that tools note": placed("o-of-tools", **OF_TOOLS),
    "all that tools note": changed(**OF_TOOLS),
    "as many finalizers as there may be": changed(finalizers=[FINALIZER, *names(15)]),
}
TOO_LARGE: Json = {"labels": LABELS, "finalizers": [FINALIZER, *names(100)], "managedFields": writers(40, "x" * 4000)}
STILL_DONE: dict[str, Json] = {
    "a finalizer is taken off": {"metadata": {"finalizers": [FINALIZER, *names(99)]}},
    "labels go": {"metadata": {"labels": None}},
    "it is cancelled": {"spec": {"state": "Cancelled", "requestedBy": ALICE}},
    "it is to be given up": {"metadata": {"annotations": {ABANDON: "x" * 500}}},
    "who wrote it is emptied": {"metadata": {"managedFields": [{}]}},
}


@pytest.mark.parametrize("what", REFUSED)
def test_more_than_any_program_notes_is_refused(guarded: Api, what: str) -> None:
    request, message = REFUSED[what]
    answer = request.made(guarded)
    assert answer.status_code == 403, answer.text[:1000]
    assert message in answer.json()["message"]


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("what", REFUSED)
def test_without_the_policy_it_goes_through(unguarded: Api, what: str) -> None:
    Api.did(REFUSED[what][0].made(unguarded))


@pytest.mark.parametrize("what", DONE)
def test_what_tools_note_is_not_refused(guarded: Api, what: str) -> None:
    Api.did(DONE[what].made(guarded))


def enlarged(api: Api) -> str:
    """The name of an order that is too large: the operator may always write, and so it may become."""
    name = api.placed({})
    Api.did(api.request(OPERATOR, "PATCH", f"/{name}", {"metadata": TOO_LARGE}))
    return name


@pytest.mark.parametrize("what", STILL_DONE)
def test_one_that_is_too_large_already_is_locked_for_nobody(guarded: Api, what: str) -> None:
    name = enlarged(guarded)
    Api.did(guarded.request(ALICE, "PATCH", f"/{name}", STILL_DONE[what]))
    Api.did(guarded.request(OPERATOR, "PATCH", f"/{name}", {"metadata": {"finalizers": names(100)}}))


@pytest.mark.parametrize(
    "more",
    [
        {"labels": {"more": "x" * 60, **{f"more-{n}": "x" * 60 for n in range(20)}}},
        {"finalizers": [FINALIZER, *names(101)]},
    ],
)
def test_one_that_is_too_large_already_becomes_no_larger(guarded: Api, more: Json) -> None:
    name = enlarged(guarded)
    assert guarded.request(ALICE, "PATCH", f"/{name}", {"metadata": more}).status_code == 403
