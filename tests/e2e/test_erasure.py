"""A customer's personal data goes from all services when it is asked for, and the books still balance."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from bson import json_util
from pymongo import MongoClient
from pymongo.collection import Collection

from common.services import SERVICES
from common.wire import Json
from tests.e2e.system import PREFIX, Stack

FULFILLED = ("PROCESSING", "SHIPPED", "DELIVERED")


@dataclass
class Customer:
    """A customer whose data no other one has."""

    stack: Stack
    client: MongoClient[Json]
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    @property
    def id(self) -> str:
        return f"c-{self.mark}"

    @property
    def method(self) -> str:
        """A method that the payment service doesn't know."""
        return f"pm-{self.mark}"

    def place(self, name: str, **changes: object) -> str:
        """An order with everything personal that one can bring along."""
        order_id = self.stack.new_id(name)
        address = {
            "name": f"Name-{self.mark}",
            "street": f"Street-{self.mark} 1",
            "city": "Berlin",
            "postal_code": "10115",
            "country": "DE",
        }
        inline = {"ship_to": {"address": address}, "contact": {"email": f"{self.mark}@example.com"}}
        self.stack.shop.place(order_id, **{"customer_id": self.id, **inline, **changes})
        return order_id

    def deliver(self, order_id: str) -> None:
        for status in FULFILLED:
            path = f"/api/orders/{order_id}/status"
            assert self.stack.shop.request("PUT", "order", path, json={"status": status}).status_code == 200

    def erase(self) -> httpx.Response:
        return self.stack.shop.request("DELETE", "order", f"/api/customers/{self.id}/data")

    def until_erased(self, seconds: float = 60) -> Json:
        ends = time.monotonic() + seconds
        while (answer := self.erase()).status_code == 202 and time.monotonic() < ends:
            time.sleep(0.5)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    def kept(self, *words: str) -> dict[str, list[str]]:
        """Where in the five databases one of these words stands, or something that points to inline data."""
        found: dict[str, list[str]] = {}
        for service in SERVICES:
            database = self.client[f"{PREFIX}{service}"]
            for collection in database.list_collection_names():
                for document in database[collection].find():
                    text = json_util.dumps(document)
                    found.setdefault(f"{service}.{collection}", []).extend(word for word in words if word in text)
        return {place: sorted(set(words)) for place, words in found.items() if words}

    def held(self, collection: Collection[Json], order_ids: list[str]) -> list[Json]:
        """What came along with these orders and is still there."""
        return list(collection.find({"_id": {"$regex": f"^({'|'.join(order_ids)})-"}}))

    def personal(self) -> list[str]:
        return [f"Name-{self.mark}", f"Street-{self.mark}", f"{self.mark}@example.com", self.method]

    def inline(self, order_id: str) -> list[str]:
        """The references of what came along with this order."""
        spec = self.stack.resource(order_id)["spec"]
        return [spec["shipTo"]["addressRef"], spec["notify"]["contactRef"]]


@pytest.fixture
def customer(stack: Stack) -> Iterator[Customer]:
    with MongoClient[Json](stack.wiring.mongodb_url) as client:
        yield Customer(stack, client)


def test_nothing_personal_is_left_of_finished_orders_and_the_books_balance(stack: Stack, customer: Customer) -> None:
    delivered, declined = (
        customer.place("delivered"),
        customer.place("declined", payment={"method_ref": customer.method}),
    )
    registered = f"a-{customer.mark}"
    contact = {"email": f"{customer.mark}@example.com"}
    address = {"name": f"Name-{customer.mark}", "street": "x", "city": "x", "postal_code": "1", "country": "DE"}
    stack.shop.request("PUT", "shipping", f"/api/shipping/addresses/{registered}", json=address)
    stack.shop.request("PUT", "notification", f"/api/notifications/contacts/{customer.id}", json=contact)
    plain = stack.new_id("registered")
    stack.shop.place(plain, customer_id=customer.id, ship_to={"address_ref": registered})
    phases = stack.until_finished(delivered, declined, plain)
    assert phases == {delivered: "Completed", declined: "Compensated", plain: "Completed"}
    references = [*customer.inline(delivered), *customer.inline(declined), registered]
    assert {"shipping.addresses", "notification.contacts", "order.orders"} <= customer.kept(*customer.personal()).keys()
    customer.deliver(delivered)
    customer.deliver(plain)

    answer = customer.until_erased()
    assert answer["erased_orders"] == 3
    assert answer["waiting"] == []
    assert customer.kept(*customer.personal(), *references) == {}
    stack.assert_books(phases)
    again = customer.erase()
    assert (again.status_code, again.json()["erased_orders"]) == (200, 3)
    assert stack.shop.order(delivered)["total_minor"] == 2500
    assert stack.shop.order(declined)["reason"] == "method_unknown"


def test_an_order_in_flight_keeps_what_it_needs_and_is_erased_after_its_end(stack: Stack, customer: Customer) -> None:
    done = customer.place("done", payment={"method_ref": "test-declined"})
    stack.until_finished(done)
    order_id = customer.place("in-flight")
    answer = customer.erase()
    assert answer.status_code == 202
    assert order_id in {each["order_id"] for each in answer.json()["waiting"]}
    phases = stack.until_finished(order_id)
    assert phases == {order_id: "Completed"}, "it had its address and its contact"
    assert customer.erase().status_code == 202, "its parcel isn't delivered yet"
    assert {"shipping.addresses"} <= customer.kept(f"Street-{customer.mark}").keys()
    customer.deliver(order_id)
    customer.until_erased()
    assert customer.kept(*customer.personal()) == {}
    stack.assert_books(phases | {done: "Compensated"})


