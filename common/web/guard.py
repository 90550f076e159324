"""Who may call which route: a table per service, by the role of the caller.

What isn't in the table is nobody's, and a service whose table lacks one of its routes doesn't start. Only the pages
that say what a service is and whether it lives are for everybody.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from common.errors import Problem
from common.identity.authenticator import Authenticator
from common.identity.callers import Caller, Callers, Role
from common.identity.tokens import NotAuthentic
from common.text import printable
from common.web.request_state import RequestState

Table = Mapping[str, frozenset[Role] | None]
"""The roles that may call a route, named as "POST /api/payments/process"; None if everybody may."""

OPERATOR: Final = frozenset({Role.OPERATOR})
READERS: Final = frozenset({Role.AUDITOR, Role.STAFF})
STAFF: Final = frozenset({Role.STAFF})
ORDER_SERVICE: Final = frozenset({Role.ORDER_SERVICE})
ASKING: Final = frozenset({Role.INVENTORY_SERVICE, Role.SHIPPING_SERVICE, Role.NOTIFICATION_SERVICE})
"""The services that ask how far an order is."""
CLIENTS: Final = frozenset({Role.CUSTOMER, Role.STAFF})
"""Who places orders and cancels them: customers their own."""
VIEWERS: Final = CLIENTS | READERS | ASKING
"""Who sees orders: customers their own."""
ANYBODY: Final = None
ONLY_CREATE: Final = ORDER_SERVICE
"""Who stores what is new, and overwrites nothing: a parcel could be sent elsewhere."""
_KNOWN: Final = frozenset(Role)

OPEN_TO_CLIENTS: Final = (
    "development: clients aren't identified, whoever reaches this service sees and cancels every order"
)

_AUTHENTICATE: Final = {"WWW-Authenticate": "Bearer"}


class Unauthenticated(Problem):
    """401: no token, or one that isn't believed (RFC 9110, 15.5.2)."""

    status = 401
    code = "unauthenticated"

    def headers(self) -> dict[str, str]:
        """With the challenge that a 401 has to have."""
        return super().headers() | _AUTHENTICATE


class NotAllowed(Problem):
    """403: the caller is known and may not do this."""

    status = 403
    code = "not_allowed"


class Door(Protocol):
    """Who judges the credentials of the shop's clients, for the routes that customers may call."""

    async def admit(self, token: str, address: str) -> Caller | None:
        """Whose it is; None if it isn't a client's, but perhaps a ServiceAccount's. `address`: where it comes from.

        Raises:
            NotAuthentic: it isn't believed.
            NotDecided: it can't be judged now.
            TooMany: its client, or this address, asks for too much.
        """


class Guard:
    """The door of a service."""

    def __init__(
        self,
        service: str,
        table: Table,
        routers: Iterable[APIRouter],
        *,
        authenticator: Authenticator | None,
        callers: Callers,
        door: Door | None = None,
    ) -> None:
        """Without an `authenticator` the routes of the shop's parts are open, without a `door` those of its clients.

        Raises:
            ValueError: the table lacks one of the routes.
        """
        routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
        names = {f"{method} {route.path}" for route in routes for method in route.methods or ()}
        if missing := names - table.keys():
            raise ValueError(f"nothing says who may call {', '.join(sorted(missing))} of the {service} service")
        self._service, self._authenticator, self._callers, self._door = service, authenticator, callers, door
        self._table, self._routes = table, routes
        self._fixed = {tuple(name.split(" ", 1)): table[name] for name in names if "{" not in name}

    async def admit(self, scope: Scope) -> None:
        """Let the request pass, and note who sent it.

        Raises:
            Unauthenticated, NotAllowed; NotDecided (503) if nobody can be identified now; TooMany (429).
        """
        roles = self._roles_for(scope)
        if roles is None or self._is_open(roles):
            return
        is_for_clients = Role.CUSTOMER in roles and self._door is not None
        token = _token_of(scope)
        if token is None:
            needed = "an API key or a token" if is_for_clients else f"a token for the {self._service} service"
            raise Unauthenticated(f"{self._named(scope)} needs {needed}: send it as Authorization: Bearer")
        state = RequestState.of(scope)
        try:
            caller = await self._caller(token, scope, door=self._door if is_for_clients else None)
        except NotAuthentic as error:
            state.refused = str(error)
            raise Unauthenticated(
                "your API key or token is not good here: it may be revoked or have expired; get a new one"
                if is_for_clients
                else f"your token is not good for the {self._service} service: get a new one for its audience"
            ) from error
        state.caller = f"{caller.name} {caller.credential}".rstrip()
        if caller.role not in roles:
            raise NotAllowed(f"{self._named(scope)} is not for you: another identity may do this")
        if caller.role in ONLY_CREATE and scope["method"] == "PUT" and not _only_creates(scope):
            raise NotAllowed(f"{self._named(scope)} is not for you without If-None-Match: *")
        state.identified = caller

    async def _caller(self, token: str, scope: Scope, *, door: Door | None) -> Caller:
        if door is not None:
            client = scope.get("client")
            known = await door.admit(token, client[0] if client else "")
            if known is not None:
                return known
        if self._authenticator is None:
            raise NotAuthentic("it is no client's, and ServiceAccounts aren't identified here")
        return self._callers.caller_of(await self._authenticator.identify(token))

    def _is_open(self, roles: frozenset[Role]) -> bool:
        """Whether these routes are open to everybody, in development."""
        if roles is not _KNOWN and Role.CUSTOMER in roles:
            return self._door is None
        return self._authenticator is None

    def _roles_for(self, scope: Scope) -> frozenset[Role] | None:
        """Of the route that the framework would choose. What has no route needs an identity like what has one."""
        fixed = (scope["method"], scope["path"])
        if fixed in self._fixed:
            return self._fixed[fixed]
        for route in self._routes:
            if route.matches(scope)[0] is Match.FULL:
                return self._table[f"{scope['method']} {route.path}"]
        return _KNOWN if scope["path"].startswith("/api") else ANYBODY

    @staticmethod
    def _named(scope: Scope) -> str:
        return printable(f"{scope['method']} {scope['path']}", 200)


def _only_creates(scope: Scope) -> bool:
    return [value for name, value in scope["headers"] if name == b"if-none-match"] == [b"*"]


def _token_of(scope: Scope) -> str | None:
    """The one bearer token of the request (RFC 6750, 2.1); two are none."""
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(sent) != 1:
        return None
    scheme, _, token = sent[0].partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else None
