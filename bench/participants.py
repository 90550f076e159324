"""One HTTP server in the place of all five participants. One of them can be down, and all calls to it are counted."""

import asyncio
import time
from dataclasses import dataclass, field

from aiohttp import web

ANSWER_SECONDS = 0.02
"""The duration of a call, about that of a service with its database; without it no two calls would be in flight."""


@dataclass
class Recovery:
    """The calls to the participant that was down, since it is back."""

    at: float = field(default_factory=time.monotonic)
    answered: int = 0
    most_in_flight: int = 0
    too_fast: int = 0
    """Calls that began while more calls were in flight than had been answered: with a ramp there are none."""
    by_second: dict[int, int] = field(default_factory=dict)
    """The number of answered calls by full seconds since then."""


class Participants:
    """All participants. Lives in one event loop."""

    def __init__(self, watched: str) -> None:
        """`watched`: the part of the path that marks the participant that is down, such as `/inventory/`."""
        self.watched = watched
        self.down = True
        self.refused = 0
        """Calls that were answered 503."""
        self.back: Recovery | None = None
        self.url = ""
        self._in_flight = 0

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    def come_back(self) -> Recovery:
        """Let the participant that was down answer from now on."""
        self.back, self.down = Recovery(), False
        return self.back

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        if self.watched not in request.path:
            return _done(body)
        if self.down:
            self.refused += 1
            return web.json_response({"code": "unavailable", "detail": "down", "retryable": True}, status=503)
        assert self.back is not None  # noqa: S101 - for the type checker
        self._in_flight += 1
        back = self.back
        back.most_in_flight = max(back.most_in_flight, self._in_flight)
        back.too_fast += self._in_flight > back.answered + 1
        try:
            await asyncio.sleep(ANSWER_SECONDS)
        finally:
            self._in_flight -= 1
        back.answered += 1
        second = int(time.monotonic() - back.at)
        back.by_second[second] = back.by_second.get(second, 0) + 1
        return _done(body)


def _done(body: dict[str, object]) -> web.Response:
    order = body.get("order_id", "")
    return web.json_response({"order_id": order, "payment_id": f"pay-{order}", "shipping_id": f"ship-{order}"})
