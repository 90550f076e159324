"""The short way of a saga's calls to their endpoint.

FastAPI looks for a request's route in every router, and solves what an endpoint depends on by a general procedure; that
costs several times what a saga's call needs: its path is fixed, and it depends on two headers, a body and stores. So
what each endpoint needs is found out once, from FastAPI's own description of its route; a call that is as it should be
goes there directly, and its body is read and validated once. Everything else goes FastAPI's way, from its beginning:
only that one says what is wrong with a request.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.dependencies.models import Dependant
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
    """What a saga's call says in its head."""

    key: str
    epoch: int | None


@dataclass(frozen=True, slots=True)
class _Way:
    """What an endpoint needs: the names of its parameters, and where each comes from."""

    route: APIRoute
    request: str | None
    body: str
    key: str
    read_key: Callable[..., Awaitable[Any]]
    stores: Sequence[tuple[str, Callable[..., Awaitable[Any]]]]


class DirectWays:
    """The short ways of an app, by path."""

    def __init__(self, app: FastAPI, routers: Iterable[APIRouter]) -> None:
        """Of all routes of these routers that need no more than a saga's call has."""
        self._app = app
        routes = (route for router in routers for route in router.routes if isinstance(route, APIRoute))
        self._ways = {route.path: way for route in routes if (way := _way_to(route)) is not None}

    @property
    def paths(self) -> set[str]:
        """The paths of the calls that may take a short way."""
        return set(self._ways)

    async def take(self, scope: Scope, receive: Receive, send: Send, *, otherwise: ASGIApp) -> None:
        """Answer the request, or let `otherwise` answer it."""
        way = self._ways.get(scope["path"]) if scope["method"] == "POST" else None
        head = _head_of(scope) if way is not None else None
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
    """The endpoint's answer, or None if something is wrong with the body. What has been received is in `messages`."""
    while not messages or messages[-1].get("more_body", False):
        messages.append(await receive())
        if messages[-1]["type"] != "http.request":
            return None
    try:
        sent = once(b"".join(message.get("body", b"") for message in messages))
    except (ValueError, RecursionError):
        return None
    values = {way.key: await way.read_key(head.key, head.epoch)}
    for name, find in way.stores:
        values[name] = await find(request)
    assert way.route.body_field is not None  # noqa: S101 - it has a short way
    values[way.body], wrong = way.route.body_field.validate(sent, {}, loc=("body",))
    if wrong:
        return None
    if way.request is not None:
        values[way.request] = request
    response: Response = await way.route.endpoint(**values)
    return response


def _head_of(scope: Scope) -> _Head | None:
    """What the head says; None if it isn't quite as a saga's calls have it."""
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
    return None if key is None or kind is None else _Head(key.decode("latin-1"), epoch)


def _again(messages: list[Message], receive: Receive) -> Receive:
    """`receive` from the beginning."""
    rest = iter(messages)

    async def first_these() -> Message:
        message = next(rest, None)
        return await receive() if message is None else message

    return first_these


def _way_to(route: APIRoute) -> _Way | None:
    """The short way, if the route is a saga's: all it needs are one body, the key, stores, and perhaps the request."""
    dependant = route.dependant
    if route.methods != {"POST"} or get_type_hints(route.endpoint).get("return") is not Response:
        return None
    others = (dependant.path_params, dependant.query_params, dependant.header_params, dependant.cookie_params)
    if any(others) or len(dependant.body_params) != 1 or dependant.response_param_name is not None:
        return None
    keys = [each for each in dependant.dependencies if _is_key(each)]
    stores = [each for each in dependant.dependencies if _is_store(each)]
    if len(keys) != 1 or len(keys) + len(stores) != len(dependant.dependencies):
        return None
    named = [(each.name, each.call) for each in (*keys, *stores) if each.name is not None and each.call is not None]
    (key, read_key), *found = named
    body = dependant.body_params[0].name
    return _Way(route, dependant.request_param_name, body, key, read_key, found)


def _is_key(dependant: Dependant) -> bool:
    return [each.alias for each in dependant.header_params] == [HEADER, EPOCH_HEADER]


def _is_store(dependant: Dependant) -> bool:
    others = (dependant.path_params, dependant.query_params, dependant.header_params, dependant.body_params)
    return dependant.request_param_name == "request" and not any(others) and not dependant.dependencies
