"""A view of one OrderSaga resource: no other file needs to know where things stand in its JSON. The contents of `.spec`
and `.status` are read and written by `saga_operator.resource.status`.
"""

import functools
import json
import math
from dataclasses import dataclass
from typing import Any, Final, Self

from common.order_saga import ABANDON, ARCHIVED, CONFIRM_DELETION, CORRELATION_ID, EXPIRES, FINALIZER, NEVER
from common.text import identifier, printable
from common.tracing.context import ANNOTATION as TRACEPARENT
from common.tracing.context import TraceContext
from common.wire import Json
from saga_operator.process.saga import FINISHED, Phase
from saga_operator.resource.times import from_wire, read_time, to_wire

LIVE: Final = ",".join(f"status.phase!={phase}" for phase in sorted(FINISHED))
"""Field selector of live sagas: the API server leaves out the finished ones, so that they cost nothing here."""
ENDED: Final = ",".join(f"status.phase!={phase}" for phase in ("", *sorted(set(Phase) - FINISHED)))
"""Field selector of finished sagas, of both kinds."""
NO_OWNERS: Final[list[Json]] = [{}]
"""What managedFields are set to so that the API server empties them; an empty list would mean: as they were."""
WORDS: Final = 4_096
"""How many strings are shared between resources: keys, reasons, messages. Ids and times occur once and make room for
others again; the interpreter's own table (`sys.intern`) would never let go of them in some versions of Python.
"""

MOST_FINALIZERS: Final = 64
"""Of others, on a resource that is held: a megabyte of such names takes several times as much of our memory. Whoever
writes finalizers reads the resource again if there are more (`shortened`), so that none of another's goes with ours.
"""

SMALL: Final = 16_384
"""Characters of metadata, written out: three times what an order has that GitOps tools apply."""

