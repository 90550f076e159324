"""The page's server: what `kubectl saga` says, as JSON, and what changes, as server-sent events.

Who comes in and as whom they look is up to a door (`doors`, `proxied`): the app has no rights, and asks as they may.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import FileResponse, PlainTextResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ordersaga.saga.cluster import ClusterError
from ordersaga.saga.output import now
from ordersaga.saga.ui.acting import Asked
from ordersaga.saga.ui.doors import Door
from ordersaga.saga.ui.filters import Filter
from ordersaga.saga.ui.rows import View, wire
from ordersaga.saga.ui.viewer import Viewer

PAGE: Final = Path(__file__).parent / "page"
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
AGAIN: Final = 0.5
"""Seconds between two lists of one reader: more than two a second nobody reads."""
SOON: Final = 0.05
"""Seconds between two looks whether the first page of the list has come."""
FIRST_WAIT: Final = 3.0
"""Seconds for which it is waited for: an empty list would say that there is no saga."""
SHARE: Final = 4
"""How much longer a reader waits than its last list took: that of 100,000 sagas takes a fifth of a second of CPU.
"""
TICK: Final = 15.0
"""Seconds after which a list is sent though nothing has changed: its ages and sentences have."""
STOPPED_TICK: Final = 6.0
"""The same while no operator works: that one does again changes nothing else at first."""
MOST_BYTES: Final = 512 * 1024
"""Of an action: the names of a thousand orders, each as long as a name may be."""
MOST_STREAMS: Final = 300
"""Open pages at the same time: each costs a list every fifteen seconds."""
FULL: Final = "too many pages are open: close some, or try again in a minute"

FilterQuery = Annotated[Filter, Query()]


def app_of(door: Door, most_streams: int = MOST_STREAMS) -> FastAPI:
    """The app, under the door's prefix."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        door.start()
        try:
            yield
        finally:
            door.stop()

    app = FastAPI(title="kubectl saga ui", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(_routes(door, most_streams), prefix=f"{door.prefix}/api")

    def problem(status: int, detail: str) -> Response:
        return _problem(status, detail, door.sign_in if status == 401 else "")

    @app.middleware("http")
    async def guarded(request: Request, call_next: Callable[[Request], Any]) -> Response:
        if refused := door.refusal(request, request.method) or _unfit(request):
            return problem(*refused)
        answer: Response = await call_next(request)
        answer.headers.update(HEADERS)
        return answer

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail))

    @app.exception_handler(ClusterError)
    async def of_the_cluster(_: Request, error: ClusterError) -> Response:
        return problem(error.status if 400 <= error.status < 500 else 502, str(error))

    @app.get("/healthz")
    async def healthz() -> Response:
        return PlainTextResponse("ok")

    @app.get(f"{door.prefix}/{{path:path}}")
    async def files(path: str) -> Response:
        found = (PAGE / (path or "index.html")).resolve()
        if not found.is_file() or PAGE.resolve() not in found.parents:
            return problem(404, "there is no such file")
        return FileResponse(found)

    return app


def _unfit(request: Request) -> tuple[int, str] | None:
    """A body that isn't JSON (another page's form can be sent without asking), or of which nobody knows the end."""
    if request.method in {"GET", "HEAD"}:
        return None
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return 415, "send application/json"
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        return 411, "say how long it is"
    return (413, f"at most {MOST_BYTES} bytes") if int(length) > MOST_BYTES else None


