"""What a real run shows of itself: exactly what docs/metrics.md says, to strict readers, and nothing of one order."""

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from common.services import SERVICES
from dev.release.observing.declared import OPERATOR, PREFIX, declared, exposed_by
from tests.e2e.system import Stack
from tests.support import asking

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
PROCESSES = (OPERATOR, *SERVICES)


def url_of(stack: Stack, process: str) -> str:
    return f"http://127.0.0.1:{stack.wiring.health_port}" if process == OPERATOR else stack.wiring.url(process)


def shown(stack: Stack, process: str) -> dict[str, Metric]:
    """Our metrics as this process shows them, by name."""
    text = asking.get(f"{url_of(stack, process)}/metrics", headers=OPENMETRICS).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return {
        f"{name}_total" if family.type == "counter" else name: family
        for name, family in families.items()
        if name.startswith(PREFIX)
    }


@pytest.fixture(scope="module")
def ids(running_stack: Stack) -> set[str]:
    """Everything that names one of some orders which ended in every way: ids, customers, uids."""
    stack, found = running_stack, set[str]()
    stack.start()
    orders = {
        stack.new_id("metrics"): {"payment": {"method_ref": method}}
        for method in ("test-ok", "test-declined", "test-processing")
    }
    for order, changes in orders.items():
        stack.shop.place(order, **changes)
    stack.until_finished(*orders)
    for order in orders:
        resource = stack.resource(order)
        found |= {order, resource["metadata"]["uid"], resource["spec"]["customerID"]}
    return found


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_shows_what_the_page_says_and_nothing_else(stack: Stack, ids: set[str], process: str) -> None:
    families = shown(stack, process)
    expected = exposed_by(process)
    assert families.keys() == expected.keys()
    for name, family in families.items():
        metric = expected[name]
        assert (family.type, family.documentation) == (metric.type, metric.help)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), name


@pytest.mark.parametrize("process", PROCESSES)
def test_no_series_is_about_one_order(stack: Stack, ids: set[str], process: str) -> None:
    samples = [sample for family in shown(stack, process).values() for sample in family.samples]
    values = {value for sample in samples for value in sample.labels.values()}
    assert values
    assert not {value for value in values if any(each in value for each in ids)}


def test_what_the_orders_did_can_be_read(stack: Stack, ids: set[str]) -> None:
    families = shown(stack, OPERATOR)

    def total(name: str, **labels: str) -> float:
        samples = families[name].samples
        wanted = labels.items()
        return sum(s.value for s in samples if wanted <= s.labels.items() and not s.name.endswith(("_sum", "_bucket")))

    assert total("ordersaga_sagas_finished_total", phase="Completed", reason="Completed") >= 2
    assert total("ordersaga_sagas_finished_total", phase="Compensated", reason="CardDeclined") >= 1
    assert total("ordersaga_step_duration_seconds", step="payment", operation="do") >= 3
    assert total("ordersaga_step_duration_seconds", step="inventory", operation="undo") >= 1
    assert total("ordersaga_api_request_duration_seconds", verb="PUT", status="200") >= 2
    assert total("ordersaga_event_loop_lag_seconds") > 0
    assert total("ordersaga_leader") == 1
    assert total("ordersaga_lease_transitions") >= 1
    assert total("ordersaga_lease_renewals_total", outcome="renewed") >= 1
    assert 0 < total("ordersaga_lease_renewal_age_seconds") < total("ordersaga_lease_held_seconds")
    assert total("ordersaga_build_info") == 1
    charged = shown(stack, "payment")["ordersaga_provider_call_duration_seconds"].samples
    assert any(
        s.name.endswith("_count") and s.value >= 2
        for s in charged
        if (s.labels["call"], s.labels["outcome"]) == ("charge", "answered")
    )


def test_every_metric_is_shown_by_somebody() -> None:
    assert {each.name for process in PROCESSES for each in exposed_by(process, tls=True).values()} == set(declared())
