"""prometheus-client metrics of a service: rate, errors and duration for each route template.

Each app has a registry of its own, so that several apps can live in one process (tests).
"""

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from uvicorn import Config

from common.exposition import exemplar, exposed
from common.process_metrics import ApiRequests, DatabaseOperations, LoopLag, ProviderCalls, build_info, spans_dropped
from common.text import word

# A barrier's write takes 2 to 20 ms; a caller gives up after 5 s.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
"""Those of RFC 9110 and RFC 5789; the rest is `_OTHER`, as OpenTelemetry names it."""


def raise_if_several(config: Config | None) -> None:
    """Raises RuntimeError if this process is one of several workers of one server: each would count its own requests,
    and a scrape would show those of any one of them. The door's allowances are counted in one process as well.
    """
    if config is not None and config.workers > 1:
        raise RuntimeError(
            f"this server has {config.workers} workers (--workers, WEB_CONCURRENCY), and each would count its own "
            "requests only: run it with one, and more replicas instead"
        )


class ServiceMetrics:
    """The metrics of one app. A service adds its own to `registry`."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build_info(service, self.registry)
        self.loop_lag = LoopLag(service, self.registry)
        self.api_requests = ApiRequests(service, self.registry)
        self.database_operations = DatabaseOperations(service, self.registry)
        self.provider_calls = ProviderCalls(service, self.registry)
        self._requests = Counter(
            "ordersaga_http_requests_total",
            "Requests answered, by route template, status and problem code.",
            ["service", "method", "route", "status", "code"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "ordersaga_http_request_duration_seconds",
            "Time from the head of a request to the end of its answer.",
            ["service", "method", "route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.spans_dropped = spans_dropped(service, self.registry).inc
        """Count so many spans, from any thread."""
        self._service = service
        self._children: dict[tuple[str, str, int, str], tuple[Counter, Histogram]] = {}
        """Looked up once: as many as there are combinations of labels."""

    def observe(self, method: str, route: str, status: int, code: str, seconds: float, *, trace_id: str = "") -> None:
        """Count one request. `route` is the template, never the path: paths hold ids. `code` is "" for a success.
        `trace_id` (32 hexadecimal digits) is that of a request whose trace is kept.

        All methods that HTTP doesn't know count as one, `_OTHER`: each new label costs memory for as long as the
        process lives, and a client can make up a million of them.
        """
        method = method if method in METHODS else "_OTHER"
        code = word(code) if code else ""
        children = self._children.get((method, route, status, code))
        if children is None:
            children = self._children[method, route, status, code] = (
                self._requests.labels(self._service, method, route, str(status), code),
                self._seconds.labels(self._service, method, route),
            )
        requests, durations = children
        shown = exemplar(trace_id)
        requests.inc(exemplar=shown)
        durations.observe(seconds, shown)

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """What Prometheus reads, and its media type; `accept` is the header of that name."""
        return exposed(self.registry, accept)
