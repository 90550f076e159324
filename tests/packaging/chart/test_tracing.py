"""Where spans go, as the chart says it: the operator and every service alike, and one way out for each."""

import pytest

from common.services import SERVICES
from common.tracing.export import is_configured
from common.tracing.sampling import RATIO, Sampling
from dev.release import render
from tests.packaging.chart.charts import environment, rendered, run_helm

ENDPOINT = "http://otel-collector.observability:4318"
ON = ("--set", f"tracing.endpoint={ENDPOINT}")
PARTS = ("ordersaga-operator", *(f"{name}-service" for name in SERVICES))


def environment_of(part: str, *arguments: str) -> dict[str, str]:
    (container,) = rendered(*arguments)("Deployment", part)["spec"]["template"]["spec"]["containers"]
    return environment(container)


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_traced_unless_there_is_an_endpoint(part: str) -> None:
    assert not is_configured(environment_of(part))
    assert not any(name.startswith("OTEL") for name in environment_of(part, "--set", "tracing.headersSecret=keys"))


@pytest.mark.parametrize("part", PARTS)
def test_each_part_sends_to_it_and_samples_alike(part: str) -> None:
    there = environment_of(part, *ON)
    assert is_configured(there)
    assert there["OTEL_EXPORTER_OTLP_ENDPOINT"] == ENDPOINT
    assert Sampling.from_environment(there) == Sampling(RATIO)
    all_of_them = environment_of(part, *ON, "--set", "tracing.sampleRatio=1", "--set", "tracing.headersSecret=keys")
    assert Sampling.from_environment(all_of_them).ratio == 1.0
    assert all_of_them["OTEL_EXPORTER_OTLP_HEADERS"] == {"secretKeyRef": {"name": "keys", "key": "headers"}}


@pytest.mark.parametrize("part", PARTS)
def test_each_part_has_a_way_out_to_the_collector(part: str) -> None:
    def ports(*arguments: str) -> list[object]:
        rules = rendered(*arguments)("NetworkPolicy", part)["spec"]["egress"]
        return [port["port"] for rule in rules for port in rule.get("ports", ())]

    assert 4318 not in ports()
    assert 4318 in ports(*ON)
    assert 443 in ports(*ON, "--set", "networkPolicy.tracing.ports={443}")


@pytest.mark.parametrize("wrong", ["endpoint=collector:4318", "sampleRatio=5", "samplerate=0.1"])
def test_a_value_that_would_trace_nothing_is_refused(wrong: str) -> None:
    refused = run_helm("template", render.CHART, "--set", f"tracing.{wrong}")
    assert refused.returncode != 0
    assert "tracing" in refused.stderr
