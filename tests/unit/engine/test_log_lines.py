"""What the log says of a saga: its end, and whatever isn't as usual on the way there."""

import asyncio
import logging

import pytest

from common.order_saga import CORRELATION_ID
from common.tracing.context import ANNOTATION
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


def test_every_line_about_a_saga_says_which_and_to_what_it_belongs(caplog: pytest.LogCaptureFixture) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    async def told(world: World) -> None:
        world.show("o-1")
        world.show("o-2", annotations={CORRELATION_ID: "c-42", ANNOTATION: traceparent})
        await asyncio.sleep(1)
        world.down = ""
        await asyncio.sleep(4000)

    with caplog.at_level(logging.DEBUG):
        story(told)
    found = [vars(record) for record in caplog.records if record.name.startswith("saga_operator.engine")]
    found = [each for each in found if "is down" not in each["message"] and "is back" not in each["message"]]
    assert {each["saga"] for each in found} == {"shop/o-1", "shop/o-2"}
    assert all(each["saga"] == f"shop/{each['order']}" for each in found)
    told_of = {(each["order"], each["correlation_id"], each["trace_id"]) for each in found}
    (first_trace,) = (trace for order, _, trace in told_of if order == "o-1")
    assert told_of == {
        ("o-1", "uid-o-1", first_trace),
        ("o-2", "c-42", "4bf92f3577b34da6a3ce929d0e0e4736"),
    }
    calls = [each for each in found if each["message"].startswith("do ")]
    assert all(each["step"] == each["message"].split()[1].rstrip(":") + "/do" for each in calls)
    assert {each["attempt"] for each in calls} == {1}
