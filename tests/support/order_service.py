"""An order service whose orders the tests decide: what others ask it, it answers over HTTP."""

import httpx

from common.shop.orders import Orders


class OrderBook:
    """The orders and their states. `default` is the state of every order that isn't named; None: it isn't known."""

    def __init__(self, default: str | None = "CONFIRMED") -> None:
        self.default = default
        self.status: dict[str, str | None] = {}
        self.down = False

    def orders(self) -> Orders:
        """A client of this order service."""
        return Orders("http://order", transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("refused")
        order_id = request.url.path.rpartition("/")[2]
        status = self.status.get(order_id, self.default)
        if status is None:
            return httpx.Response(404, json={"code": "not_found", "detail": "no such order"})
        return httpx.Response(200, json={"order_id": order_id, "status": status})
