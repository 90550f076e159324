"""Answers, and exception handlers: every error becomes a problem+json, also the framework's and the database's."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException
from starlette.types import Scope

from common.account_numbers import is_account_number
from common.barrier import Answer
from common.errors import PROBLEM_JSON, Invalid, Problem, Unavailable
from common.text import printable
from common.web.idempotency import HEADER, declared_example
from common.web.request_state import RequestState
from common.wire import OrderId

log = logging.getLogger("ordersaga.problems")

_ORDER_ID: TypeAdapter[str] = TypeAdapter(OrderId)

_FRAMEWORK_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "too_large",
    415: "unsupported_media_type",
}
_FRAMEWORK_DETAILS = {
    404: "there is nothing at {path}; GET /docs lists every route",
    405: "{path} doesn't support {method}; GET /docs lists what it supports",
    408: "the body didn't arrive in time: send the same request again",
    413: "the body is larger than this service accepts; an order has at most 100 lines",
}


def answered(found: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The HTTP response of a success. A route that returns `found` itself has it validated and copied once more."""
    return Response(found.model_dump_json(), status, headers, "application/json")


def respond(request: Request, answer: Answer) -> Response:
    """The HTTP response of an answer; its problem code goes to the access log and the metrics."""
    problem = answer.status >= 400
    if problem:
        RequestState.of(request.scope).problem_code = answer.body.get("code", "")
    return JSONResponse(
        dict(answer.body),
        status_code=answer.status,
        headers=dict(answer.headers),
        media_type=PROBLEM_JSON if problem else None,
    )


def _respond(request: Request, problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    return respond(request, Answer(problem.status, problem.body(), {**(headers or {}), **problem.headers()}))


def refusal(scope: Scope, problem: Problem) -> Response:
    """The HTTP response of a request that comes to no route."""
    return _respond(Request(scope), problem)


def install_problem_handlers(app: FastAPI) -> None:
    """Register the handlers of this module."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(PyMongoError, _on_database)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for this class
    return _respond(request, error)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    errors = error.errors()
    order_id = _order_id(error.body)
    for one in errors:
        if one["loc"] == ("header", HEADER) and one["type"] == "missing":
            return _respond(request, _missing_key(request, order_id))
    if not isinstance(error.body, dict) and error.body and "json" not in request.headers.get("content-type", ""):
        return _respond(request, Invalid("send the body as JSON, with the header Content-Type: application/json"))
    shown = "; ".join(f"{_place(one['loc'])}: {printable(one['msg'], 300)}" for one in errors[:5])
    more = f" (and {len(errors) - 5} more)" if len(errors) > 5 else ""
    return _respond(request, Invalid(f"correct the request: {shown}{more}", order_id=order_id))


def _missing_key(request: Request, order_id: str | None) -> Problem:
    """The 400 whose detail shows a key that works for this route."""
    route = request.scope.get("route")
    example = declared_example(route, order_id) if isinstance(route, APIRoute) else None
    example = example or "a value of your own, the same for every repetition of this request"
    return Problem(
        f"{request.method} {request.scope['path']} needs an {HEADER} header, for example: {example}",
        status=400,
        code="idempotency_key_required",
        order_id=order_id,
    )


def _order_id(body: Any) -> str | None:
    """The order that a refused body names, if it is an id: nothing else is repeated."""
    try:
        return _ORDER_ID.validate_python(body.get("order_id")) if isinstance(body, dict) else None
    except ValidationError:
        return None


def _place(location: tuple[Any, ...]) -> str:
    """body.items[2].quantity, and no more of a name that the sender has made up than a person can read."""
    place = ""
    for part in location:
        name = "…" if isinstance(part, str) and is_account_number(part) else part
        place += f"[{name}]" if isinstance(part, int) else f".{name}" if place else str(name)
    return printable(place, 120)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    status = error.status_code
    if status == 400:  # FastAPI's status for a body that can't be decoded; every other wrong body is 422
        return _respond(request, Invalid("correct the request: the body isn't JSON in UTF-8"))
    # not request.url: that raises ValueError for a Host such as "["
    path = printable(request.scope["path"], 200)
    known = _FRAMEWORK_DETAILS.get(status)
    detail = str(error.detail) if known is None else known.format(path=path, method=printable(request.method, 20))
    problem = Problem(detail, status=status, code=_FRAMEWORK_CODES.get(status, "invalid"), retryable=status == 408)
    headers = dict(error.headers or {})
    if status == 405:
        headers["Allow"] = ", ".join(sorted(request.app.methods_at(request.scope["path"])))
    return _respond(request, problem, headers)


async def _on_database(request: Request, error: Exception) -> Response:
    log.warning("the database failed: %s", type(error).__name__, extra={"error": str(error)[:300]})
    return _respond(
        request, Unavailable("the database doesn't answer, so the outcome is unknown: ask again with the same key")
    )


async def _on_unexpected(request: Request, error: Exception) -> Response:
    """The caller never sees the traceback; the log has it once (the server's own handler would log it again)."""
    log.error("unexpected: %s", type(error).__name__, exc_info=error)
    detail = "this service has failed: ask again with the same key; its log has the cause under the correlation id"
    return _respond(request, Problem(detail, retryable=True))
