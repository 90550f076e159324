"""An order service whose orders the tests decide: what others ask it, it answers over HTTP."""

import json
from typing import Any

from common.exchange import Answer, Exchanges, NoAnswer
from common.shop.orders import Orders


class OrderBook:
    """The orders and their states. `default` is the state of every order that isn't named; None: it isn't known."""

    def __init__(self, default: str | None = "CONFIRMED") -> None:
        self.default = default
        self.status: dict[str, str | None] = {}
        self.down = False

    def orders(self) -> Orders:
        """A client of this order service."""
        return Orders("http://order", exchanges=_Answers(self))


class _Answers(Exchanges):
    """What the order service says, as the book has it."""

    def __init__(self, book: OrderBook) -> None:
        super().__init__("http://order", timeout=1.0)
        self._book = book

    async def exchange(self, method: str, path: str, **_: Any) -> Answer:
        if self._book.down:
            raise NoAnswer("refused")
        order_id = path.rpartition("/")[2]
        status = self._book.status.get(order_id, self._book.default)
        if status is None:
            return Answer(404, {}, b'{"code": "not_found", "detail": "no such order"}')
        return Answer(200, {}, json.dumps({"order_id": order_id, "status": status}).encode())
