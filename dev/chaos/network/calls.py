"""What the proxy has seen: every call of every saga, its fault, and its answers."""

import re
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Final

from dev.chaos.network.http import Request
from dev.chaos.plan.call_faults import CallFault, CallFaultKind

# Written down a second time on purpose, from the protocol's description: a mistake in the operator's table shows.
OPERATIONS: Final = {
    "/api/orders/create": ("order", "do"),
    "/api/orders/cancel": ("order", "undo"),
    "/api/inventory/reserve": ("inventory", "do"),
    "/api/inventory/release": ("inventory", "undo"),
    "/api/payments/process": ("payment", "do"),
    "/api/payments/refund": ("payment", "undo"),
    "/api/shipping/schedule": ("shipping", "do"),
    "/api/shipping/cancel": ("shipping", "undo"),
    "/api/orders/confirm": ("confirmation", "do"),
    "/api/orders/reject": ("confirmation", "undo"),
    "/api/notifications/send": ("notification", "do"),
}
STEPS: Final = {"payments": "payment", "shipping": "shipping", "notifications": "notification"}
"""Step by the name of its service in paths."""
POLL: Final = "poll "
"""Prefix of do or undo: a request for the state of an operation in progress."""
_POLL = re.compile(r"/api/(?P<service>payments|shipping|notifications)/operations/(?P<order>[^/]+)/(?P<what>do|undo)")
_CANCEL = re.compile(r"/api/orders/(?P<order>[^/]+)/cancel")


@dataclass
class Delivery:
    """One arrival of a call at its service. Times in seconds since the start of the run."""

    at: float
    answered: float | None = None
    status: int | None = None
    """None while there is no answer."""
    code: str = ""
    """The code of a problem."""

    def __str__(self) -> str:
        if self.status is None:
            return f"{self.at:.3f} no answer"
        return f"{self.at:.3f} {self.status}{' ' + self.code if self.code else ''}"


@dataclass
class Call:
    """One call as its caller made it."""

    at: float
    order_id: str
    step: str
    operation: str
    """do, undo, poll do, poll undo; of clients: place, cancel."""
    number: int
    """1 for the first call of this operation of this order, 2 for the second, and so on."""
    request: Request
    fault: CallFault
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The Idempotency-Key."""
        return self.request.headers.get("Idempotency-Key", "")

    @property
    def epoch(self) -> str:
        """The Saga-Epoch."""
        return self.request.headers.get("Saga-Epoch", "")

    def answers(self, before: float = float("inf")) -> list[tuple[int, str]]:
        """Status and code of the service's answers until then."""
        return [
            (each.status, each.code)
            for each in self.deliveries
            if each.status is not None and each.answered is not None and each.answered <= before
        ]

    def __str__(self) -> str:
        words = [f"{self.step} {self.operation} #{self.number}"]
        if self.epoch:
            words.append(f"epoch {self.epoch}")
        if self.fault.kind is not CallFaultKind.NONE:
            words.append(f"[{self.fault.kind}]")
        words.append("→ " + (", ".join(map(str, self.deliveries)) or "not delivered"))
        return " ".join(words)


class CallLog:
    """All calls, and what else happened. The thread of the load adds to it; other threads count."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._numbers: Counter[tuple[str, str, str]] = Counter()
        self.calls: dict[str, list[Call]] = defaultdict(list)
        self.events: dict[str, list[tuple[float, str]]] = defaultdict(list)
        """By order id: what its client did, and how it was answered. Time and text."""
        self.faults: list[tuple[float, str]] = []
        """Of the parts: time and text."""
        self.call_faults: Counter[CallFaultKind] = Counter()
        """How many calls had each kind of fault."""

    def now(self) -> float:
        """Seconds since the start of the run."""
        return time.monotonic() - self._started

    def note(self, order_id: str, text: str) -> None:
        """Something happened to an order."""
        self.events[order_id].append((self.now(), text))

    def fault(self, text: str) -> None:
        """A fault of a part is being injected."""
        self.faults.append((self.now(), text))

    def number(self, order_id: str, step: str, operation: str) -> int:
        """The number of the call that is being made."""
        self._numbers[order_id, step, operation] += 1
        return self._numbers[order_id, step, operation]

    def add(self, call: Call) -> None:
        """A call that has come in."""
        self.calls[call.order_id].append(call)
        self.call_faults[call.fault.kind] += 1

    @property
    def repeated(self) -> int:
        """How many calls of sagas were not the first of their operation, polls left out."""
        return sum(
            number - 1
            for (_, step, operation), number in self._numbers.items()
            if not operation.startswith(POLL) and step != "client"
        )

    @property
    def faulty(self) -> int:
        """How many calls had a fault."""
        return self.call_faults.total() - self.call_faults[CallFaultKind.NONE]


def identify(request: Request, *, client: bool) -> tuple[str, str, str] | None:
    """Order id, step and operation; None for requests that get no faults (reads, health, metrics)."""
    path = request.path
    if client:
        if request.method != "POST":
            return None
        if match := _CANCEL.fullmatch(path):
            return match["order"], "client", "cancel"
        order_id = request.json().get("order_id")
        return (str(order_id), "client", "place") if path == "/api/orders" and order_id else None
    if match := _POLL.fullmatch(path):
        return match["order"], STEPS[match["service"]], POLL + match["what"]
    if known := OPERATIONS.get(path):
        return str(request.json().get("order_id")), *known
    return None