WORD_LENGTH: Final = 256
"""Characters of a string that is shared: a longer one is somebody's text, and would be held for nobody."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A view of `raw`, the JSON as the API server sent it, which must not be changed."""

    raw: Json
    shortened: bool = False
    """Whether finalizers of others are left out: no list of finalizers is made of this one."""

    @property
    def _metadata(self) -> Json:
        metadata: Json = self.raw["metadata"]
        return metadata

    @property
    def name(self) -> str:
        """The resource's name, which is the order's id."""
        return str(self._metadata["name"])

    @property
    def namespace(self) -> str:
        """The namespace that it lies in."""
        return str(self._metadata["namespace"])

    @property
    def uid(self) -> str:
        """Tells it from an earlier resource of the same name."""
        return str(self._metadata["uid"])

    @property
    def resource_version(self) -> str:
        """As the API server writes it, for conditional requests."""
        return str(self._metadata["resourceVersion"])

    @property
    def version(self) -> int:
        """The resourceVersion as a number: comparable within a resource type since Kubernetes 1.35 (KEP-5504)."""
        return int(self._metadata["resourceVersion"])

    @property
    def generation(self) -> int:
        """Rises with every change of the spec."""
        return int(self._metadata["generation"])

    @property
    def deleting(self) -> bool:
        """Whether its deletion was requested; it goes when the last finalizer is taken off."""
        return bool(self._metadata.get("deletionTimestamp"))

    @property
    def finalizers(self) -> list[str]:
        """All of them, other programs' as well."""
        return list(self._metadata.get("finalizers") or ())

    @property
    def has_finalizer(self) -> bool:
        """Whether ours is among them."""
        return FINALIZER in (self._metadata.get("finalizers") or ())

    @property
    def correlation_id(self) -> str:
        """Of the request that placed the order; the uid if the resource was made by other means.

        Everybody with `edit` can write the annotation, and it becomes a header of every call: the uid takes the place
        of one that doesn't fit.
        """
        return self._given_correlation_id or self.uid

    @property
    def _given_correlation_id(self) -> str:
        return identifier((self._metadata.get("annotations") or {}).get(CORRELATION_ID))

    @property
    def traceparent(self) -> str:
        """Whose doing it is, as the header `traceparent` says it; empty if the annotation isn't there, or is none."""
        noted = (self._metadata.get("annotations") or {}).get(TRACEPARENT)
        context = TraceContext.parse(noted) if isinstance(noted, str) else None
        return "" if context is None else context.header()

    @property
    def archived(self) -> bool:
        """Whether the order service has kept its story, and nothing has happened since: our finalizer went with that.

        The note names the resource, so that a copy of its manifest doesn't carry it to another.
        """
        return self._noted_archived and self.finished

    @property
    def _noted_archived(self) -> bool:
        return (self._metadata.get("annotations") or {}).get(ARCHIVED) == self.uid

    @property
    def deletion_reason(self) -> str:
        """What a person gave as the reason for its deletion; empty unless it is being deleted."""
        return self._noted(CONFIRM_DELETION) if self.deleting else ""

    @property
    def abandoned(self) -> str:
        """What a person gave as the reason for taking our finalizer off; empty if it isn't said."""
        return self._noted(ABANDON)

    def _noted(self, annotation: str) -> str:
        text = (self._metadata.get("annotations") or {}).get(annotation)
        return printable(text, WORD_LENGTH).strip() if isinstance(text, str) else ""

    @property
    def created(self) -> str:
        """The creationTimestamp (RFC 3339)."""
        return str(self._metadata["creationTimestamp"])

    @property
    def managed_fields(self) -> list[Json]:
        """Which field manager wrote which field; only that of an intervention is kept (see `slim`)."""
        return list(self._metadata.get("managedFields") or ())

    @property
    def intervened(self) -> Json:
        """The entry of managedFields that says who wrote the intervention last; empty if none does."""
        entries = self.managed_fields
        found = [entry for entry in entries if "f:intervention" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})]
        return max(found, key=lambda entry: entry.get("time", ""), default={})

    @property
    def spec(self) -> Json:
        """What people and the order service want."""
        spec: Json = self.raw["spec"]
        return spec

    @property
    def status(self) -> Json:
        """What is recorded; empty before the first write."""
        return self.raw.get("status") or {}

    @property
    def phase(self) -> str:
        """The recorded phase; empty before the first write."""
        return str(self.status.get("phase") or "")

    @property
    def finished(self) -> bool:
        """Whether the saga is recorded as ended."""
        return self.phase in FINISHED

    @property
    def is_small(self) -> bool:
        """Whether it may be held whole, with hundreds of others: the API server takes metadata of a megabyte."""
        return len(json.dumps(self._metadata)) <= SMALL

    @property
    def expires(self) -> float | None:
        """Seconds since the epoch from which on it may be removed; None if it has not ended, or no limit is set."""
        ttl, ended = self.spec.get("ttlSecondsAfterFinished"), self.status.get("completionTime")
        return None if ttl is None or ended is None else from_wire(ended) + float(ttl)

    @property
    def noted_expiry(self) -> float | None:
        """The same by the metadata alone, infinity if no limit is set; None if it doesn't say so."""
        noted = self._metadata["annotations"].get(EXPIRES) if self._noted_archived and not self.has_finalizer else None
        return math.inf if noted == NEVER else read_time(noted)

    def with_finalizer(self) -> Json:
        """The merge patch that adds our finalizer to exactly this version. Raises ValueError if it is `shortened`."""
        return self._finalizer_patch([*self.finalizers, FINALIZER])

    def without_finalizer(self, *, archived: bool = False) -> Json:
        """The merge patch that takes our finalizer off exactly this version. Raises ValueError if it is `shortened`.

        If its story is kept, it notes that, and until when the resource is: a list of the metadata tells then.
        Where nobody can miss it, the record of who wrote which field goes as well: it is a third of a finished saga.
        """
        patch = self._finalizer_patch([finalizer for finalizer in self.finalizers if finalizer != FINALIZER])
        if archived:
            patch["metadata"]["annotations"] = {ARCHIVED: self.uid, EXPIRES: self._expiry_note()}
        if self._owners_say_nothing:
            patch["metadata"]["managedFields"] = NO_OWNERS
        return patch

    def _expiry_note(self) -> str | None:
        """None, which notes nothing, if its end or its time to live can't be read: whoever reads it whole says so."""
        try:
            return NEVER if (expires := self.expires) is None else to_wire(math.ceil(expires))
        except (ValueError, TypeError, OverflowError):
            return None

    @property
    def _owners_say_nothing(self) -> bool:
        """Whether managedFields name no owner by server-side apply, as GitOps tools are, and nobody who changed the
        finished saga: neither who cancelled nor who intervened. False if they aren't known (see `slim`).
        """
        if not self.finished or not self.managed_fields:
            return False
        applied = any(entry.get("operation") != "Update" for entry in self.managed_fields)
        return not applied and self.generation == 1 and not self.spec.get("intervention")

    def slim(self) -> Self:
        """The same with its strings shared, and without what nothing here reads: labels, owners, others' annotations,
        managedFields but those that say who intervened. Each of them may be a megabyte: the API server bounds none.

        Each answer of the API server is parsed by itself and brings its own copy of every key and word, nearly all of
        which are the same for all sagas. With shared strings a waiting saga's resource takes 5 KB instead of 17, and
        tens of thousands of sagas wait while a participant is down.
        """
        left_out = {"labels", "annotations", "ownerReferences", "managedFields"}
        metadata = {key: value for key, value in self._metadata.items() if key not in left_out}
        if self.spec.get("intervention"):
            mine: Json = {"f:spec": {"f:intervention": {}}}
            metadata["managedFields"] = [{**entry, "fieldsV1": mine} for entry in [self.intervened] if entry]
        shortened = self.shortened or len(self.finalizers) > MOST_FINALIZERS
        if shortened:
            metadata["finalizers"] = [FINALIZER] if self.has_finalizer else []
        kept = {
            CORRELATION_ID: self._given_correlation_id,
            TRACEPARENT: self.traceparent,
            CONFIRM_DELETION: self.deletion_reason,
            ABANDON: self.abandoned,
        }
        if any(kept.values()):
            metadata["annotations"] = {key: text for key, text in kept.items() if text}
        return type(self)(_interned({**self.raw, "metadata": metadata}), shortened)

    def _finalizer_patch(self, finalizers: list[str]) -> Json:
        if self.shortened:
            raise ValueError("finalizers of others are left out here, and would go with this write")
        return {"metadata": {"resourceVersion": self.resource_version, "finalizers": finalizers}}


def _interned(value: Any) -> Any:
    if isinstance(value, str):
        return _interned_string(value) if len(value) <= WORD_LENGTH else value
    if isinstance(value, dict):
        return {_interned_string(key): _interned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_interned(each) for each in value]
    return value


@functools.lru_cache(WORDS)
def _interned_string(text: str) -> str:
    """The first of all equal strings."""
    return text
