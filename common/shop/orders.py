"""What other services ask of the order service: how far an order is.

    orders = Orders(settings.order_url)
    await orders.require_confirmed("o-1001", "hand its parcel over")     # 409 order_not_confirmed, 503

A confirmed order is never rolled back, so an answer that it is confirmed stays true.
"""

import json
import logging
from pathlib import Path

from common.deadline import left
from common.errors import Refused, Unavailable
from common.exchange import NOT_LET_IN, Credentials, Exchanges, NoAnswer, NotSent
from common.logs import correlation_id

ASK_SECONDS = 3.2
"""The time-out of the whole question: the order service itself waits 2.5 s for an API server that doesn't answer, and
shows the order then; whoever asks us hangs up after 5 s.
"""

MAX_ANSWER_BYTES = 1024 * 1024
"""Of the answer: an order of 100 lines with its saga has 60 KB."""

CONFIRMED = frozenset({"CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED"})
"""The states of an order that stands: goods may leave."""

UNDECIDED = frozenset({"PENDING", "CANCELLING"})
"""The states of an order whose saga still needs what came along with it."""

OVER = frozenset({"CANCELLED", "DELIVERED"})
"""The states of an order that needs nothing any more."""


log = logging.getLogger("ordersaga.orders")


class Orders:
    """The order service over HTTP. Tests give `exchanges` of their own."""

    def __init__(
        self,
        url: str,
        *,
        credentials: Credentials | None = None,
        ca_file: Path | None = None,
        exchanges: Exchanges | None = None,
    ) -> None:
        """`credentials`: ours there; `ca_file`: authorities that are trusted beside the system's."""
        self._exchanges = exchanges or Exchanges(
            url, timeout=ASK_SECONDS, credentials=credentials, ca_file=ca_file, ours=True
        )

    async def status_of(self, order_id: str) -> str | None:
        """The order's status; None if the order service knows no such order. Raises Unavailable."""
        known = correlation_id()
        headers = {"X-Correlation-ID": known} if known else {}
        try:
            answer = await self._exchanges.exchange(
                "GET",
                f"/api/orders/{order_id}",
                headers=headers,
                limit=MAX_ANSWER_BYTES,
                seconds=left(ASK_SECONDS),
            )
            body = json.loads(answer.body)
        except (NotSent, NoAnswer, ValueError, RecursionError) as error:
            raise _no_answer(order_id) from error
        if answer.status in NOT_LET_IN:
            log.warning("the order service doesn't let us ask (%s): it has to know our token", answer.status)
        # A 404 counts only with the service's own word for it: a gateway's page knows nothing of orders.
        if answer.status == 404 and isinstance(body, dict) and body.get("code") == "not_found":
            return None
        status = body.get("status") if answer.status == 200 and isinstance(body, dict) else None
        if not isinstance(status, str):
            raise _no_answer(order_id)
        return status

    async def require_confirmed(self, order_id: str, what: str) -> None:
        """Raises Refused (`order_not_confirmed`) until the order is confirmed: then goods may leave; and Unavailable.

        `what` says what is refused: "hand its parcel over".
        """
        status = await self.status_of(order_id)
        if status in CONFIRMED:
            return
        now = "isn't known to the order service" if status is None else f"is {status}"
        raise Refused(
            "order_not_confirmed",
            f"order {order_id} {now}, so nobody may {what}: it could still be rolled back. Wait until GET "
            f"/api/orders/{order_id} shows CONFIRMED, then repeat this",
            order_id=order_id,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._exchanges.aclose()


def _no_answer(order_id: str) -> Unavailable:
    return Unavailable(
        f"order {order_id}: the order service doesn't say whether it is confirmed; repeat this later, or check "
        "ORDERSAGA_ORDER_URL",
        retry_after=2,
        order_id=order_id,
    )
