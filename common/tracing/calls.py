"""A call of ours to another service as a span, and the header that makes the other's span its child (OpenTelemetry's
conventions for HTTP clients).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from common.tracing.context import HEADER
from common.tracing.current import Here, here, recording
from common.tracing.span import Value


class Calling:
    """One call: `headers` go with it, and what is noted of its answer is said of the span."""

    __slots__ = ("_noted", "headers")

    def __init__(self, noted: dict[str, Value], headers: Mapping[str, str]) -> None:
        self._noted = noted
        self.headers = headers

    def answered(self, status: int) -> None:
        """An answer has come. What is refused is an error here, as the conventions have it for those who call."""
        self._noted["http.response.status_code"] = status
        if status >= 400:
            self._noted["error.type"] = str(status)


@contextmanager
def calling(above: Here, method: str, url: str, path: str) -> Iterator[Calling]:
    """A call to `path` below `url` on behalf of the running code; what comes behind a "?" is left out."""
    if not above.context.sampled:
        yield Calling({}, {HEADER: above.context.header()})
        return
    parts, plain = urlsplit(url), path.partition("?")[0]
    place = parts.netloc.rpartition("@")[2]  # without a password
    noted: dict[str, Value] = {
        "http.request.method": method,
        "url.full": f"{parts.scheme}://{place}{parts.path}{plain}",
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
    }
    with recording(method, "client", noted) as attributes:
        inside = here() or above
        yield Calling(attributes, {HEADER: inside.context.header()})
