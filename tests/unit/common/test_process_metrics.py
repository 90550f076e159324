"""What a process tells of itself: its event loop, its requests to the API server, the calls of its provider."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import pytest
from prometheus_client import CollectorRegistry
from uvicorn import Config

from common.errors import Refused, Unavailable
from common.process_metrics import ApiRequests, LoopLag, ProviderCalls, build_info
from common.web.metrics import raise_if_several

LAG = "ordersaga_event_loop_lag_seconds"
API = "ordersaga_api_request_duration_seconds"
PROVIDER = "ordersaga_provider_call_duration_seconds"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def series(registry: CollectorRegistry, name: str) -> dict[tuple[str, ...], float]:
    """The values of `name`, by the values of their labels in the order of their names."""
    samples = [sample for metric in registry.collect() for sample in metric.samples if sample.name == name]
    return {tuple(value for _, value in sorted(sample.labels.items())): sample.value for sample in samples}


async def test_an_event_loop_that_is_held_up_is_seen_and_one_that_is_not_is_not(registry: CollectorRegistry) -> None:
    async with LoopLag("thing", registry).watched():
        await asyncio.sleep(0.6)
        calm = series(registry, f"{LAG}_sum")["thing",]
        time.sleep(1.0)  # noqa: ASYNC251 - what no handler should do
        await asyncio.sleep(0.01)
    assert calm < 0.3
    assert series(registry, f"{LAG}_sum")["thing",] > 0.4
    looks = series(registry, f"{LAG}_count")
    await asyncio.sleep(0.7)
    assert series(registry, f"{LAG}_count") == looks, "nobody looks any more"


def test_requests_to_the_api_server_have_few_labels_whatever_answers(registry: CollectorRegistry) -> None:
    requests = ApiRequests("thing", registry)
    for verb, status in (("GET", 200), ("GET", 200), ("PATCH", 409), ("PUT", 0), ("PUT", 9999), ("BREW", 418)):
        requests.count(verb, status, 0.01)
    assert series(registry, f"{API}_count") == {
        ("thing", "200", "GET"): 2,
        ("thing", "409", "PATCH"): 1,
        ("thing", "none", "PUT"): 2,
        ("thing", "418", "_OTHER"): 1,
    }


class Bank:
    name = "bank"

    async def charge(self, order_id: str) -> str:
        """Takes money."""
        if order_id == "refused":
            raise Refused("card_declined", "no money")
        if order_id == "unavailable":
            raise Unavailable("closed")
        if order_id == "unknown":
            raise ConnectionError
        return f"charged {order_id}"


@pytest.mark.parametrize("outcome", ["answered", "refused", "unavailable", "unknown"])
async def test_a_call_of_a_provider_is_measured_and_answers_as_before(
    registry: CollectorRegistry, outcome: str
) -> None:
    bank = ProviderCalls("payment", registry).of(Bank())
    assert bank.name == "bank"
    try:
        assert await bank.charge(outcome) == "charged answered"
    except (Refused, Unavailable, ConnectionError):
        assert outcome != "answered"
    assert series(registry, f"{PROVIDER}_count") == {("charge", outcome, "payment"): 1}


async def test_a_call_that_is_cancelled_has_an_unknown_outcome(registry: CollectorRegistry) -> None:
    class Silent:
        async def charge(self) -> None:
            await asyncio.Event().wait()

    charging: Callable[[], Awaitable[None]] = ProviderCalls("payment", registry).of(Silent()).charge
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(charging(), 0.01)
    assert series(registry, f"{PROVIDER}_count") == {("charge", "unknown", "payment"): 1}


def test_the_release_is_told(registry: CollectorRegistry) -> None:
    build_info("thing", registry, definition="0123")
    assert series(registry, "ordersaga_build_info") == {("0123", "thing", version("ordersaga")): 1}


def test_several_workers_would_each_count_for_themselves_and_are_refused() -> None:
    raise_if_several(None)
    raise_if_several(Config("app", workers=1))
    with pytest.raises(RuntimeError, match=r"2 workers .*run it with one, and more replicas"):
        raise_if_several(Config("app", workers=2))
