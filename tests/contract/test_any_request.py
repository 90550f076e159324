"""No request makes a service fail: whatever it holds, the answer is a 2xx or a 4xx that says what is wrong.

Requests are made from the services' own OpenAPI documents: right ones, with any part of them replaced by anything.
`make fuzz` makes thousands of them.
"""

import copy
import gzip
import json
import os
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from common.web.app import Service
from common.wire import Json
from dev.stack.pytest_plugin import TestControlPlane
from services.inventory.main import build as inventory
from services.notification.main import build as notification
from services.order.main import build as order
from services.order.settings import OrderSettings
from services.payment.main import build as payment
from services.shipping.main import build as shipping
from tests.contract.test_placing_with_other_services import listening
from tests.support.asgi import Asked, ask
from tests.support.outside import NASTY, anything, nested, texts
from tests.support.service_client import own_databases, replicas_of

EXAMPLES = int(os.environ.get("ORDERSAGA_FUZZ_EXAMPLES", "150"))
BUILD = {"inventory": inventory, "payment": payment, "shipping": shipping, "notification": notification}
NAMES = [*BUILD, "order"]
ODD_BODIES = [
    b"",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"null",
    b"1e400",
    b"NaN",
    b'{"order_id": Infinity}',
    b'"\\ud83d"',
    b"9" * 5000,
    b'{"order_id": "o-1", "order_id": "o-2"}',
    nested(10_000).encode(),
    nested(900).encode(),
    b'{"a":' * 900 + b"1" + b"}" * 900,
    gzip.compress(b'{"order_id": "o-1"}'),
    zlib.compress(b"{}"),
    '{"order_id": "o-1"}'.encode("utf-16"),
    b"order_id=o-1",
    b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
    b'{"order_id": "' + b"x" * 300_000 + b'"}',
]
ODD_NUMBERS = ["-1", str(10**30), "1e9", "NaN", "2.0", "١٢", "0x10", "", " 1", "1" * 5000]
CONTENT_TYPES = [
    *(
        b"application/json",
        b"application/json; charset=utf-16",
        b"text/plain",
        b"application/xml",
        b"multipart/form-data",
    ),
    *(
        b"application/json; charset=\xff",
        b"",
        b"a" * 5000,
        b"multipart/form-data; boundary=x",
        b"application/x-www-form-urlencoded",
    ),
]
odd_values = st.one_of(st.sampled_from(NASTY), anything(long=True), st.sampled_from((2**63, -(10**30), 1e400, 2.0)))
octets = st.binary(max_size=40).map(lambda raw: bytes(o for o in raw if o >= 32 and o != 127))
odd_headers = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *(
                    b"X-Correlation-ID",
                    b"Saga-Epoch",
                    b"If-None-Match",
                    b"If-Match",
                    b"Accept",
                    b"Host",
                    b"Content-Encoding",
                ),
                *(
                    b"Transfer-Encoding",
                    b"Range",
                    b"X-Forwarded-Proto",
                    b"X-Forwarded-For",
                    b"Authorization",
                    b"Expect",
                ),
                *(
                    b"Idempotency-Key",
                    b"Content-Length",
                    b"Cookie",
                    b"Origin",
                    b"Accept-Encoding",
                    b"X-HTTP-Method-Override",
                ),
            ]
        ),
        st.one_of(
            octets, st.sampled_from([b"[", b"9" * 5000, b"\xff", b"*", b"-1", b"a" * 60_000, b"//", b"1e9", b"nan"])
        ),
    ),
    max_size=3,
)


@pytest.fixture(scope="module")
async def apps(mongodb_url: str, control_plane: TestControlPlane) -> AsyncIterator[dict[str, Service]]:
    """All five services on a real MongoDB; the order service with a real API server, and the others on sockets."""
    async with AsyncExitStack() as stack:
        settings = stack.enter_context(own_databases(mongodb_url, "fuzz"))
        apps = {}
        urls: dict[str, Any] = {}
        for name, build in BUILD.items():
            _, apps[name] = await stack.enter_async_context(replicas_of(build, settings))
            if name != "payment":
                urls[f"{name}_url"] = await stack.enter_async_context(listening(build(settings)))
        given = OrderSettings(**settings.model_dump(), kubeconfig=control_plane.identity("order-service"), **urls)
        _, apps["order"] = await stack.enter_async_context(replicas_of(order, given))
        yield apps


