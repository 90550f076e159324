"""A proxy in front of the API server, for one operator: it passes everything on, but for the faults that a test adds.

Plain HTTP on the operator's side, TLS towards the API server; the operator's own token goes through. A fake network
with a real API server behind it.
"""

import asyncio
import json
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from dev.chaos.network.http import Answer, LoopThread, broken_off, listen, passed_on
from saga_operator.resource.body import LIVE

GONE = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "reason": "Expired",
    "code": 410,
    "message": "too old resource version",
}


@dataclass
class Request:
    """One request of the operator."""

    method: str
    path: str
    watch: bool
    at: float
    selector: str = ""
    """The field selector of a list or a watch."""
    answered: int = 0
    """The status that went back; 0 while there is none, and for an answer that is lost."""

    @property
    def is_of_the_lease(self) -> bool:
        """Whether it is about the Lease, which is renewed whatever happens."""
        return "/leases" in self.path

    @property
    def is_of_a_participant(self) -> bool:
        """Whether it is about a Participant, whose first status comes when the operator gets to it."""
        return "/participants" in self.path


@dataclass
class ApiFault:
    """What happens to the next `times` requests for which `concerns` is true."""

    concerns: Callable[[Request], bool]
    status: int = 0
    """Answered in the API server's place; 0: see `lose`, `gone`."""
    headers: dict[str, str] = field(default_factory=dict)
    lose: bool = False
    """The API server gets the request, and the operator no answer."""
    gone: bool = False
    """A watch begins, and its first event is an ERROR."""
    code: int = 410
    """Of that ERROR: the version is forgotten (410), or anything else, which kopf alone doesn't survive."""
    delay: float = 0.0
    """Seconds before the request is passed on: the API server has much to do."""
    times: int = 1


class ApiProxy:
    """Runs in a thread of its own."""

    def __init__(self, upstream: str, authority: str) -> None:
        """`authority`: the certificate of the API server's CA, PEM."""
        self.requests: list[Request] = []
        self.faults: list[ApiFault] = []
        self.url = ""
        self._upstream = upstream
        self._tls = ssl.create_default_context(cadata=authority)
        self._watches: set[tuple[asyncio.Event, asyncio.Task[Any]]] = set()
        self._thread = LoopThread("API proxy")
        self._thread.call(self._start())

    def watches(self) -> list[Request]:
        """The requests for a watch of live sagas, refused ones too."""
        return [request for request in self.requests if request.watch and request.selector == LIVE]

    def silence(self) -> None:
        """The present watches stay open and carry nothing any more; new ones work."""
        self._each_watch(lambda flowing, _: flowing.clear())

    def end_watches(self) -> None:
        """The present watches end in good order."""
        self._each_watch(lambda _, task: task.cancel())

    def stop(self) -> None:
        self.end_watches()
        self._thread.call(self._close())
        self._thread.close()

    def _each_watch(self, act: Callable[[asyncio.Event, "asyncio.Task[Any]"], object]) -> None:
        async def all_of_them() -> None:
            for flowing, task in list(self._watches):
                act(flowing, task)

        self._thread.call(all_of_them())

    async def _start(self) -> None:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        self._session = aiohttp.ClientSession(self._upstream, connector=connector, auto_decompress=False)
        self._runner = await listen(self._answer)
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._session.close()
        await asyncio.sleep(0.25)  # TLS connections end a little after they are closed

    def _fault_for(self, request: Request) -> ApiFault | None:
        found = next((each for each in self.faults if each.times > 0 and each.concerns(request)), None)
        if found is not None:
            found.times -= 1
        return found

    async def _answer(self, incoming: web.Request) -> web.StreamResponse:
        request = Request(incoming.method, incoming.path, "watch" in incoming.query, self._thread.loop.time())
        request.selector = incoming.query.get("fieldSelector", "")
        self.requests.append(request)
        fault = self._fault_for(request)
        if fault is not None and fault.status:
            request.answered = fault.status
            status = {**GONE, "code": fault.status, "reason": "" if fault.status != 410 else "Expired"}
            return web.json_response(status, status=fault.status, headers=fault.headers)
        if fault is not None and fault.gone:
            request.answered = 200
            error = {**GONE, "code": fault.code}
            return await self._stream(incoming, [json.dumps({"type": "ERROR", "object": error}).encode() + b"\n"])
        body = await incoming.read()
        if fault is not None:
            await asyncio.sleep(fault.delay)
        async with self._session.request(
            incoming.method,
            incoming.rel_url,
            data=body or None,
            headers=passed_on(incoming.headers),
            timeout=aiohttp.ClientTimeout(total=None),
        ) as upstream:
            if request.watch and upstream.status == 200:
                request.answered = 200
                return await self._relay_watch(incoming, upstream)
            content = await upstream.read()
            if fault is not None and fault.lose:
                return broken_off(incoming)
            request.answered = upstream.status
            return Answer(passed_on(upstream.headers), content, upstream.status, upstream.reason or "").response()

    async def _stream(self, incoming: web.Request, lines: Iterable[bytes]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(incoming)
        for line in lines:
            await response.write(line)
        return response

    async def _relay_watch(self, incoming: web.Request, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(headers=passed_on(upstream.headers))
        await response.prepare(incoming)
        flowing = asyncio.Event()
        flowing.set()

        async def pump() -> None:
            async for chunk in upstream.content.iter_any():
                await flowing.wait()
                await response.write(chunk)

        task = asyncio.create_task(pump())
        self._watches.add((flowing, task))
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
            self._watches.discard((flowing, task))
        return response
