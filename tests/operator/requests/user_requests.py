"""Many sagas at once: each is held at one call and gets one request of a user, with the operator running or killed.

One batch shares one kill and one start; its tests look at what became of each saga.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kubernetes import watch

from common.wire import Json
from tests.operator.conftest import GROUP, PLURAL, VERSION, OperatorProcess, Sagas, wait_until
from tests.operator.scripted import Reply, ScriptedParticipants, refused

DO = {
    "order": "/api/orders/create",
    "inventory": "/api/inventory/reserve",
    "payment": "/api/payments/process",
    "shipping": "/api/shipping/schedule",
    "confirmation": "/api/orders/confirm",
    "notification": "/api/notifications/send",
}
REJECT = "/api/orders/reject"
UNDO = {
    "reject": REJECT,
    "shipping": "/api/shipping/cancel",
    "payment": "/api/payments/refund",
    "inventory": "/api/inventory/release",
    "order": "/api/orders/cancel",
}
AFTER_REJECT = [path for path in UNDO.values() if path != REJECT]
MODES = ("running", "down")
"""The operator sees the request at once, or is killed (SIGKILL) before it and started afterwards."""
PATIENCE = 90.0
"""Seconds: dozens of sagas share the machine with whatever else runs on it."""


@dataclass
class Cell:
    """One saga that is held at `path` when its request arrives, and what became of it."""

    name: str
    path: str
    user_request: str
    step: str = ""
    """Recorded as current before the request; empty: it doesn't matter."""
    script: dict[str, Reply] = field(default_factory=dict)
    """What else its participants answer, by path; every time."""
    seen: Json = field(default_factory=dict)
    """The resource once the request was noted, while its call was still held; empty if it was gone by then."""
    last: Json = field(default_factory=dict)
    """The resource in the end; of a deleted one the last version there was."""
    calls_at_rest: tuple[int, int] = (0, 0)
    """Of a suspended saga: its calls when it was seen to be suspended, and when all the others had ended."""

    @property
    def status(self) -> Json:
        return self.last["status"]  # type: ignore[no-any-return]

    def condition(self, type_: str) -> Json:
        return next((c for c in self.status["conditions"] if c["type"] == type_), {})


Batches = dict[str, dict[str, Cell]]


@dataclass
class Batch:
    """The means of one run."""

    operator: OperatorProcess
    sagas: Sagas
    participants: ScriptedParticipants

    def in_each_mode(self, cells: Callable[[str], list[Cell]]) -> Batches:
        """Run the cells that there are in each mode. By mode and name."""
        return {mode: self.run(cells(mode), mode) for mode in MODES}

    def run(self, cells: list[Cell], mode: str) -> dict[str, Cell]:
        """Hold every saga at its call, user_request, let go, and wait for every end. By name."""
        for cell in cells:
            self.participants.say(cell.name, cell.path, always=refused("running", "wait"))
            for path, reply in cell.script.items():
                self.participants.say(cell.name, path, always=reply)
            self.sagas.create(cell.name, activeDeadlineSeconds=600)
        for cell in cells:
            self._wait(partial(self._is_held, cell), f"{cell.name} to be recorded at {cell.path}")
        before = self.sagas.listed()["metadata"]["resourceVersion"]
        if mode == "down":
            self.operator.kill()
        for cell in cells:
            self._request(cell)
        if mode == "down":
            self.operator.start()
        self._until_noted(cells)
        suspended = [cell for cell in cells if cell.seen.get("status", {}).get("phase") == "Suspended"]
        at_rest = {cell.name: len(self.participants.of(cell.name)) for cell in suspended}
        for cell in cells:
            self.participants.say(cell.name, cell.path)  # its scripted answer ends: back to the protocol
        self._until_ended([cell for cell in cells if cell not in suspended])
        for cell in suspended:
            cell.calls_at_rest = (at_rest[cell.name], len(self.participants.of(cell.name)))
            self.sagas.patch(cell.name, state="Active")
        self._until_ended(suspended)
        self._read_the_ends(cells, before)
        return {cell.name: cell for cell in cells}

    def _is_held(self, cell: Cell) -> bool:
        """Called and, since a call may be ahead of its record and only that is left after a kill, recorded."""
        called = cell.path in self.participants.paths(cell.name)
        return called and cell.step in ("", self.sagas.status(cell.name).get("currentStep"))

    def _request(self, cell: Cell) -> None:
        match cell.user_request:
            case "cancel":
                self.sagas.patch(cell.name, state="Cancelled")
            case "suspend":
                self.sagas.patch(cell.name, state="Suspended")
            case "deadline":
                self.sagas.patch(cell.name, activeDeadlineSeconds=1)
            case "delete":
                self.sagas.delete(cell.name)

    def _until_noted(self, cells: Iterable[Cell]) -> None:
        def noted(cell: Cell) -> bool:
            found = self._listed().get(cell.name)
            cell.seen = found or {}
            return found is None or found["status"]["observedGeneration"] == found["metadata"]["generation"]

        for cell in cells:
            self._wait(partial(noted, cell), f"the request for {cell.name} to be noted")

    def _until_ended(self, cells: list[Cell]) -> None:
        def open_cells() -> list[str]:
            listed = self._listed()
            return [
                cell.name
                for cell in cells
                if cell.name in listed
                and (
                    cell.user_request == "delete"
                    or listed[cell.name]["status"]["phase"] not in ("Completed", "Compensated")
                )
            ]

        self._wait(lambda: not open_cells(), f"{[cell.name for cell in cells]} to end")

    def _read_the_ends(self, cells: Iterable[Cell], since: str) -> None:
        listed = self._listed()
        deleted = {}
        stream = watch.Watch()
        gone = {cell.name for cell in cells} - set(listed)
        for event in stream.stream(  # type: ignore[no-untyped-call]
            self.sagas.api.list_namespaced_custom_object,
            GROUP, VERSION, self.sagas.namespace, PLURAL, resource_version=since, timeout_seconds=10,
        ) if gone else ():  # fmt: skip
            if event["type"] == "DELETED":
                deleted[event["object"]["metadata"]["name"]] = event["object"]
            if gone <= set(deleted):
                break
        for cell in cells:
            cell.last = listed.get(cell.name) or deleted[cell.name]

    def _listed(self) -> dict[str, Json]:
        return {item["metadata"]["name"]: item for item in self.sagas.listed()["items"]}

    @staticmethod
    def _wait(look: Callable[[], Any], what: str) -> None:
        wait_until(look, what, seconds=PATIENCE)


def assert_rejected_before_undone(paths: list[str]) -> None:
    """Reject comes first, then every undo in its order, and no step is done after it."""
    reject = paths.index(REJECT)
    undone = [path for path in dict.fromkeys(paths) if path in AFTER_REJECT]
    assert undone == AFTER_REJECT
    assert all(paths.index(path) > reject for path in undone)
    assert not set(paths[reject:]) & set(DO.values())


def assert_nothing_undone(paths: list[str]) -> None:
    assert not set(paths) & set(AFTER_REJECT)
