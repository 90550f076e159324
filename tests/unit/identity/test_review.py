"""What of an API server's answer counts as a yes."""

from typing import Any

import pytest

from common.identity.review import REVIEWS, Reviewer
from common.identity.tokens import Identity
from tests.support.tokens import OPERATOR

IDENTITY = Identity(OPERATOR, 0.0)


class FakeClient:
    """An API server that answers one thing."""

    def __init__(self, status: Any) -> None:
        self.status = status
        self.asked: list[tuple[str, Any]] = []

    async def post(self, path: str, body: Any) -> Any:
        self.asked.append((path, body))
        return {"status": self.status}


def yes(**other: Any) -> dict[str, Any]:
    return {"authenticated": True, "user": {"username": OPERATOR}, "audiences": ["payment.ordersaga.io"], **other}


async def test_a_yes_is_about_this_token_this_account_and_this_audience() -> None:
    client = FakeClient(yes())
    assert await Reviewer(client, "payment.ordersaga.io").is_authentic("t", IDENTITY)  # type: ignore[arg-type]
    [(path, body)] = client.asked
    assert (path, body["spec"]) == (REVIEWS, {"token": "t", "audiences": ["payment.ordersaga.io"]})


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        {"authenticated": False, "error": "the token has expired"},
        yes(authenticated="true"),
        yes(user={"username": "system:serviceaccount:shop:somebody"}),
        yes(user=None),
        yes(audiences=["inventory.ordersaga.io"]),
        yes(audiences=None),
    ],
)
async def test_a_yes_to_something_else_is_no(status: Any) -> None:
    """An API server that knows no audiences answers yes without one (KEP-1205, TokenReview)."""
    reviewer = Reviewer(FakeClient(status), "payment.ordersaga.io")  # type: ignore[arg-type]
    assert not await reviewer.is_authentic("t", IDENTITY)
