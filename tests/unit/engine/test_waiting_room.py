"""More live sagas than fit into memory: the oldest are worked on, the others wait as names."""

import asyncio
import logging

import pytest

from saga_operator import metrics
from tests.unit.engine.test_resting import AN_HOUR, World, story


def at_work(world: World) -> set[str]:
    return set(world.engine.workers.values())


def test_the_oldest_are_worked_on_in_whatever_order_they_come(caplog: pytest.LogCaptureFixture) -> None:
    async def told(world: World) -> None:
        for number in (5, 1, 4, 0, 3, 2):
            world.show(f"o-{number}", age=100.0 * number, retry=AN_HOUR)
            await asyncio.sleep(5)
        assert at_work(world) == {"o-3", "o-4", "o-5"}
        assert next(iter(metrics.NOT_TAKEN_IN.collect())).samples[0].value == 3

    with caplog.at_level(logging.WARNING):
        story(told, most=3)
    assert sum("as many as may be" in message for message in caplog.messages) == 1


def test_an_older_one_takes_the_place_of_one_at_work_as_soon_as_that_rests() -> None:
    async def told(world: World) -> None:
        for number in (2, 1, 3):
            world.show(f"o-{number}", age=100.0 * number, retry=AN_HOUR)
        assert at_work(world) == {"o-1", "o-2"}, "both have a call in flight"
        await asyncio.sleep(10)
        assert at_work(world) == {"o-2", "o-3"}
        reads = world.reads
        await asyncio.sleep(600)
        assert at_work(world) == {"o-2", "o-3"}
        assert world.reads == reads, "nobody takes turns"
        world.down = ""
        await asyncio.sleep(4_000)
        assert all(each["status"]["phase"] == "Completed" for each in world.stored.values())

    story(told, most=2)


def test_one_that_a_person_has_changed_keeps_its_place_before_older_ones_until_that_is_done() -> None:
    async def told(world: World) -> None:
        world.show("o-0", age=900.0, retry=AN_HOUR)
        world.show("o-1", retry=AN_HOUR)
        assert at_work(world) == {"o-0"}
        world.show("o-1", state="Cancelled")
        await asyncio.sleep(60)
        assert at_work(world) == {"o-1"}, "it waits for the return of a service"
        world.down = ""
        await asyncio.sleep(4_000)
        assert [world.stored[name]["status"]["phase"] for name in ("o-0", "o-1")] == ["Completed", "Compensated"]

    story(told, most=1)


def test_when_one_ends_the_oldest_that_waits_is_taken_in_until_all_have_ended() -> None:
    async def told(world: World) -> None:
        world.down, world.seconds = "", 1.0
        for number in range(9):
            world.show(f"o-{number}", age=900.0 - 100.0 * number)
        assert at_work(world) == {"o-0", "o-1", "o-2"}
        await asyncio.sleep(120)
        begun = [name for name, call, _ in world.calls if call == "do order"]
        assert begun == [f"o-{number}" for number in range(9)]
        assert not world.engine.workers
        assert all(each["status"]["phase"] == "Completed" for each in world.stored.values())

    story(told, most=3)


def test_what_a_person_wants_of_one_that_waits_is_done_first() -> None:
    async def told(world: World) -> None:
        for number in range(6):
            world.show(f"o-{number}", age=900.0 - 100.0 * number, retry=AN_HOUR)
        await asyncio.sleep(10)
        world.engine.resource_seen(await world.read("o-5"))
        assert "o-5" not in at_work(world), "nothing has changed"
        world.show("o-5", state="Cancelled")
        assert at_work(world) == {"o-0", "o-1", "o-5"}

    story(told, most=3)


def test_those_that_wait_for_a_person_make_room() -> None:
    async def told(world: World) -> None:
        for number in range(3):
            world.show(f"o-{number}", age=900.0, state="Suspended")
        await asyncio.sleep(10)
        world.down = ""
        for number in range(3, 9):
            world.show(f"o-{number}")
        await asyncio.sleep(60)
        done = {name for name, each in world.stored.items() if each["status"].get("phase") == "Completed"}
        assert done == {f"o-{number}" for number in range(3, 9)}
        await asyncio.sleep(60)
        assert at_work(world) == {"o-0", "o-1", "o-2"}, "they come back when there is room"

    story(told, most=3)


def test_those_that_come_to_wait_for_a_person_make_room_for_those_that_wait_already() -> None:
    async def told(world: World) -> None:
        for number in range(3):
            world.show(f"o-{number}", age=900.0, state="Suspended")
        world.down = ""
        for number in range(3, 9):
            world.show(f"o-{number}", state="Suspended" if number > 6 else "Active")
        assert at_work(world) == {"o-0", "o-1", "o-2"}
        await asyncio.sleep(120)
        done = {name for name, each in world.stored.items() if each["status"].get("phase") == "Completed"}
        assert done == {f"o-{number}" for number in range(3, 7)}
        reads = world.reads
        await asyncio.sleep(600)
        assert world.reads == reads, "those that wait for a person don't take turns"

    story(told, most=3)


def test_one_that_is_gone_when_its_turn_comes_is_left_out() -> None:
    async def told(world: World) -> None:
        world.down = ""
        for number in range(3):
            world.show(f"o-{number}", age=900.0 - 100.0 * number)
        del world.stored["o-1"]
        await asyncio.sleep(60)
        assert world.stored["o-2"]["status"]["phase"] == "Completed"

    story(told, most=1)
