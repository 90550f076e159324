"""What is kept in memory of a resource."""

import json

from saga_operator.resource.compact import compact
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


def test_two_resources_share_their_words() -> None:
    one, other = compact(json.loads(TEXT)), compact(json.loads(TEXT))
    assert one == other
    assert one["spec"]["items"][0]["productID"] is other["spec"]["items"][0]["productID"]
    assert all(key is same for key, same in zip(one["spec"], other["spec"], strict=True))


def test_who_wrote_which_field_is_dropped_unless_somebody_intervened() -> None:
    resource = json.loads(TEXT)
    assert "managedFields" not in compact(resource)["metadata"]
    assert "managedFields" in resource["metadata"]
    resource["spec"]["intervention"] = {"id": "1", "action": "RetryNow", "step": "payment", "reason": "repaired"}
    intervention = intervention_of(compact(resource))
    assert intervention is not None
    assert intervention.by == "kubectl"
