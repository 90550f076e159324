"""What the log says of a saga: its end, and whatever isn't as usual on the way there."""

import asyncio
import logging

import pytest

from tests.unit.engine.test_resting import World, story


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.name.startswith("saga_operator.engine")]


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_a_call_that_succeeds_at_once_has_a_line_only_for_those_who_ask_for_it(
    level: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def told(world: World) -> None:
        world.down = ""
        world.show("o-1")
        await asyncio.sleep(60)

    with caplog.at_level(level):
        story(told)
    calls = [line for line in lines(caplog) if line.startswith("do ")]
    assert calls == ([] if level == logging.INFO else ["do order: Succeeded", *calls[1:]])
    assert "saga finished: Completed" in lines(caplog)


def test_a_call_without_an_answer_has_a_line_and_so_has_its_success(caplog: pytest.LogCaptureFixture) -> None:
    async def told(world: World) -> None:
        world.show("o-1")
        await asyncio.sleep(1)
        world.down = ""
        await asyncio.sleep(4000)

    with caplog.at_level(logging.INFO):
        story(told)
    calls = [line for line in lines(caplog) if line.startswith("do ")]
    assert len(calls) >= 2
    assert calls[0].endswith(": Unavailable")
    assert calls[-1].endswith(": Succeeded")
