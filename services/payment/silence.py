"""No answer at all, as after a crash: what the test provider's method `test-silent` wants."""

import asyncio

from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

from common.web.request_state import RequestState


class Silence(Response):
    """Drops the connection without an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        transport = getattr(getattr(RequestState.of(scope).send, "__self__", None), "transport", None)
        if transport is None:
            raise ConnectionResetError("the connection is dropped without an answer, as asked by the test provider")
        transport.abort()
        await asyncio.sleep(0)  # lets the server see the loss before it looks for the answer
