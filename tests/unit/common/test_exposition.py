"""What a reader of metrics is given: OpenMetrics with exemplars if it takes that, Prometheus's own text if not."""

import re

import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from common.exposition import exemplar, exposed
from common.web.metrics import ServiceMetrics

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;"
    "q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
"""As Prometheus 3 asks."""
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    Histogram("took_seconds", "How long it took.", registry=registry).observe(0.3, exemplar(TRACE))
    return registry


def test_prometheus_is_given_openmetrics_with_the_trace_of_an_observation(registry: CollectorRegistry) -> None:
    text, kind = exposed(registry, PROMETHEUS)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    (family,) = text_string_to_metric_families(text.decode())  # a strict parser
    (found,) = [sample.exemplar for sample in family.samples if sample.exemplar is not None]
    assert found.labels == {"trace_id": TRACE}
    assert found.value == 0.3


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "text/html,*/*;q=0.8", "text/plain", "application/openmetrics-text;q=0", ",;,=;\x00", "a" * 999],
)
def test_everybody_else_is_given_text_which_has_no_exemplars(registry: CollectorRegistry, accept: str) -> None:
    text, kind = exposed(registry, accept)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    assert b"took_seconds_count 1.0" in text
    assert TRACE.encode() not in text


@pytest.mark.parametrize("trace_id", ["", TRACE])
def test_a_request_has_an_exemplar_if_its_trace_is_kept(trace_id: str) -> None:
    metrics = ServiceMetrics("thing")
    metrics.observe("GET", "/api/things", 200, "", 0.01, trace_id=trace_id)
    text = metrics.render(PROMETHEUS)[0].decode()
    marked = re.findall(r'^(ordersaga_http_\w+)\{.* # \{trace_id="(\w+)"\}', text, re.MULTILINE)
    names = ("ordersaga_http_requests_total", "ordersaga_http_request_duration_seconds_bucket")
    assert marked == ([(name, trace_id) for name in names] if trace_id else [])


def test_no_series_says_when_its_counter_began(registry: CollectorRegistry) -> None:
    assert b"_created" not in exposed(registry, PROMETHEUS)[0] + exposed(registry, "")[0]
