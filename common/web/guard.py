"""Who may call which route: a table per service, by the role of the caller.

What isn't in the table is nobody's, and a service whose table lacks one of its routes doesn't start. Only the pages
that say what a service is and whether it lives are for everybody.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from common.errors import Problem
from common.identity.authenticator import Authenticator
from common.identity.callers import Callers, Role
from common.identity.tokens import NotAuthentic
from common.text import printable
from common.web.request_state import RequestState

Table = Mapping[str, frozenset[Role] | None]
"""The roles that may call a route, named as "POST /api/payments/process"; None if everybody may."""

OPERATOR: Final = frozenset({Role.OPERATOR})
READERS: Final = frozenset({Role.OPERATOR, Role.AUDITOR, Role.STAFF})
STAFF: Final = frozenset({Role.STAFF})
ANYBODY: Final = None

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


class Guard:
    """The door of a service."""

    def __init__(
        self,
        service: str,
        table: Table,
        routers: Iterable[APIRouter],
        *,
        authenticator: Authenticator,
        callers: Callers,
    ) -> None:
        """Raises ValueError if the table lacks one of the routes."""
        routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
        names = {f"{method} {route.path}" for route in routes for method in route.methods or ()}
        if missing := names - table.keys():
            raise ValueError(f"nothing says who may call {', '.join(sorted(missing))} of the {service} service")
        self._service, self._authenticator, self._callers = service, authenticator, callers
        self._table, self._routes = table, routes
        self._fixed = {tuple(name.split(" ", 1)): table[name] for name in names if "{" not in name}

    async def admit(self, scope: Scope) -> None:
        """Let the request pass, and note who sent it.

        Raises:
            Unauthenticated, NotAllowed; NotDecided (503) if nobody can be identified now.
        """
        roles = self._roles_for(scope)
        if roles is None:
            return
        token = _token_of(scope)
        if token is None:
            raise Unauthenticated(
                f"{self._named(scope)} needs a token for the {self._service} service: send it as Authorization: Bearer"
            )
        state = RequestState.of(scope)
        try:
            identity = await self._authenticator.identify(token)
        except NotAuthentic as error:
            state.refused = str(error)
            raise Unauthenticated(
                f"your token is not good for the {self._service} service: get a new one for its audience"
            ) from error
        state.caller = identity.subject
        if self._callers.role_of(identity) not in roles:
            raise NotAllowed(f"{self._named(scope)} is not for you: another identity may do this")

    def _roles_for(self, scope: Scope) -> frozenset[Role] | None:
        """Of the route that the framework would choose. What has no route needs an identity like what has one."""
        fixed = (scope["method"], scope["path"])
        if fixed in self._fixed:
            return self._fixed[fixed]
        for route in self._routes:
            if route.matches(scope)[0] is Match.FULL:
                return self._table[f"{scope['method']} {route.path}"]
        return frozenset(Role) if scope["path"].startswith("/api") else ANYBODY

    @staticmethod
    def _named(scope: Scope) -> str:
        return printable(f"{scope['method']} {scope['path']}", 200)


def _token_of(scope: Scope) -> str | None:
    """The one bearer token of the request (RFC 6750, 2.1); two are none."""
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    if len(sent) != 1:
        return None
    scheme, _, token = sent[0].partition(b" ")
    return token.strip().decode("latin-1") if scheme.lower() == b"bearer" else None
