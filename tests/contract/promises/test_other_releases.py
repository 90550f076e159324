"""While a release is rolled out, two of them work on the same documents: each reads what the other has written."""

from typing import Any

import pytest

from common.mongo import Document
from tests.contract.conftest import Stage

LOOKS = {
    "inventory": ("/api/inventory/reservations/{order}", "/api/inventory/reservations"),
    "payment": ("/api/payments/order/{order}", "/api/payments"),
    "shipping": ("/api/shipping/order/{order}", "/api/shipping"),
    "notification": ("/api/notifications/ntf-{order}-order_confirmed", "/api/notifications"),
}
"""Where each service shows what it did for an order, and its list."""
ADDED_BY_THIS_RELEASE = ("confirmed", "look", "refused", "dispatched", "expires_at")
"""Fields that the release before doesn't write."""


@pytest.fixture
def shown(stage: Stage) -> Stage:
    """The order service has tests of its own (services/order/tests/test_releases.py)."""
    if stage.participant.name not in LOOKS:
        pytest.skip("tested with the order service")
    return stage


async def document_of(stage: Stage, order_id: str) -> Document:
    found = await stage.database[stage.participant.collection].find_one(
        {"_id": stage.participant.document_id(order_id)}
    )
    assert found is not None
    return found


async def written_by_the_next_release(stage: Stage, order_id: str) -> None:
    """The next release adds a field wherever it can."""
    document = await document_of(stage, order_id)

    def more(value: Any) -> Any:
        if isinstance(value, dict):
            return {**{name: more(each) for name, each in value.items()}, "of_the_next_release": {"x": 1}}
        return [more(each) for each in value] if isinstance(value, list) else value

    newer = {
        **more({name: value for name, value in document.items() if name != "barrier"}),
        "barrier": {
            **document["barrier"],
            "of_the_next_release": 1,
            "operations": {
                name: {**operation, "of_the_next_release": 1}
                for name, operation in document["barrier"]["operations"].items()
            },
        },
    }
    await replace(stage, newer)


async def replace(stage: Stage, document: Document) -> None:
    collection = stage.database[stage.participant.collection]
    assert await collection.delete({"_id": document["_id"]})
    await collection.insert(document)


async def goes_on(stage: Stage, order_id: str, done: Any) -> None:
    """It is shown and listed, its do is repeated with the same answer, and its undo ends as ever."""
    one, every = LOOKS[stage.participant.name]
    client = stage.replicas[0]
    look = await client.get(one.format(order=order_id))
    assert (look.status_code, look.json()["order_id"]) == (200, order_id), look.text
    listed = await client.get(every, params={"limit": 1000})
    assert listed.status_code == 200, listed.text
    assert order_id in [item["order_id"] for item in listed.json()["items"]]
    again = await stage.do(order_id)
    assert (again.status_code, again.json()) == (200, done)
    undone = await stage.undo(order_id)
    if stage.participant.takes_back:
        assert (undone.status_code, undone.json()["effect"]) == (200, "undone"), undone.text
        assert not await stage.is_live(order_id)
        assert (await stage.do(order_id)).json()["code"] == "compensated"
    else:
        assert undone.status_code == 409


async def test_a_document_of_the_next_release_is_read_by_this_one(shown: Stage, order_id: str) -> None:
    done = (await shown.do(order_id)).json()
    await written_by_the_next_release(shown, order_id)
    await goes_on(shown, order_id, done)


async def test_a_document_of_the_release_before_is_read_by_this_one(shown: Stage, order_id: str) -> None:
    done = (await shown.do(order_id)).json()
    document = await document_of(shown, order_id)
    await replace(shown, {name: value for name, value in document.items() if name not in ADDED_BY_THIS_RELEASE})
    await goes_on(shown, order_id, done)


async def test_a_status_that_only_the_next_release_knows_is_shown_as_it_is(shown: Stage, order_id: str) -> None:
    """One such document must not hide all the others of its list."""
    await shown.do(order_id)
    document = await document_of(shown, order_id)
    await replace(shown, {**document, "status": "held_at_customs"})
    one, every = LOOKS[shown.participant.name]
    client = shown.replicas[0]
    look = await client.get(one.format(order=order_id))
    assert (look.status_code, look.json()["status"]) == (200, "held_at_customs"), look.text
    assert (await client.get(every, params={"limit": 1000})).status_code == 200
    assert (await shown.do(order_id)).status_code == 200
    assert (await shown.undo(order_id)).status_code in (200, 409, 503), "decided, or left to the other release"
    await shown.database[shown.participant.collection].delete({"_id": document["_id"]})
