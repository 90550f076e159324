"""A document of ours that somebody or something has damaged."""

from datetime import UTC, datetime
from typing import Any

import pytest

from common.barrier import rules
from common.barrier.rules import Call, Done
from common.barrier.state import BarrierState
from common.errors import Unreadable

WHOLE: dict[str, Any] = {
    "version": 3,
    "namespace": "shop",
    "epoch": 7,
    "tombstone": False,
    "operations": {"do": {"fingerprint": "f", "state": "answered", "status": 200, "body": {"order_id": "o-1"}}},
}
OPERATION = WHOLE["operations"]["do"]
DAMAGED: list[Any] = [
    *[{key: value for key, value in WHOLE.items() if key != gone} for gone in WHOLE],
    *[WHOLE | {key: damaged} for key in WHOLE for damaged in (None, "x", 1.5, [], datetime(2026, 1, 1, tzinfo=UTC))
      if not (key == "namespace" and damaged == "x")],
    *[WHOLE | {"operations": {"do": damaged}} for damaged in (None, "x", 3, [], {}, {"fingerprint": "f"})],
    *[WHOLE | {"operations": {"do": OPERATION | {key: damaged}}}
      for key, damaged in [("fingerprint", 3), ("status", "200"), ("body", None), ("body", "x"), ("until", "now")]],
    None,
    "x",
    [],
]  # fmt: skip


@pytest.mark.parametrize("barrier", DAMAGED, ids=lambda barrier: str(barrier)[:60])
def test_a_damaged_barrier_is_never_taken_for_an_empty_one(barrier: Any) -> None:
    """Then a do could happen twice. The problem says of which order it is, and what to do."""
    document = {"_id": "o-1", "barrier": barrier, "status": "booked"}
    call = Call("shop/o-1/payment/do", "shop", "o-1", "do", "f")
    for damaged in (document, {"_id": "o-1", "status": "booked"}):
        with pytest.raises(Unreadable) as caught:
            rules.do(call, damaged, lambda _: Done())
        body = caught.value.body()
        assert (body["status"], body["code"], body["retryable"]) == (500, "document_unreadable", False)
        assert body["order_id"] == "o-1"
        assert "order o-1" in body["detail"]
        assert "mend it or restore it" in body["detail"]


def test_a_whole_barrier_is_read() -> None:
    assert BarrierState.of({"_id": "o-1", "barrier": WHOLE}).happened("do")
