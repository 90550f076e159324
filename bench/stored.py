"""Resources put straight into etcd, as the API server itself stored one of their kind: 100,000 in a minute or two."""

import asyncio
import base64
import json
import re
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial

import aiohttp

from common.order_saga import ARCHIVED, EXPIRES, FINALIZER, GROUP, PLURAL
from common.wire import Json

WRITERS = 16


class Etcd:
    """What the bench asks of etcd, through its HTTP gateway."""

    def __init__(self, url: str, namespace: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url, session
        self._prefix = f"/registry/{GROUP}/{PLURAL}/{namespace}/"

    async def stored(self, name: str) -> str:
        """One resource as it is stored (JSON)."""
        found = await self._post("/v3/kv/range", {"key": _encoded(self._prefix + name)})
        return base64.b64decode(found["kvs"][0]["value"]).decode()

    async def version(self) -> str:
        """The last version of anything in it."""
        found = await self._post("/v3/kv/range", {"key": _encoded(self._prefix)})
        return str(found["header"]["revision"])

    async def sizes(self) -> tuple[float, float]:
        """MiB of the database's file, and of what is used of it."""
        found = await self._post("/v3/maintenance/status", {})
        return int(found["dbSize"]) / 2**20, int(found["dbSizeInUse"]) / 2**20

    async def put(self, template: str, names: Iterable[str], *, finalizer: bool, created: float | None = None) -> None:
        """Store one like the template under each name, with a uid and a version of its own."""
        before = json.loads(template)
        source = iter(names)
        old = before["metadata"]

        if not finalizer:
            old.pop("finalizers", None)
        elif FINALIZER not in old.setdefault("finalizers", []):
            old["finalizers"].append(FINALIZER)
            for note in (ARCHIVED, EXPIRES):  # they come when the finalizer goes
                (old.get("annotations") or {}).pop(note, None)
        if created is not None:
            old["creationTimestamp"] = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = json.dumps(before, separators=(",", ":"))
        pattern = re.compile(f"{re.escape(old['name'])}|{old['uid']}")

        async def write() -> None:
            for name in source:
                own = {old["name"]: name, old["uid"]: str(uuid.uuid4())}
                body = pattern.sub(partial(_own, own), text)
                await self._post("/v3/kv/put", {"key": _encoded(self._prefix + name), "value": _encoded(body)})

        await asyncio.gather(*(write() for _ in range(WRITERS)))

    async def remove(self, beginning: str) -> None:
        """Remove all whose names begin so."""
        first = self._prefix + beginning
        await self._post(
            "/v3/kv/deleterange", {"key": _encoded(first), "range_end": _encoded(first[:-1] + chr(ord(first[-1]) + 1))}
        )

    async def _post(self, path: str, body: Json) -> Json:
        async with self._session.post(self._url + path, json=body) as answer:
            answer.raise_for_status()
            found: Json = await answer.json()
            return found


class ApiCounters:
    """The API server's own counters of what is asked of it about the resources."""

    def __init__(self, url: str, session: aiohttp.ClientSession, token: str) -> None:
        self._url, self._session, self._token = url, session, token

    async def read(self) -> dict[str, float]:
        """Lists, gets and writes, the bytes of lists, and the reads of all resources from etcd."""
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._session.get(f"{self._url}/metrics", headers=headers, ssl=False) as answer:
            text = await answer.text()
        sums: dict[str, float] = {"at": time.monotonic()}
        for line in text.splitlines():
            key = _counter_of(line)
            if key:
                sums[key] = sums.get(key, 0.0) + float(line.rsplit(" ", 1)[1])
        return sums


def _own(own: dict[str, str], found: re.Match[str]) -> str:
    return own[found[0]]


def _counter_of(line: str) -> str:
    name = line.partition("{")[0]
    if f'resource="{PLURAL}"' in line or f'resource="{PLURAL}.{GROUP}"' in line:
        verb = re.search(r'verb="([A-Z]+)"', line)
        if name == "apiserver_request_total" and verb:
            return f"requests {verb[1]}"
        if name == "apiserver_response_sizes_sum" and verb and verb[1] == "LIST":
            return "bytes LIST"
        if name in ("apiserver_cache_list_fetched_objects_total", "apiserver_storage_list_fetched_objects_total"):
            return "objects looked at in " + ("memory" if "cache" in name else "etcd")
    return ""


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
