"""Whether an operator works is part of what an order waits for."""

from typing import Any

import pytest

from ordersaga.saga.access import Access
from ordersaga.saga.cluster import ClusterError
from ordersaga.saga.operator_lease import warning, working

NOW = 1_800_000_000.0
RENEWED = {0: "2027-01-15T08:00:00.000000Z", 11: "2027-01-15T07:59:49.000000Z", 40: "2027-01-15T07:59:20.000000Z"}


class Stub:
    """A cluster with this Lease, or with this refusal."""

    access = Access(server="https://cluster", namespace="shop", tls=None)

    def __init__(self, spec: dict[str, Any] | None = None, *, status: int = 0) -> None:
        self._spec, self._status = spec, status

    def get(self, _: str) -> dict[str, Any]:
        if self._status:
            raise ClusterError(self._status, "Refused", "refused")
        return {"spec": self._spec}


def said(spec: dict[str, Any] | None = None, *, status: int = 0) -> str:
    return warning(working(Stub(spec, status=status), NOW), NOW)  # type: ignore[arg-type]


def lease(age: int, holder: str = "operator-1") -> dict[str, Any]:
    return {"holderIdentity": holder, "leaseDurationSeconds": 10, "renewTime": RENEWED[age]}


@pytest.mark.parametrize("age", [0, 11])
def test_one_that_renews_its_lease_works_and_so_it_is_during_a_hand_over(age: int) -> None:
    assert said(lease(age)) == ""


def test_one_that_has_died_is_told_with_the_time_and_what_it_means() -> None:
    assert said(lease(40)).startswith("No operator has worked for 40 s: until one does, nothing goes on by itself")


def test_one_that_was_stopped_and_one_that_was_never_there_are_told() -> None:
    assert "nothing goes on by itself" in said(lease(40, holder=""))
    assert "No operator works: until one does" in said(status=404)


def test_who_may_not_see_the_lease_is_told_nothing_that_isnt_known() -> None:
    assert said(status=403) == ""
