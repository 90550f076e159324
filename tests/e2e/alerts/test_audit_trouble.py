"""The books don't balance, the audit finds it, and a real Prometheus says so until they do."""

from pathlib import Path

import pytest
from pymongo import MongoClient

from common.wire import Json
from dev.stack.pytest_plugin import TestControlPlane
from tests.e2e.alerts.jobs import Jobs
from tests.e2e.alerts.prometheus import Prometheus
from tests.e2e.system import PREFIX, Stack
from tests.e2e.test_audit import Auditor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_an_order_that_was_charged_twice(
    seen: Prometheus, stack: Stack, jobs: Jobs, control_plane: TestControlPlane, tmp_path: Path
) -> None:
    auditor = Auditor.of(stack, control_plane, tmp_path)
    twice = stack.new_id("twice")
    stack.shop.place(twice)
    stack.until_finished(twice)
    assert jobs.run(auditor) == 0, "whatever other tests have done, the books balance"
    with MongoClient[Json](stack.wiring.mongodb_url) as client:
        ledger = client[f"{PREFIX}payment"].ledger
        entry = ledger.find_one({"order_id": twice}, {"_id": 0})
        assert entry is not None
        ledger.insert_one(dict(entry))
        try:
            assert jobs.run(auditor) == 1
            seen.until_fires("OrderSagaAuditFailed", severity="warning")
        finally:
            ledger.delete_one({"order_id": twice, "_id": {"$ne": ledger.find_one({"order_id": twice})["_id"]}})  # type: ignore[index]
    assert jobs.run(auditor) == 0
    seen.until_ends("OrderSagaAuditFailed")
