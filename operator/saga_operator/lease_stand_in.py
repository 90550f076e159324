"""Who works where there can be no Lease: in a namespace that is being deleted, which waits for its open sagas.

Nothing can be made there any more, but what is there can be changed. So the operator that works marks the first live
saga, as often as it would renew a Lease. Others see a live saga change, and wait; if two have begun at the same moment,
the one with the lower epoch finds the mark of the other and ends. Where no saga is alive there is nothing to work on.
"""

import re
from typing import Final, NamedTuple

from common.kube import OrderSagas
from common.wire import Json
from saga_operator import lease_record
from saga_operator.resource.body import LIVE, Resource

MARK: Final = "ordersaga.io/worked-on-by"
"""Annotation of a saga: epoch, time (seconds since 1970) and identity of the operator that works without a Lease."""

_MARK: Final = re.compile(r"(?P<epoch>[0-9]{1,19}) [0-9.]{1,20} (?P<holder>.+)", re.DOTALL)


class Mark(NamedTuple):
    """Who works, by a saga; nobody where it says nothing."""

    epoch: int = 0
    holder: str = ""


class LeaseStandIn:
    """The live sagas of one namespace in the place of a Lease. Every method raises `KubeError`."""

    def __init__(self, sagas: OrderSagas) -> None:
        """`sagas` of the holder's own connections."""
        self._sagas = sagas

    async def seen(self) -> object:
        """The live sagas and their versions, which change while an operator works."""
        pages = self._sagas.list(field_selector=LIVE)
        return [(item.uid, item.resource_version) async for page in pages for item in map(Resource, page.items)]

    async def first(self) -> Resource | None:
        """The live saga that is marked; None if no saga is alive."""
        async for page in self._sagas.list(field_selector=LIVE, limit=1):
            if page.items:
                return Resource(page.items[0])
        return None

    async def mark(self, saga: Resource, epoch: int, identity: str, now: float) -> None:
        """Mark this version of the saga. Raises `Conflict` if it was changed or marked meanwhile."""
        metadata: Json = {
            "annotations": {MARK: f"{epoch} {now:.3f} {identity}"},
            "resourceVersion": saga.resource_version,
            "uid": saga.uid,
        }
        await self._sagas.patch(saga.name, {"metadata": metadata})


def mark_of(saga: Resource | None, now: float) -> Mark:
    """What a saga says; whatever no operator can have written by now counts as nothing."""
    annotations = None if saga is None else saga.raw.get("metadata", {}).get("annotations")
    text = annotations.get(MARK) if isinstance(annotations, dict) else None
    found = _MARK.fullmatch(text) if isinstance(text, str) else None
    if found is None or not lease_record.is_plausible(int(found["epoch"]), now):
        return Mark()
    return Mark(int(found["epoch"]), found["holder"])
