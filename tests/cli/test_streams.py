"""Joining sorted sources."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordersaga.audit.rules.records import RecordKind
from ordersaga.audit.rules.streams import Keyed, NotSortedError, by_message_id, joined, order_id_of

# Few letters, so that ids begin with each other; among them some that sort around those of "-order_confirmed".
ORDER_IDS = st.lists(st.from_regex(r"[a-][-ao0-9r]{0,4}", fullmatch=True), unique=True)


@given(ORDER_IDS)
def test_ids_are_put_into_the_order_of_their_messages(order_ids: list[str]) -> None:
    arranged = [key for key, _ in by_message_id((each, {}) for each in sorted(order_ids))]
    assert arranged == sorted(f"{each}-order_confirmed" for each in order_ids)
    assert sorted(map(order_id_of, arranged)) == sorted(order_ids)


@given(ORDER_IDS, ORDER_IDS)
def test_every_order_is_met_once_with_everything_about_it(orders: list[str], payments: list[str]) -> None:
    sources = {
        RecordKind.ORDER: ((each, {"order": each}) for each in sorted(orders)),
        RecordKind.CHARGES: ((each, {"charge": each}) for each in sorted(payments * 2)),
    }
    met = dict(joined(sources))
    assert sorted(met) == sorted({*orders, *payments})
    for order_id, records in met.items():
        assert records.get(RecordKind.ORDER, []) == [{"order": order_id}] * (order_id in orders)
        assert records.get(RecordKind.CHARGES, []) == [{"charge": order_id}] * (2 * (order_id in payments))


def test_a_source_out_of_order_is_noticed() -> None:
    with pytest.raises(NotSortedError, match="o-1 comes after o-2"):
        list(joined({RecordKind.ORDER: iter([("o-2", {}), ("o-1", {})])}))


def test_nothing_is_read_before_it_is_needed() -> None:
    """So that the memory an audit takes doesn't grow with the number of orders."""
    read: dict[RecordKind, int] = {RecordKind.ORDER: 0, RecordKind.CHARGES: 0}

    def source(kind: RecordKind) -> Iterator[Keyed]:
        for number in range(1000):
            read[kind] += 1
            yield f"o-{number:04}", {}

    orders = joined({kind: by_message_id(source(kind)) for kind in read})
    for met in range(1, 500):
        next(orders)
        assert max(read.values()) <= met + 3
