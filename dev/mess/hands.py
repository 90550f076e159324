"""Hands on a running local stack: those of customers, of the shop's people, and of what goes wrong by itself."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from pymongo import MongoClient

from common.identity.bearer import Bearers
from common.order_saga import API_VERSION, CONFIRM_DELETION, KIND
from common.services import SERVICES
from common.shop.order_spec import content_of, spec_of
from common.wire import Json
from dev.mess.plan import Order
from dev.setup.binaries import find
from dev.setup.errors import StackError
from dev.stack.demo.console import print_line
from dev.stack.demo.shop import ADDRESS, Shop
from dev.stack.layout import Layout
from dev.stack.parts.admin import Administrator
from dev.stack.ports import holders
from dev.stack.waiting import wait_until

T = TypeVar("T")

NAMESPACE: Final = "shop"
AT_ONCE: Final = 6
SETTLE_SECONDS: Final = 240.0
"""For orders to come to rest: a stuck refund is given up after half a minute, and the machine may be busy."""
LOOK_SECONDS: Final = 1.0
TRIES: Final = 30


class Hands:
    """What can be done to a stack, and the story of what was. Use as a context manager."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        identities = layout.data / "control-plane"
        self._tokens = identities / "ordersaga-operator.tokens"
        self._administrator = Administrator(find("kubectl"), layout.kubeconfig)
        urls = {name: f"http://127.0.0.1:{layout.ports[name]}" for name in SERVICES}
        self._staff = identities / "ordersaga-staff.tokens"
        self._urls = urls
        self._shops = threading.local()
        self.told: list[Json] = []
        """What was done, by whom, to what, and when."""

    def require_stack(self) -> None:
        """Raises StackError if none runs here, or it isn't empty enough."""
        if not self._layout.kubeconfig.exists() or not holders(self._layout.ports["order"]):
            raise StackError("no local stack runs here: `./run-local.sh --fresh --no-demo`, in another terminal")
        if sagas := self.sagas():
            raise StackError(
                f"{len(sagas)} orders are there already, such as {sorted(sagas)[0]}: end the stack, and start it again "
                "with `./run-local.sh --fresh --no-demo`"
            )

    @property
    def shop(self) -> Shop:
        """The services, as their staff calls them: one for each thread."""
        if not hasattr(self._shops, "shop"):
            self._shops.shop = Shop(self._urls, self._staff)
        made: Shop = self._shops.shop
        return made

    def furnish(self, products: dict[str, tuple[int, int]], customers: Iterable[str], bouncing: str, ice: str) -> None:
        """Products with stock and price, and an address and a contact for each customer."""
        puts: list[tuple[str, str, Json]] = [
            (
                "inventory",
                f"/api/inventory/{name}",
                {"name": name, "stock": stock, "price_minor": price, "currency": "EUR"},
            )
            for name, (stock, price) in products.items()
        ]
        for customer in customers:
            puts.append(("shipping", f"/api/shipping/addresses/a-{customer.removeprefix('c-')}", ADDRESS))
            email = {"email": f"{customer.replace('-', '')}@example.com"}
            puts.append(("notification", f"/api/notifications/contacts/{customer}", email))
        puts.append(("shipping", f"/api/shipping/addresses/{ice}", {**ADDRESS, "country": "AQ"}))
        puts.append(("notification", f"/api/notifications/contacts/{bouncing}", {"email": "gone@bounce.example"}))
        self._each(puts, lambda put: self._answered("PUT", put[0], put[1], put[2]))

    def place(self, orders: Sequence[Order], seed: int) -> None:
        """As customers do over REST; those that ask for more than REST offers are applied as resources."""

        def one(order: Order) -> None:
            body = order.body(seed)
            if order.kind.spec:
                self.apply(NAMESPACE, [order], seed)
            else:
                self._answered("POST", "order", "/api/orders", body, {"Idempotency-Key": order.order_id})

        self._each(orders, one)

    def apply(self, namespace: str, orders: Sequence[Order], seed: int) -> None:
        """As resources, as from Git."""
        items = []
        for order in orders:
            spec = {**spec_of(order.body(seed)), **order.kind.spec}
            metadata = {"name": order.order_id, "namespace": namespace}
            items.append({"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec})
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        self._administrator.kubectl("apply", "-f", "-", input=listed)

    def make_namespace(self, name: str) -> None:
        """One in which nothing of ours runs."""
        made = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self._administrator.kubectl("apply", "-f", "-", input=made)

    def sagas(self) -> dict[str, Json]:
        """All resources by name, as the API server has them."""
        found = json.loads(self._administrator.kubectl("-n", NAMESPACE, "get", "ordersagas", "-o", "json").stdout)
        return {item["metadata"]["name"]: item for item in found["items"]}

    def until(self, what: str, orders: Sequence[Order], come: Callable[[Json], bool], *, gone: bool = False) -> None:
        """Wait until it is true of the resource of each order; `gone`: one that is no longer there will do.

        Raises:
            StackError: some take too long; it says which.
        """
        left: list[str] = []

        def look() -> bool:
            sagas = self.sagas()
            left[:] = [
                order.order_id
                for order in orders
                if not (come(sagas[order.order_id]) if order.order_id in sagas else gone)
            ]
            return not left

        print_line(f"  until {what}")
        wait_until(lambda: f"{what}: {', '.join(left[:5])}", look, SETTLE_SECONDS, pause_seconds=LOOK_SECONDS)

    def set_state(self, orders: Sequence[Order], state: str) -> None:
        """Suspend or cancel each in its person's name."""
        self._each(orders, lambda each: self._patch(each, {"state": state, "requestedBy": each.person}, state))

    def intervene(self, orders: Sequence[Order], action: str, step: str, why: str, by: str = "") -> None:
        """Ask for it in each person's name, or in that of `by`."""

        def one(order: Order) -> None:
            person = by or order.person
            number = len(self.told)
            made = {"id": f"{person}-{order.order_id}-{number}", "action": action, "step": step, "reason": why}
            self._patch(order, {"intervention": {**made, "by": person}}, f"{action} {step}", person, why)

        self._each(orders, one)

    def delete(self, orders: Sequence[Order], why: str) -> None:
        """Delete the resources, without waiting until they go."""

        def one(order: Order) -> None:
            name = f"ordersaga/{order.order_id}"
            self._as(order.person, "annotate", name, f"{CONFIRM_DELETION}={why}", "--overwrite")
            self._as(order.person, "delete", name, "--wait=false")
            self._tell(order.person, "delete", order.order_id, why)

        self._each(orders, one)

    def cancel_as_customer(self, orders: Sequence[Order]) -> None:
        """Over REST."""

        def one(order: Order) -> None:
            self._answered("POST", "order", f"/api/orders/{order.order_id}/cancel", None)
            self._tell(order.customer, "cancel over REST", order.order_id)

        self._each(orders, one)

    def confirm_as_thief(self, orders: Sequence[Order]) -> None:
        """Confirm orders that are not paid for, with a token that was stolen from the operator."""
        sagas = self.sagas()
        token = Bearers(self._tokens).headers("order")

        def one(order: Order) -> None:
            key = {"Idempotency-Key": f"{NAMESPACE}/{order.order_id}/confirmation/do"}
            content = content_of(sagas[order.order_id]["spec"])
            self._answered("POST", "order", "/api/orders/confirm", content, {**key, **token})
            self._tell("a thief", "confirm", order.order_id)

        self._each(orders, one)

    def damage_reservations(self, orders: Sequence[Order]) -> None:
        """Damage what the inventory service keeps of these orders, as a restored backup of something else would."""
        with MongoClient[Json](f"mongodb://127.0.0.1:{self._layout.ports['mongod']}/?directConnection=true") as client:
            for order in orders:
                found = client["ordersaga_inventory"]["reservations"].update_one(
                    {"_id": order.order_id}, {"$set": {"barrier": "damaged"}}
                )
                if not found.matched_count:
                    raise StackError(f"{order.order_id} has no reservation")
                self._tell("a bad backup", "damage the reservation", order.order_id)

    def pause(self, participant: str, why: str, by: str) -> None:
        """As docs/participants.md has it; returns when the operator follows."""
        self._participant(participant, {"state": "Paused", "pauseReason": why}, by)
        self._tell(by, "pause", participant, why)

    def resume(self, participant: str, by: str) -> None:
        """The opposite."""
        self._participant(participant, {"state": "Active", "pauseReason": None}, by)
        self._tell(by, "resume", participant)

    def hang(self, service: str) -> int:
        """The process neither answers nor ends; its id, for `kill -CONT`."""
        (found,) = holders(self._layout.ports[service])
        os.kill(found.pid, signal.SIGSTOP)
        self._tell("nobody", "stop the process", service, f"kill -CONT {found.pid}")
        return found.pid

    def until_down(self, participant: str) -> None:
        """Wait until the operator counts it as down."""

        def look() -> bool:
            return self._available(participant)[0] == "False"

        wait_until(f"{participant} counts as down", look, SETTLE_SECONDS, pause_seconds=LOOK_SECONDS)

    def write_truth(self, path: Path, seed: int, orders: Sequence[Order]) -> None:
        """What was done to whom, as JSON."""
        of = [
            {"order": each.order_id, "kind": each.kind.name, "stage": each.kind.stage, "customer": each.customer}
            | ({"person": each.person} if each.person else {})
            for each in orders
        ]
        path.write_text(json.dumps({"seed": seed, "done": self.told, "orders": of}, indent=1) + "\n")

    def _participant(self, name: str, spec: Json, by: str) -> None:
        self._as(by, "patch", f"participant/{name}", "--type=merge", "-p", json.dumps({"spec": spec}))

        def followed() -> bool:
            return (self._available(name)[1] == "Paused") is bool(spec["state"] == "Paused")

        wait_until(f"the operator follows {name}", followed, SETTLE_SECONDS, pause_seconds=LOOK_SECONDS)

    def _available(self, participant: str) -> tuple[str, str]:
        said = self._administrator.kubectl("-n", NAMESPACE, "get", f"participant/{participant}", "-o", "json").stdout
        conditions = json.loads(said).get("status", {}).get("conditions", [])
        found: Json = next((each for each in conditions if each["type"] == "Available"), {})
        return str(found.get("status", "")), str(found.get("reason", ""))

    def _patch(self, order: Order, spec: Json, what: str, by: str = "", why: str = "") -> None:
        person = by or order.person
        self._as(person, "patch", f"ordersaga/{order.order_id}", "--type=merge", "-p", json.dumps({"spec": spec}))
        self._tell(person, what, order.order_id, why)

    def _as(self, person: str, *args: str) -> None:
        """As this person, whom the API server takes for an administrator."""
        self._administrator.kubectl("-n", NAMESPACE, "--as", person, "--as-group", "system:masters", *args)

    def _answered(
        self, method: str, service: str, path: str, body: Json | None, headers: dict[str, str] | None = None
    ) -> Any:
        for _ in range(TRIES):
            answer = self.shop.request(method, service, path, json=body, headers=headers)
            if answer.status_code not in (429, 503):
                break
            time.sleep(LOOK_SECONDS)
        if answer.status_code >= 400:
            raise StackError(f"{method} {path} was answered {answer.status_code}: {answer.text}")
        return answer.json()

    def _each(self, what: Iterable[T], do: Callable[[T], object]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(do, what):
                pass

    def _tell(self, who: str, what: str, whom: str, why: str = "") -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        self.told.append({"at": at, "who": who, "what": what, "whom": whom} | ({"why": why} if why else {}))
