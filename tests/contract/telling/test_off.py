"""Whoever isn't to be told costs nothing: what tells them isn't even imported."""

import subprocess
import sys

import pytest

LOOK = """
import asyncio, sys
import saga_operator.__main__
from saga_operator.engine.telling.tellers import tellers_of
from saga_operator.settings import Settings

async def look():
    told = tellers_of(Settings(), None, None, gate=None, participants=None, breakers={"notification": None})
    imported = sorted(name.split(".")[-1] for name in sys.modules if ".telling." in name)
    print(len(told.everybody), told.systems is not None, *imported)

asyncio.run(look())
"""


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "0 False tellers"),
        ({"ORDERSAGA_TELL_CUSTOMERS": "true"}, "1 False customers harmless outbox tellers"),
        ({"ORDERSAGA_TELL_CUSTOMERS": "false", "ORDERSAGA_EVENTS_SINK": ""}, "0 False tellers"),
    ],
)
def test_what_is_not_configured_is_not_imported(
    env: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORDERSAGA_EVENTS_SINK", raising=False)
    monkeypatch.delenv("ORDERSAGA_TELL_CUSTOMERS", raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == said
