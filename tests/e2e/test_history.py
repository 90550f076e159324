"""What a saga leaves behind: its attempts on the resource, and an archived copy of it when the resource is gone."""

from pathlib import Path

from tests.e2e.system import Stack
from tests.support import yamls

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests" / "samples"


def test_each_step_keeps_its_last_attempts(stack: Stack) -> None:
    order_id = stack.new_id("history")
    stack.shop.place(order_id, payment={"method_ref": "test-unavailable-2"})
    stack.until_finished(order_id)
    steps = {step["name"]: step for step in stack.resource(order_id)["status"]["steps"]}
    assert [entry["outcome"] for entry in steps["payment"]["history"]] == ["Unavailable", "Unavailable", "Succeeded"]
    assert all(entry["operation"] == "do" and entry["milliseconds"] > 0 for entry in steps["payment"]["history"])
    assert "history" not in steps["order"], "one call that did it: its times say all"


def test_a_story_outlives_its_resource(stack: Stack) -> None:
    order_id = stack.new_id("archived")
    stack.shop.place(order_id)
    stack.until_finished(order_id)
    live = stack.shop.request("GET", "order", f"/api/orders/{order_id}/saga").json()
    assert live["archived_at"] is None
    assert live["status"]["phase"] == "Completed"
    other = stack.new_id("ttl")
    manifest = yamls.load((MANIFESTS / "o-sample-mug.yaml").read_text())
    manifest["metadata"]["name"] = manifest["spec"]["orderID"] = other
    manifest["spec"]["ttlSecondsAfterFinished"] = 1
    stack.kubectl("apply", "-f", "-", manifest=manifest)
    stack.until(other, lambda order: order["saga"] is None and order["status"] == "CONFIRMED")
    archived = stack.shop.request("GET", "order", f"/api/orders/{other}/saga").json()
    assert archived["archived_at"]
    assert archived["status"]["phase"] == "Completed"
    assert [step["state"] for step in archived["status"]["steps"]] == ["Succeeded"] * 6