def test_an_erasure_that_is_killed_in_the_middle_is_finished_by_itself(stack: Stack, customer: Customer) -> None:
    order_id = customer.place("killed")
    phases = stack.until_finished(order_id)
    references = customer.inline(order_id)
    customer.deliver(order_id)
    stack.services["notification"].kill()
    answer = customer.erase()
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    stack.services["order"].kill()
    stack.start()
    ends = time.monotonic() + 60
    while customer.kept(*customer.personal(), *references) and time.monotonic() < ends:
        time.sleep(0.5)
    assert customer.kept(*customer.personal(), *references) == {}, "nobody has asked again"
    stack.assert_books(phases)


def test_what_is_old_goes_by_itself_also_after_a_kill_in_the_middle(stack: Stack, customer: Customer) -> None:
    """Four years later: the orders' ends are moved back by so much, and the service looks when it starts."""
    old, refused = customer.place("old"), customer.place("refused", payment={"method_ref": customer.method})
    young = customer.place("young")
    phases = stack.until_finished(old, refused, young)
    references = [*customer.inline(old), *customer.inline(refused)]
    kept = customer.inline(young)
    customer.deliver(old)
    orders = customer.client[f"{PREFIX}order"].orders
    ends = time.monotonic() + 60
    while orders.count_documents({"_id": {"$in": [old, refused]}, "saga_ended": True}) < 2:
        assert time.monotonic() < ends, "their stories are archived"
        time.sleep(0.1)
    stack.services["notification"].kill()
    stack.services["order"].kill()
    years = datetime.now(UTC) - timedelta(days=4 * 365)
    orders.update_many({"_id": {"$in": [old, refused, young]}}, {"$set": {"over_since": years}})
    stack.services["order"].start()
    ends = time.monotonic() + 60
    while customer.held(customer.client[f"{PREFIX}shipping"].addresses, [old]):
        assert time.monotonic() < ends, "shipping has erased its part: nobody has asked"
        time.sleep(0.1)
    assert orders.find_one({"_id": old, "erased": True}) is None, "notification hasn't erased its part"
    stack.services["order"].kill()
    stack.start()
    while customer.kept(*references, customer.method):
        assert time.monotonic() < ends + 120, customer.kept(*references, customer.method)
        time.sleep(0.5)
    assert customer.kept(*kept).keys() >= {"order.orders", "shipping.addresses", "notification.contacts"}
    stack.assert_books(phases)


def test_a_customer_without_data_is_erased_already(customer: Customer) -> None:
    answer = customer.erase()
    assert (answer.status_code, answer.json()["erased_orders"]) == (200, 0)


def test_an_address_that_another_customer_has_used_stays(stack: Stack, customer: Customer) -> None:
    shared = f"a-{customer.mark}"
    path = f"/api/shipping/addresses/{shared}"
    address = {"name": "x", "street": "x", "city": "x", "postal_code": "1", "country": "DE"}
    stack.shop.request("PUT", "shipping", path, json=address)
    order_id, other = customer.place("shared", ship_to={"address_ref": shared}), stack.new_id("other")
    stack.shop.place(other, ship_to={"address_ref": shared})
    stack.until_finished(order_id, other)
    for status in ("handed_over", "in_transit", "delivered"):  # so no order under way needs it
        progress = stack.shop.request("PUT", "shipping", f"/api/shipping/s-{other}/status", json={"status": status})
        assert progress.status_code == 200
    customer.deliver(order_id)
    customer.until_erased()
    assert stack.shop.request("GET", "shipping", path).status_code == 200


def test_what_came_along_with_orders_that_were_undone_expires_after_30_days(stack: Stack, customer: Customer) -> None:
    undone = [
        customer.place("declined", payment={"method_ref": "test-declined"}),
        customer.place("nowhere", payment={"method_ref": "test-insufficient-funds"}),
    ]
    assert set(stack.until_finished(*undone).values()) == {"Compensated"}
    kept = customer.place("kept")
    stack.until_finished(kept)
    entries = [customer.client[f"{PREFIX}shipping"].addresses, customer.client[f"{PREFIX}notification"].contacts]
    for collection in entries:
        for order_id in undone:
            [entry] = collection.find({"_id": {"$regex": f"^{order_id}-"}})
            left = entry["expires_at"].replace(tzinfo=UTC) - datetime.now(UTC)
            assert timedelta(days=29, hours=23) < left <= timedelta(days=30)
        # 31 days later: what had this moment to go has it behind itself, and a service looks when it starts
        month = {"$add": ["$expires_at", -31 * 24 * 3600 * 1000]}
        mine = {"_id": {"$regex": f"^({'|'.join([*undone, kept])})-"}, "expires_at": {"$exists": True}}
        collection.update_many(mine, [{"$set": {"expires_at": month}}])
    for name in ("shipping", "notification"):
        stack.services[name].kill()
    stack.start()
    ends = time.monotonic() + 60
    while any(customer.held(collection, undone) for collection in entries) and time.monotonic() < ends:
        time.sleep(0.2)
    assert [customer.held(collection, undone) for collection in entries] == [[], []]
    assert [len(customer.held(collection, [kept])) for collection in entries] == [1, 1], "that order still needs it"
