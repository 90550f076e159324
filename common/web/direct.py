"""The short way to an endpoint: for a saga's calls, for the placing of an order, and for the look for its prices.

FastAPI looks for a request's route in every router, and solves what an endpoint depends on by a general procedure; that
costs several times what these need: their path is fixed, and they depend on a few fields of head and query, a body and
stores. So what each endpoint needs is found out once, from FastAPI's own description of its route; a request that is as
it should be goes there directly, and its body is read and validated once, by the rules of that description. Everything
else goes FastAPI's way, from its beginning: only that one says what is wrong with a request.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.web.ambiguity import once
from common.web.idempotency import EPOCH_HEADER, HEADER

_JSON = frozenset({b"application/json", b"application/json; charset=utf-8"})
_KEY, _EPOCH = HEADER.lower().encode(), EPOCH_HEADER.lower().encode()
_MOST_DIGITS = 18
"""Of an epoch: any such number is within its bounds."""


@dataclass(frozen=True, slots=True)
class _Head:
    """What a saga's call says in its head, and means nothing in any other request."""

    key: str
    epoch: int | None


@dataclass(frozen=True, slots=True)
class _Needs:
    """What an endpoint or a dependency needs beside the body: where each of its parameters comes from."""

    call: Callable[..., Awaitable[Any]]
    name: str | None
    """The parameter that takes what `call` finds."""
    is_key: bool
    """It reads a saga's key: from two headers that were looked at already."""
    request: str | None
    query: Sequence[Any]
    headers: Sequence[Any]
    parts: Sequence["_Needs"]


@dataclass(frozen=True, slots=True)
class _Way:
    """A route that may be answered directly."""

    route: APIRoute
    needs: _Needs
    body: str | None
    is_saga: bool


class DirectWays:
    """The short ways of an app, by method and path."""

    def __init__(self, app: FastAPI, routers: Iterable[APIRouter]) -> None:
        """Of all routes of these routers that need no more than such requests have."""
        self._app = app
        routes = (route for router in routers for route in router.routes if isinstance(route, APIRoute))
        ways = [way for route in routes if (way := _way_to(route)) is not None]
        self._ways = {(method, way.route.path): way for way in ways for method in way.route.methods or ()}

    @property
    def paths(self) -> set[str]:
        """The paths of the requests that may take a short way."""
        return {path for _, path in self._ways}

    async def take(self, scope: Scope, receive: Receive, send: Send, *, otherwise: ASGIApp) -> None:
        """Answer the request, or let `otherwise` answer it."""
        way = self._ways.get((scope["method"], scope["path"]))
        head = _head_of(scope, way) if way is not None else None
        if way is None or head is None or scope.get("root_path") or self._app.dependency_overrides:
            await otherwise(scope, receive, send)
            return
        scope["app"], scope["route"], scope["path_params"] = self._app, way.route, {}
        request = Request(scope, receive, send)
        messages: list[Message] = []
        try:
            response = await _answer(way, head, request, receive, messages)
        except Exception as error:
            response = await self._explain(request, error)
        if response is None:
            await otherwise(scope, _again(messages, receive), send)
            return
        await response(scope, receive, send)

    async def _explain(self, request: Request, error: Exception) -> Response:
        """What the app's handler for this error answers; every app has one for all that are unexpected."""
        handlers: Any = self._app.exception_handlers
        handle = next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
        response: Response = await handle(request, error)
        return response


async def _answer(
    way: _Way, head: _Head, request: Request, receive: Receive, messages: list[Message]
) -> Response | None:
    """The endpoint's answer, or None if something is wrong with the request. What has come of it is in `messages`."""
    sent: Any = None
    if way.body is not None:
        while not messages or messages[-1].get("more_body", False):
            messages.append(await receive())
            if messages[-1]["type"] != "http.request":
                return None
        try:
            sent = once(b"".join(message.get("body", b"") for message in messages))
        except (ValueError, RecursionError):
            return None
    values = await _values(way.needs, head, request)
    if values is None:
        return None
    if way.body is not None:
        assert way.route.body_field is not None  # noqa: S101 - it has a body
        values[way.body], wrong = way.route.body_field.validate(sent, {}, loc=("body",))
        if wrong:
            return None
    response: Response = await way.needs.call(**values)
    return response


async def _values(needs: _Needs, head: _Head, request: Request) -> dict[str, Any] | None:
    """The values of these parameters, or None if a field of the query or of the head is wrong."""
    values: dict[str, Any] = {}
    for part in needs.parts:
        if part.is_key:
            found = await part.call(head.key, head.epoch)
        elif (given := await _values(part, head, request)) is not None:
            found = await part.call(**given)
        else:
            return None
        if part.name is not None:
            values[part.name] = found
    for fields, sent in ((needs.query, "query_params"), (needs.headers, "headers")):
        if fields:
            read, wrong = request_params_to_args(fields, getattr(request, sent))
            if wrong:
                return None
            values |= read
    if needs.request is not None:
        values[needs.request] = request
    return values


def _head_of(scope: Scope, way: _Way) -> _Head | None:
    """What the head says; None if it isn't quite as the callers of this route have it."""
    key = epoch = kind = None
    for name, value in scope["headers"]:
        if name == _KEY:
            if key is not None:
                return None
            key = value
        elif name == _EPOCH:
            if epoch is not None or not value.isdigit() or len(value) > _MOST_DIGITS:
                return None
            epoch = int(value)
        elif name == b"content-type":
            if kind is not None or value not in _JSON:
                return None
            kind = value
    if (way.is_saga and key is None) or (way.body is not None and kind is None):
        return None
    return _Head((key or b"").decode("latin-1"), epoch)


def _again(messages: list[Message], receive: Receive) -> Receive:
    """`receive` from the beginning."""
    rest = iter(messages)

    async def first_these() -> Message:
        message = next(rest, None)
        return await receive() if message is None else message

    return first_these


def _way_to(route: APIRoute) -> _Way | None:
    """The short way, if all that the route needs are stores, fields of head and query, and perhaps a body."""
    if get_type_hints(route.endpoint).get("return") is not Response or len(route.dependant.body_params) > 1:
        return None
    needs = _needs_of(route.dependant)
    if needs is None or not needs.parts:  # without a store there is little to save
        return None
    body = route.dependant.body_params[0].name if route.dependant.body_params else None
    return _Way(route, needs, body, is_saga=any(part.is_key for part in needs.parts))


def _needs_of(dependant: Dependant) -> _Needs | None:
    """What this needs; None if that is more than a short way has."""
    given = (dependant.response_param_name, dependant.background_tasks_param_name, dependant.http_connection_param_name)
    if dependant.path_params or dependant.cookie_params or any(given) or dependant.security_scopes_param_name:
        return None
    if dependant.call is None or not inspect.iscoroutinefunction(dependant.call):
        return None
    parts = [_needs_of(each) for each in dependant.dependencies]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return _Needs(
        call=dependant.call,
        name=dependant.name,
        is_key=[each.alias for each in dependant.header_params] == [HEADER, EPOCH_HEADER],
        request=dependant.request_param_name,
        query=dependant.query_params,
        headers=dependant.header_params,
        parts=known,
    )
