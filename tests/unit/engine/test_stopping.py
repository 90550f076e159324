"""A process that is told to stop stops, whatever else ends at that moment. The API server and the parts are fakes."""

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from saga_operator import __main__ as main
from saga_operator.settings import Settings


class Fake:
    """A connection, a Lease that is free, and the health endpoint: all that is asked of them is done."""

    def __init__(self, *_: object, **__: object) -> None:
        self.role = ""

    @classmethod
    def from_config(cls, **_: object) -> "Fake":
        return cls()

    async def _done(self, *_: object) -> None:
        """At once."""

    acquire = release = start = stop = aclose = renew_connections = _done


@pytest.fixture
def own_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_a_stop_is_not_forgotten_while_the_watch_ends_with_an_error(
    monkeypatch: pytest.MonkeyPatch, own_signals: None
) -> None:
    led = 0

    async def lead(_settings: object, _client: object, _clock: object, _lease: object, stop: Any, **_: object) -> None:
        nonlocal led
        led += 1
        if led == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            await stop.wait()
            raise BaseExceptionGroup("the watch has ended", [RuntimeError("as it does")])
        await stop.wait()

    for name in ("KubeClient", "LeaseHolder", "Health"):
        monkeypatch.setattr(main, name, Fake)
    monkeypatch.setattr(main, "_lead", lead)
    async with asyncio.timeout(10):
        await main.operate(Settings())
    assert led == 1
