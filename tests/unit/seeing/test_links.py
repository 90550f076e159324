"""Links beside an order lead to its own trace, or there is none."""

import pytest

from ordersaga.saga.record import Record
from ordersaga.saga.ui.links import trace_id_of
from tests.unit.seeing.resources import record

PARENT = "4bf92f3577b34da6a3ce929d0e0e4736"


def traced(annotation: str) -> Record:
    """A saga with this annotation."""
    item = record().item
    annotations = {"tracing.k8s.io/traceparent": annotation}
    return Record({**item, "metadata": {**item["metadata"], "annotations": annotations}})


def test_an_order_that_belongs_to_a_trace_is_found_in_it() -> None:
    assert trace_id_of(traced(f"00-{PARENT}-00f067aa0ba902b7-01")) == PARENT


def test_one_that_is_not_traced_has_no_link() -> None:
    assert trace_id_of(traced(f"00-{PARENT}-00f067aa0ba902b7-00")) == ""


@pytest.mark.parametrize("annotation", ["", "no traceparent"])
def test_every_other_order_has_a_trace_of_its_own(annotation: str) -> None:
    found = trace_id_of(traced(annotation))
    assert len(found) == 32
    assert found == trace_id_of(traced(annotation)) != PARENT
