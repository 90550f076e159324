"""What this service notes about a request while it answers it, in one typed place of the ASGI scope."""

from dataclasses import dataclass

from starlette.types import Scope, Send

from common.identity.callers import Caller
from common.tracing.context import TraceContext

_KEY = "ordersaga"


@dataclass(slots=True)
class RequestState:
    """One request's notes: `send` is the server's own (a payment's silence needs its connection), `problem_code` is the
    `code` of the problem that was answered, for the access log and the metrics ("" for a success); `caller` is who the
    credential that came with it stands for, and `refused` why none was believed, for the log; `identified` is the
    caller for the route, None where callers aren't identified; `unsayable`: a card's or an account's number stands in
    path, query or key, so that none of them may be logged or repeated; `trace` is the request's span, or its caller's
    while this service makes none.
    """

    send: Send
    problem_code: str = ""
    caller: str = ""
    refused: str = ""
    identified: Caller | None = None
    unsayable: bool = False
    trace: TraceContext | None = None

    @classmethod
    def begin(cls, scope: Scope, send: Send) -> "RequestState":
        """The notes of a request that has just arrived."""
        state = cls(send)
        scope[_KEY] = state
        return state

    @classmethod
    def of(cls, scope: Scope) -> "RequestState":
        """The notes of the request that is being answered."""
        state: RequestState = scope[_KEY]
        return state
