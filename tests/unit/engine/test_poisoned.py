"""Any JSON may be in a resource or beside it: what can't be read costs that object alone."""

import asyncio
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from common.kube import ObjectNotFound
from saga_operator.engine.engine import Engine
from saga_operator.engine.records.finalizers import FinalizerQueue
from saga_operator.engine.shared import Shared
from saga_operator.process.order import CompensationPolicy
from saga_operator.resource.attempts import history_of
from saga_operator.resource.body import Resource
from saga_operator.resource.status import saga_of
from saga_operator.resource.times import read_time
from tests.support.samples import order

FIELDS = ["metadata", "spec", "status", "name", "namespace", "uid", "resourceVersion", "generation", "finalizers"]
FIELDS += ["deletionTimestamp", "annotations", "phase", "steps", "conditions", "type", "startTime", "managedFields"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=12,
)
TIMES = ["0000-01-01T00:00:00Z", "2026-12-31T23:59:60Z", "0001-01-01T00:00:00+23:59"]


class Nobody:
    """In the place of everything that a worker shares: whatever is asked of it fails."""

    offset = 0.0

    def now(self) -> float:
        return 0.0

    def add(self, *_: Any, **__: Any) -> None:
        pass

    async def read(self, name: str) -> Resource:
        raise ObjectNotFound(404, "NotFound", name)


def engine_of_nobody() -> Engine:
    nobody = cast(Any, Nobody())
    shared = Shared(nobody, nobody, nobody, nobody, nobody, {}, CompensationPolicy(1, 1))
    return Engine(shared, cast(FinalizerQueue, nobody))


def good() -> dict[str, Any]:
    found = order("o-1")
    found["metadata"] |= {"uid": "u", "resourceVersion": "1", "generation": 1, "namespace": "shop"}
    found["metadata"]["creationTimestamp"] = "2026-11-28T00:00:00Z"
    return found


@given(
    raw=st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=4), field=st.sampled_from(FIELDS), value=ANYTHING
)
@settings(max_examples=200, deadline=None)
def test_no_resource_whatever_is_in_it_raises_where_the_events_of_all_come_in(raw: Any, field: str, value: Any) -> None:
    poisoned = [raw, {**good(), field: value}]
    poisoned += [{**good(), part: {**good().get(part, {}), field: value}} for part in ("metadata", "spec", "status")]

    async def see() -> None:
        for each in poisoned:
            engine = engine_of_nobody()
            engine.resource_seen(Resource(each))
            engine.resource_deleted(Resource(each))
            await asyncio.sleep(0)
            await engine.stop()

    asyncio.run(see())


@given(text=st.text(max_size=30) | st.sampled_from(TIMES))
def test_a_time_in_a_status_that_cannot_be_read_counts_as_none(text: str) -> None:
    raw = good()
    history = [{"time": text, "operation": "do", "outcome": "Succeeded", "milliseconds": 1}]
    step = {"name": "order", "state": "Succeeded", "startTime": text, "completionTime": text, "history": history}
    raw["status"] = {"steps": [step], "suspendedAt": text}
    saga = saga_of(Resource(raw), CompensationPolicy(20, 900.0))
    assert saga["order"].start == read_time(text)
    assert len(history_of(raw["status"])["order"]) == (read_time(text) is not None)
