"""Requests made from an OpenAPI document: right ones, with some of their parts replaced by what nobody should send."""

import copy
import gzip
import json
import random
import zlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from common.wire import Json
from tests.support.outside import NASTY, nested

VALUES: list[Any] = [
    *NASTY,
    *(None, True, -1, 0, 1, 2.0, 2**31, 2**53, 2**63, -(2**63) - 1, 10**30, 10**4000, 1e308),
    *(
        float("nan"),
        float("inf"),
        "",
        " ",
        "x" * 300,
        "x" * 100_000,
        "\ud83d" * 300,
        [],
        {},
        [[]],
        {"a": {"$b": "\x00"}},
    ),
    *(
        {"\ud83d": 1},
        {"$set": 1},
        {"a.b": 1},
        {"a\x00": 1},
        {"": None},
        ["\udc00"],
        {"a": [2**64]},
        "o-1",
        "o-\n",
        "９",
    ),
]
BODIES = [
    *(b"", b"\xff\xfe", b"\xef\xbb\xbf{}", b"null", b"[]", b"1e400", b"NaN", b'{"order_id": Infinity}', b'"\\ud83d"'),
    *(b"9" * 5000, b'{"order_id": ' + b"9" * 5000 + b"}", b'{"order_id": "o-1", "order_id": "o-2"}', b"{" * 100),
    *(nested(depth).encode() for depth in (90, 900, 10_000, 100_000)),
    *(b'{"a":' * depth + b"1" + b"}" * depth for depth in (90, 900, 10_000)),
    *(gzip.compress(b'{"order_id": "o-1"}'), zlib.compress(b"{}"), '{"order_id": "o-1"}'.encode("utf-16")),
    *(b"order_id=o-1", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'),
    *(b'{"order_id": "' + b"x" * 300_000 + b'"}', b'{"order_id": "\xed\xa0\xbd"}', b"\x00", b'{"\xff": 1}'),
]
TEXTS = [
    *("-1", str(10**30), "1e9", "NaN", "2.0", "١٢", "0x10", "", " 1", "9" * 5000, "true", "null", "x" * 4000),
    *(part.encode("utf-8", "surrogatepass").decode("latin-1") for part in NASTY),
]
HEADERS = [
    *("X-Correlation-ID", "Saga-Epoch", "If-None-Match", "If-Match", "Accept", "Host", "Content-Encoding", "Range"),
    *("Transfer-Encoding", "X-Forwarded-Proto", "X-Forwarded-For", "Authorization", "Expect", "Idempotency-Key"),
    *("Content-Length", "Cookie", "Origin", "Accept-Encoding", "X-HTTP-Method-Override", "Content-Type", "Upgrade"),
]
CONTENT_TYPES = [
    *("application/json; charset=utf-16", "text/plain", "application/xml", "multipart/form-data", "", "a" * 5000, "/"),
    *("application/json; charset=\xff", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"),
    *("application/problem+json", "APPLICATION/JSON", "application/json;;=", "application/json\x0b"),
]
METHODS = ["HEAD", "OPTIONS", "TRACE", "PATCH", "M00001", "GET", "POST", "PUT", "DELETE", "get"]
PATHS = ["/", "//", "/../..", "*", "/docs/x", "/%ff", "/%00", "/" + "a" * 5000, "/api/%2e%2e", "/openapi.json/"]
SUFFIXES = ["/", "//", "/%00", "%2f", "/..", "%20", ";a=b", "%0a", "/%F0%9F%98"]
QUERIES = ["=", "&&", "%", "a=%ff", "limit=1&limit=x", "limit=" + "9" * 5000, "skip=%00", "status=%ED%A0%BD", "[]"]


class Requests(Iterator[dict[str, Any]]):
    """Endless: each is the arguments of `tests.support.asgi.ask`. The same seed gives the same ones."""

    def __init__(self, document: Json, dice: random.Random) -> None:
        self._schemas = document["components"]["schemas"]
        self._dice = dice
        self._operations = [
            (method.upper(), path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if path != "/ready"
        ]

    def __next__(self) -> dict[str, Any]:
        dice = self._dice
        method, path, operation = dice.choice(self._operations)
        order_id = f"o-{dice.randrange(5)}"
        oddities = dice.choice((0, 1, 1, 1, 2, 3))
        at = [dice.choice(("body", "body", "body", "parameter", "raw", "header", "target")) for _ in range(oddities)]
        headers = [("Host", "shop.example.com")]
        path, query = self._parameters(operation, path, order_id, headers, odd="parameter" in at)
        body = self._body(operation, order_id, oddities=at.count("body"))
        if body:
            headers.append(("Content-Type", "application/json"))
        if "raw" in at:
            body = dice.choice(BODIES)
        if "header" in at:
            self._headers(headers)
        if "target" in at:
            method, path, query = self._target(method, path, query)
        if body:
            known = dice.random() < 0.5
            headers.append(("Content-Length", str(len(body))) if known else ("Transfer-Encoding", "chunked"))
        cut = dice.randrange(len(body) + 1)
        return {
            "method": method,
            "path": path,
            "query": query.encode("latin-1"),
            "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers],
            "chunks": [body[:cut], body[cut:]],
        }

    def _parameters(
        self, operation: Json, path: str, order_id: str, headers: list[tuple[str, str]], *, odd: bool
    ) -> tuple[str, str]:
        dice, query = self._dice, []
        for parameter in operation.get("parameters", ()):
            name, schema = parameter["name"], parameter["schema"]
            examples = parameter.get("examples") or schema.get("examples") or schema.get("enum") or [order_id]
            right = str(examples[0]).replace("o-1001", order_id)
            value = dice.choice(TEXTS) if odd and dice.random() < 0.6 else right
            if parameter["in"] == "header":
                if parameter.get("required") or value is not right:
                    headers.append((name, value))
            elif parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", quote(value.encode("latin-1", "replace"), safe=""))
            elif value is not right or dice.random() < 0.3:
                query.append(f"{name}={quote(value.encode('latin-1', 'replace'), safe='')}")
        return path, "&".join(query)

    def _body(self, operation: Json, order_id: str, *, oddities: int) -> bytes:
        if "requestBody" not in operation:
            return b""
        value = self._example(operation["requestBody"]["content"]["application/json"]["schema"])
        value = json.loads(json.dumps(value).replace("o-1001", order_id))
        for _ in range(oddities):
            value = self._changed(value)
        return json.dumps(value, ensure_ascii=self._dice.random() < 0.8).encode("utf-8", "surrogatepass")

    def _example(self, schema: Json) -> Any:
        """The example that the document has for a body."""
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"].rsplit("/", 1)[1]]
        found = [*schema.get("examples", ()), *([schema["example"]] if "example" in schema else ())]
        if found:
            return copy.deepcopy(self._dice.choice(found))
        if schema.get("type") == "object":
            return {name: self._example(each) for name, each in schema.get("properties", {}).items()}
        return "2026-11-22T20:00:00Z" if schema.get("format") == "date-time" else "x"

    def _changed(self, value: Any) -> Any:
        """The same with one part replaced, added or left out."""
        dice = self._dice
        new = copy.deepcopy(dice.choice(VALUES))
        *way, last = dice.choice(places(value)[1:] or [(None,)])
        if last is None or dice.random() < 0.02:
            return new
        parent = value
        for key in way:
            parent = parent[key]
        match dice.choice(("replace", "replace", "add", "drop")):
            case "add" if isinstance(parent, dict):
                parent[str(dice.choice(NASTY))] = new
            case "drop":
                del parent[last]
            case _:
                parent[last] = new
        return value

    def _headers(self, headers: list[tuple[str, str]]) -> None:
        dice = self._dice
        if dice.random() < 0.3:
            headers.append(("Content-Type", dice.choice(CONTENT_TYPES)))
        name, value = dice.choice(HEADERS), dice.choice([*TEXTS, "[", "*", "//", "a" * 60_000])
        headers.insert(dice.choice((0, len(headers))), (name, value.replace("\n", "").replace("\r", "")))

    def _target(self, method: str, path: str, query: str) -> tuple[str, str, str]:
        dice = self._dice
        match dice.randrange(4):
            case 0:
                return dice.choice(METHODS), path, query
            case 1:
                return method, dice.choice(PATHS), query
            case 2:
                return method, path + dice.choice(SUFFIXES), query
        return method, path, f"{query}&{dice.choice(QUERIES)}"


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside this one."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, each in inner for place in places(each, (*at, key)))]
