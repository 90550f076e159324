"""Every service does what its OpenAPI document says, and nothing else, whatever can be made from that document.

Schemathesis makes requests that the document allows and such that it forbids, follows its links, leaves tokens away and
tries other methods. The suite makes the same ones each time; `make fuzz` makes others, and more of them.
"""

import os
from pathlib import Path

import pytest

from common.services import SERVICES
from tests.contract.described.judge import Described, judge
from tests.contract.tally import Tally, answers_of

pytestmark = pytest.mark.slow

SEED = os.environ.get("ORDERSAGA_FUZZ_SEED", "")
REQUESTS = int(os.environ.get("ORDERSAGA_FUZZ_REQUESTS", "0"))
EXAMPLES = int(os.environ.get("ORDERSAGA_FUZZ_EXAMPLES", "0")) or max(3, REQUESTS // 2500)
"""For each operation and phase. Each costs a hundred times what one of test_any_request.py does, so those are more."""
MODE = ("--seed", SEED, "--generation-database", "none") if SEED else ("--generation-deterministic",)


@pytest.mark.timeout(600 + REQUESTS / 10 + 30 * EXAMPLES)
@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_does_what_its_document_says(
    name: str, services: dict[str, Described], tally: Tally, tmp_path: Path
) -> None:
    service = services[name]
    before = answers_of(service.app)
    status, report = await judge(service, tmp_path, examples=EXAMPLES, mode=MODE)
    answers = answers_of(service.app) - before
    tally.add(name, answers)
    if REQUESTS:
        print(report)
    assert status == 0, report
    assert not any(status >= 500 for status in answers), answers
    assert answers[200] + answers[202] > 50, f"hardly any request was right: {answers}"


def test_the_documents_have_links(services: dict[str, Described]) -> None:
    """A client, and schemathesis, find the way from an order to its cancellation, and from a step to what undoes it."""
    ways = {
        "order": [("/api/orders", "cancel_order"), ("/api/orders", "get_order"), ("/api/orders/create", "cancel_api")],
        "inventory": [("/api/inventory/reserve", "release"), ("/api/inventory/reserve", "get_reservation")],
        "payment": [("/api/payments/process", "refund"), ("/api/payments/process", "get_payment_of_order")],
        "shipping": [("/api/shipping/schedule", "cancel"), ("/api/shipping/schedule", "operation")],
        "notification": [("/api/notifications/send", "cancel")],
    }
    for name, expected in ways.items():
        paths = services[name].app.openapi()["paths"]
        for path, target in expected:
            answers = paths[path]["post"]["responses"]
            links = next(answers[status]["links"] for status in ("200", "202") if status in answers)
            assert any(link.startswith(target) for link in links), f"{path} leads to {sorted(links)}"