def _routes(door: Door, most_streams: int) -> APIRouter:
    router = APIRouter()
    streams = 0

    def viewer(request: Request) -> Viewer:
        return door.viewer(request)

    async def seat() -> AsyncIterator[None]:
        nonlocal streams
        if streams >= most_streams:
            raise HTTPException(503, FULL)
        streams += 1
        try:
            yield
        finally:
            streams -= 1

    Whose = Annotated[Viewer, Depends(viewer)]  # noqa: N806 - a type

    @router.get("/context")
    def context(viewer: Whose) -> dict[str, Any]:
        return viewer.context() | {"sign_in": door.sign_in}

    @router.get("/sagas")
    def sagas(viewer: Whose, filter_: FilterQuery) -> dict[str, Any]:
        return viewer.list(filter_.view())

    @router.get("/sagas/{name}")
    def saga(viewer: Whose, name: str) -> dict[str, Any]:
        return viewer.saga(name)

    @router.get("/events", response_class=EventSourceResponse, dependencies=[Depends(seat)])
    async def events(
        viewer: Whose, view: Annotated[View, Depends(_view)], saga: str = ""
    ) -> AsyncIterator[ServerSentEvent]:
        async for event in _events(viewer, view, saga):
            yield event

    @router.post("/actions")
    def actions(viewer: Whose, asked: Asked) -> dict[str, Any]:
        return viewer.act(asked)

    return router


def _view(filter_: FilterQuery) -> View:
    return filter_.view()


async def _events(viewer: Viewer, view: View, name: str) -> AsyncIterator[ServerSentEvent]:
    """One reader's: always the newest, so that a slow one misses steps. It ends when they may see no more."""
    seen, sent_at, tick = -1, 0.0, TICK
    first = asyncio.get_running_loop().time() + FIRST_WAIT
    said: dict[str, Any] = {}
    shown: dict[str, Any] | None = {}
    while True:
        moment = asyncio.get_running_loop().time()
        if viewer.live.changed != seen or moment - sent_at > tick:
            trouble = await asyncio.to_thread(_trouble, viewer)
            if trouble is None and not viewer.live.is_begun and moment < first:
                await asyncio.sleep(SOON)
                continue
            seen, sent_at = viewer.live.changed, moment
            if trouble is not None and trouble.status in (401, 403):
                yield ServerSentEvent(event="over", data={"status": trouble.status, "why": str(trouble)})
                return
            live = viewer.liveness() if trouble is None else _unknown(said, str(trouble))
            if live != said:
                said = live
                yield ServerSentEvent(event="live", data=live)
            if trouble is None:
                told = await asyncio.to_thread(viewer.list, view)
                tick = STOPPED_TICK if told["operator"]["works"] is False else TICK
                yield ServerSentEvent(event="list", data=told)
            if trouble is None and name:
                found = await asyncio.to_thread(_saga_or_none, viewer, name)
                if _told(found) != _told(shown):
                    shown = found
                    yield ServerSentEvent(event="saga", raw_data=json.dumps(found))
        spent = asyncio.get_running_loop().time() - moment
        await asyncio.sleep(max(AGAIN, SHARE * spent))


def _trouble(viewer: Viewer) -> ClusterError | None:
    try:
        viewer.check()
    except ClusterError as error:
        return error
    return None


def _unknown(said: dict[str, Any], why: str) -> dict[str, Any]:
    """Nothing is sent to somebody of whom it isn't known whether they may see it."""
    return {"live": False, "since": said.get("since") or wire(now()), "why": why, "complete": False}


def _told(saga: dict[str, Any] | None) -> object:
    """What of it is worth another event: not the time alone."""
    return None if saga is None else (saga.get("item"), saga.get("sentence"), saga.get("trouble"))


def _saga_or_none(viewer: Viewer, name: str) -> dict[str, Any] | None:
    # an API server that hangs would keep whoever has just opened it waiting, for what the list knows already
    if (why := viewer.live.trouble) and (known := viewer.known(name, why)) is not None:
        return known
    try:
        return viewer.saga(name)
    except ClusterError as error:
        if error.status == 404:
            return None
        if error.status not in (401, 403) and (known := viewer.known(name, str(error))) is not None:
            return known
        return {"item": None, "sentence": None, "row": None, "now": wire(now()), "actions": [], "trouble": str(error)}


def _problem(status: int, detail: str, sign_in: str) -> Response:
    body = {"title": "Not done", "detail": detail, "status": status} | ({"sign_in": sign_in} if sign_in else {})
    headers = HEADERS | ({"WWW-Authenticate": "Bearer"} if status == 401 else {})
    return Response(json.dumps(body), status, headers, media_type="application/problem+json")