def operations(app: Service) -> list[tuple[str, str, Json]]:
    """Method, path template and description of every route in the service's own document."""
    document = app.openapi()
    return [
        (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path != "/ready"
    ]


def example(app: Service, operation: Json) -> Any:
    """The example of the body in the service's document; None if the route takes no body."""
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    if "$ref" in schema:
        schema = app.openapi()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    found = schema.get("examples") or [schema.get("example")]
    if found == [None]:
        return {name: f.get("examples", ["x"])[0] for name, f in schema.get("properties", {}).items()}
    return copy.deepcopy(found[0])


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside this one."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, each in inner for place in places(each, (*at, key)))]


def changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """The same with another value at that place."""
    if not place:
        return new
    parent = value
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = new
    return value


@st.composite
def request_to(draw: st.DrawFn, app: Service) -> dict[str, Any]:
    """A request that is right but for what was replaced in it."""
    method, path, operation = draw(st.sampled_from(operations(app)))
    order_id = draw(st.sampled_from(["o-1", "o-2", "o-3"]))
    query, headers = [], [(b"Host", b"shop.example.com")]
    for parameter in operation.get("parameters", ()):
        name, schema = parameter["name"], parameter["schema"]
        right = (parameter.get("examples") or schema.get("examples") or schema.get("enum") or [order_id])[0]
        if parameter["in"] == "header":
            key = str(right).replace("o-1001", order_id)
            headers.append((name.encode(), key.encode()))
        elif draw(st.booleans()):
            odd = draw(st.one_of(st.sampled_from([*ODD_NUMBERS, *NASTY]), texts()))
            octets = odd.encode("utf-8", "surrogatepass")[:4000]
            if parameter["in"] == "path":
                path = path.replace(f"{{{name}}}", quote(octets, safe=""))
            else:
                query.append(f"{quote(name)}={quote(octets, safe='')}")
        elif parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", quote(str(right).replace("o-1001", order_id), safe=""))
    body = b""
    value = example(app, operation)
    if value is not None:
        value = json.loads(json.dumps(value).replace("o-1001", order_id))
        for _ in range(draw(st.integers(0, 2))):
            what, new = draw(st.sampled_from(["replace", "add", "drop"])), draw(odd_values)
            if what == "add" and isinstance(value, dict):
                value[draw(texts(long=False))] = new
            elif what == "drop" and isinstance(value, dict) and value:
                value.pop(draw(st.sampled_from(sorted(value))))
            else:
                value = changed(value, draw(st.sampled_from(places(value))), new)
        body = json.dumps(value).encode()
        headers.append((b"Content-Type", b"application/json"))
    odd = draw(st.integers(0, 9))
    if odd == 0:
        body = draw(st.one_of(st.sampled_from(ODD_BODIES), st.binary(max_size=100)))
    if odd == 1:
        headers.append((b"Content-Type", draw(st.sampled_from(CONTENT_TYPES))))
    if odd == 2:
        path = draw(
            st.sampled_from(["/", "//", f"{path}/", "/../..", f"{path}/%00", f"{path}%2f", "/%ff", "*", "/docs/x"])
        )
    if odd == 3:
        method = draw(st.sampled_from(["HEAD", "OPTIONS", "TRACE", "PATCH", "M00001", "GET", "POST", "PUT", "DELETE"]))
    if odd in (4, 5):
        headers = [*draw(odd_headers), *headers] if odd == 4 else [*headers, *draw(odd_headers)]
    if odd == 6:
        query.append(
            draw(st.sampled_from(["=", "&&", "%", "a=%ff", "limit=1&limit=x", "limit=" + "9" * 5000, "skip=%00"]))
        )
    announced = (
        [(b"Content-Length", b"%d" % len(body))] if draw(st.booleans()) else [(b"Transfer-Encoding", b"chunked")]
    )
    return {
        "method": method,
        "path": path,
        "query": "&".join(query).encode(),
        "headers": [*headers, *(announced if body else [])],
        "chunks": [body[:10], body[10:]],
    }


def says_what_is_wrong(answer: Asked) -> None:
    """A problem for programs and people: no 5xx, bounded, printable."""
    assert answer.status < 500, answer.body
    if answer.status < 400 or answer.status == 405:
        return
    assert answer.headers[b"content-type"] == b"application/problem+json", answer
    problem = json.loads(answer.body)
    assert problem["status"] == answer.status
    assert problem["code"]
    assert problem["detail"].isprintable()
    assert len(answer.body) < 8_000


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_no_request_makes_a_service_fail(name: str, apps: dict[str, Service], data: st.DataObject) -> None:
    request = data.draw(request_to(apps[name]))
    note(f"{request['method']} {request['path'][:200]}?{request['query'][:200]!r}")
    says_what_is_wrong(await ask(apps[name], **request))
