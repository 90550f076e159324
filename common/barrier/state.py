"""The `barrier` part of a document: which operations were called, which are running, what was answered. No I/O.

    barrier: {version, namespace, epoch, tombstone, waiting, operations: {do: {…}, undo: {…}}}

`version` counts the document's writes: every change is matched on the version it was decided on (compare-and-set).
An operation is in one of three states. One that isn't listed was never called, or has certainly done nothing:

    running    a call holds a claim on it and asks a provider; after `until` the next call may take the claim over
    pending    the provider has accepted it and will settle it later (202)
    answered   `status` and `body` are the answer to every further call under its key
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from common.errors import Unreadable
from common.shop.erasure import without

Operations = Mapping[str, "Operation"]


@dataclass(frozen=True, slots=True)
class Operation:
    """What is known of one operation (do, undo, or another name) of one order."""

    fingerprint: str
    state: Literal["running", "pending", "answered"]
    status: int = 0
    body: Mapping[str, Any] = field(default_factory=dict)
    token: str = ""
    until: datetime | None = None

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Operation":
        """From a document. A field that another release has stored besides is left out."""
        operation = cls(**{each.name: kept[each.name] for each in fields(cls) if each.name in kept})
        if not (
            isinstance(operation.fingerprint, str)
            and isinstance(operation.status, int)
            and isinstance(operation.body, Mapping)
            and isinstance(operation.until, datetime | None)
        ):
            raise TypeError("an operation has a field of another type")
        return operation

    def held(self, now: datetime, lease: timedelta) -> bool:
        """Whether a call holds the claim at this moment.

        An end that is further away than two leases was written by a clock that was wrong, so it isn't believed. Taking
        a claim over too early is harmless, since the provider honours its key; too late is not.
        """
        return self.state != "answered" and self.until is not None and now < self.until <= now + 2 * lease

    @property
    def happened(self) -> bool:
        """Whether it was answered with a success."""
        return self.state == "answered" and self.status < 300

    def to_document(self) -> dict[str, Any]:
        """As MongoDB keeps it."""
        if self.state == "answered":
            return {
                "fingerprint": self.fingerprint,
                "state": self.state,
                "status": self.status,
                "body": dict(self.body),
            }
        return {"fingerprint": self.fingerprint, "state": self.state, "token": self.token, "until": self.until}


@dataclass(frozen=True, slots=True)
class BarrierState:
    """The barrier of one document. Immutable: the `with_…` methods return the next one."""

    version: int = 0
    namespace: str = ""
    epoch: int = 0
    tombstone: bool = False
    operations: Operations = field(default_factory=dict)

    @classmethod
    def of(cls, document: Mapping[str, Any] | None) -> "BarrierState":
        """The barrier of a document; an empty one if there is no document.

        Raises:
            Unreadable: it is damaged. It is never taken for an empty one: then a do could happen twice.
        """
        if document is None:
            return cls()
        try:
            barrier = document["barrier"]
            state = cls(
                version=barrier["version"],
                namespace=barrier["namespace"],
                epoch=barrier["epoch"],
                tombstone=barrier["tombstone"],
                operations={name: Operation.of(kept) for name, kept in barrier["operations"].items()},
            )
            if not (
                isinstance(state.version, int)
                and isinstance(state.namespace, str)
                and isinstance(state.epoch, int)
                and isinstance(state.tombstone, bool)
            ):
                raise TypeError("a field is of another type")
        except (KeyError, TypeError, AttributeError) as error:
            raise Unreadable(document, f"barrier: {type(error).__name__} {error}") from error
        return state

    def to_document(self) -> dict[str, Any]:
        """As MongoDB keeps it. `waiting` exists for the sparse index that finds what waits for a settlement."""
        kept = {
            "version": self.version,
            "namespace": self.namespace,
            "epoch": self.epoch,
            "tombstone": self.tombstone,
            "operations": {name: operation.to_document() for name, operation in self.operations.items()},
        }
        if any(operation.state == "pending" for operation in self.operations.values()):
            kept["waiting"] = True
        return kept

    def get(self, name: str) -> Operation | None:
        """The operation of that name; None if it was never called or has certainly done nothing."""
        return self.operations.get(name)

    def happened(self, name: str) -> bool:
        """Whether that operation was answered with a success."""
        operation = self.get(name)
        return operation is not None and operation.happened

    def with_operation(self, name: str, operation: Operation) -> "BarrierState":
        """With that operation."""
        return replace(self, operations={**self.operations, name: operation})

    def without_operation(self, name: str) -> "BarrierState":
        """Without that operation, since it has certainly done nothing."""
        return replace(self, operations={n: o for n, o in self.operations.items() if n != name})

    def without(self, references: Collection[str]) -> "BarrierState":
        """With these references replaced in the answers that are stored (`common.shop.erasure`)."""
        operations = {n: replace(o, body=without(o.body, references)) for n, o in self.operations.items()}
        return replace(self, operations=operations)

    def with_tombstone(self) -> "BarrierState":
        """With the tombstone, which outranks every stored answer of a do."""
        return replace(self, tombstone=True)

    def next(self, *, namespace: str, epoch: int | None) -> "BarrierState":
        """The next version, with the highest epoch seen so far."""
        return replace(
            self,
            version=self.version + 1,
            namespace=self.namespace or namespace,
            epoch=max(self.epoch, epoch or 0),
        )
