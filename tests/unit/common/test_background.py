"""Work beside the requests doesn't die in silence: it is begun again, and the log says why."""

import asyncio
import logging

import pytest

from common.web.background import in_background


@pytest.mark.parametrize("error", [ZeroDivisionError("a defect"), asyncio.CancelledError()])
async def test_work_that_fails_is_begun_again_and_the_log_says_why(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    attempts, done = 0, asyncio.Event()

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            raise error
        done.set()
        await asyncio.Event().wait()

    with caplog.at_level(logging.ERROR):
        async with in_background(work, name="settling", again=0.01):
            await asyncio.wait_for(done.wait(), 10)
    assert attempts == 4
    assert sum("settling has failed" in record.message for record in caplog.records) == 3


async def test_work_that_is_done_is_not_begun_again() -> None:
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1

    async with in_background(work, name="indexes", again=0.0):
        for _ in range(20):
            await asyncio.sleep(0)
    assert attempts == 1
