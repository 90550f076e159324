"""The service as a person starts it: `cd services/payment && python -m uvicorn main:app`, on a socket."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pymongo import MongoClient

from services.payment.tests.client import payment_of

HERE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def alone(mongodb_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    prefix = f"test_{uuid.uuid4().hex[:8]}_"
    log = tmp_path_factory.mktemp("payment") / "log"
    environment = {**os.environ, "ORDERSAGA_MONGODB_URL": mongodb_url, "ORDERSAGA_DATABASE_PREFIX": prefix}
    with log.open("wb") as output:
        command = [sys.executable, "-m", "uvicorn", "main:app", "--port", "0"]
        process = subprocess.Popen(command, cwd=HERE, env=environment, stderr=output)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{_port(log)}", timeout=10) as client:
            yield client
    finally:
        process.terminate()
        process.wait(10)
        with MongoClient[dict[str, object]](mongodb_url) as mongo:
            mongo.drop_database(f"{prefix}payment")


def _port(log: Path) -> int:
    """The port that uvicorn has chosen, once it listens."""
    for _ in range(200):
        for line in log.read_text().splitlines():
            if "running on http" in line:
                return int(line.split("http://127.0.0.1:")[1].split()[0].rstrip('",'))
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_it_becomes_ready(alone: httpx.Client) -> None:
    for _ in range(50):
        if (answer := alone.get("/ready")).status_code == 200:
            break
        time.sleep(0.1)
    assert answer.json()["status"] == "ready"


def test_a_silent_charge_really_drops_the_connection(alone: httpx.Client) -> None:
    body, headers = payment_of("o-silent", "test-silent"), {"Idempotency-Key": "shop/o-silent/payment/do"}
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        alone.post("/api/payments/process", json=body, headers=headers)
    answer = alone.post("/api/payments/process", json=body, headers=headers)
    assert (answer.status_code, answer.json()["captured_minor"]) == (200, 2500)
