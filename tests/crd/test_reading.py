"""What people and programs see: columns, field selectors, explanations, samples."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import yamls

ROOT = Path(__file__).parents[2]
CRD = yamls.load((ROOT / "crds" / "ordersaga.yaml").read_text())
VERSION = CRD["spec"]["versions"][0]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]
PARTICIPANT = yamls.load((ROOT / "crds" / "participant.yaml").read_text())["spec"]["versions"][0]
SCHEMAS = {"OrderSaga": SCHEMA, "Participant": PARTICIPANT["schema"]["openAPIV3Schema"]}
SAMPLES = sorted((ROOT / "manifests" / "samples").glob("*.yaml"))
T = "2026-11-22T12:00:00Z"


def fields(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every field of a schema with its path, depth first."""
    found = []
    for name, field in schema.get("properties", {}).items():
        if path or name != "metadata":  # the API server describes metadata itself, and refuses a description of ours
            found.append((f"{path}.{name}", field))
            found.extend(fields(field.get("items", field), f"{path}.{name}"))
    return found


def test_kubectl_get_shows_the_columns(api: Any) -> None:
    conditions = [
        {"type": "Reconciling", "status": "True", "reason": "A", "message": "", "lastTransitionTime": T},
        {"type": "Ready", "status": "False", "reason": "RetryScheduled", "message": "503", "lastTransitionTime": T},
    ]
    status: dict[str, Any] = {"phase": "Running", "currentStep": "payment", "stepsSummary": "2/6", "total": "25.00 EUR"}
    status |= {"nextAttemptTime": "2999-01-01T00:00:00Z", "conditions": conditions}
    columns, cells = api.table(api.created(status=status))
    shown = {column["name"]: cell for column, cell in zip(columns, cells, strict=True) if not column["priority"]}
    name, age = shown.pop("Name"), shown.pop("Age")
    assert age.endswith("s")
    assert shown == {
        "Order": name,
        "Customer": "c-17",
        "Total": "25.00 EUR",
        "Phase": "Running",
        "Step": "payment",
        "Done": "2/6",
        "Ready": "False",
        "Reason": "RetryScheduled",
    }
    wide = {column["name"]: cell for column, cell in zip(columns, cells, strict=True) if column["priority"]}
    # A time in the future reads as a time: kubectl prints a column of type date as <invalid>.
    assert wide == {"Retry": "2999-01-01T00:00:00Z", "Message": "503"}


def test_an_unseen_saga_shows_its_order(api: Any) -> None:
    columns, cells = api.table(api.created())
    row = {column["name"]: cell for column, cell in zip(columns, cells, strict=True)}
    assert row["Customer"] == "c-17"
    assert not row["Phase"]


def test_field_selectors_find_sagas_by_order_customer_phase_and_step(api: Any) -> None:
    customer = {"spec": {"customerID": "c-selected"}}
    new = api.created(customer)
    running = api.created(customer, {"phase": "Running", "currentStep": "payment"})
    done = api.created(customer, {"phase": "Completed", "steps": [{"name": "confirmation", "state": "Succeeded"}]})

    def found(selector: str) -> set[str]:
        answer = api.select(f"spec.customerID=c-selected,{selector}").raise_for_status().json()
        return {saga["metadata"]["name"] for saga in answer["items"]}

    assert found(f"spec.orderID={running}") == {running}
    assert found("status.phase=Completed") == {done}
    assert found("status.phase=") == {new}
    assert found("status.currentStep=payment") == {running}
    # What the operator watches: everything that isn't finished.
    assert found("status.phase!=Completed,status.phase!=Compensated") == {new, running}


def test_an_undeclared_field_selector_says_so(api: Any) -> None:
    answer = api.select("spec.state=Active")
    assert answer.status_code == 400
    assert "field label not supported: spec.state" in answer.json()["message"]


@pytest.mark.parametrize(
    ("kind", "says"), [("OrderSaga", "one order on its way"), ("Participant", "one of the services")]
)
def test_kubectl_explain_knows_every_field(api: Any, kind: str, says: str) -> None:
    published = api.client.get("/openapi/v3/apis/ordersaga.io/v1alpha1").raise_for_status().json()
    schema = published["components"]["schemas"][f"io.ordersaga.v1alpha1.{kind}"]
    described = fields(schema)
    assert {path for path, field in described if not field.get("description")} == set()
    assert {path for path, _ in described} == {path for path, _ in fields(SCHEMAS[kind])}
    assert says in schema["description"]


def test_kubectl_explain_reads_well(control_plane: Any) -> None:
    text = control_plane.kubectl("explain", "ordersaga.spec.intervention").stdout
    assert "Each id acts once" in text
    assert "enum: RetryNow, MarkCompensated, Skip" in text
    assert "-required-" in text


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_field_is_bounded(kind: str) -> None:
    """Unbounded strings and lists make rules too dear for the API server, and objects too big for etcd."""
    unbounded = []
    for path, field in fields(SCHEMAS[kind]):
        bounded = {
            "string": "maxLength" in field or "enum" in field or field.get("format") == "date-time",
            "array": "maxItems" in field and field.get("x-kubernetes-list-type") in ("atomic", "map"),
            "integer": "minimum" in field,
            "number": "minimum" in field,
            "object": True,
        }[field["type"]]
        if not bounded and path not in (".apiVersion", ".kind"):
            unbounded.append(path)
    assert unbounded == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_valid_and_fit_for_git(api: Any, sample: Path) -> None:
    body = yamls.load(sample.read_text())
    assert body["metadata"]["name"] == sample.stem
    assert not {"state", "requestedBy", "intervention"} & body["spec"].keys()
    assert "status" not in body
    answer = api.create(body)
    assert answer.status_code == 201, answer.text


def test_the_manual_names_every_field() -> None:
    manual = (ROOT / "docs" / "ordersaga.md").read_text()
    assert {name for path, _ in fields(SCHEMA) if (name := path.rpartition(".")[2]) not in manual} == set()
    of_participants = (ROOT / "docs" / "participants.md").read_text()
    spec = SCHEMAS["Participant"]["properties"]["spec"]["properties"]
    assert {name for name in spec if f"`{name}`" not in of_participants} == set()
