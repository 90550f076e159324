"""A line of a watch that is no event ends that watch, and nothing else of the operator."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saga_operator import watch_events
from saga_operator.echoes import KEPT, SECONDS, Echoes
from saga_operator.watch_events import WatchEvents, is_event

ADDED = b'{"type":"ADDED","object":{"apiVersion":"ordersaga.io/v1alpha1","metadata":{"name":"o-1"}}}'
DELETED = json.dumps({"object": {"metadata": {"name": "o-1"}}, "type": "DELETED"}).encode()
BOOKMARK = b'{"type":"BOOKMARK","object":{"kind":"OrderSaga","metadata":{"resourceVersion":"7"}}}'
FORGOTTEN = b'{"type":"ERROR","object":{"kind":"Status","metadata":{},"code":410}}'
NO_EVENTS = (
    b'{"type":"ERROR","object":{"kind":"Status","metadata":{},"code":500,"message":"etcdserver: leader changed"}}',
    b'{"type":"ERROR","object":null}',
    b'{"type":"ADDED"}',
    b'{"type":"ADDED","object":{}}',
    b'{"type":"WAT","object":{"metadata":{}}}',
    b'{"object":{"metadata":{}}}',
    b"null",
    b"[]",
    b"<html>502 Bad Gateway</html>",
    b"\xff\x00",
)


class Body:
    """The body of an answer that arrives in these pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces
        self.total_bytes = sum(map(len, pieces))

    async def iter_chunked(self, n: int) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def read(*pieces: bytes, echoes: Echoes | None = None) -> tuple[bytes, int]:
    """What kopf gets to read, and how often the watch was called broken."""
    calls: list[None] = []

    async def broken() -> None:
        calls.append(None)

    async def all_of_it() -> bytes:
        return b"".join(
            [each async for each in WatchEvents(Body(*pieces), broken, echoes or Echoes()).iter_chunked(1024)]
        )

    return asyncio.run(all_of_it()), len(calls)


@pytest.mark.parametrize("line", NO_EVENTS)
def test_the_watch_ends_before_a_line_that_is_no_event(line: bytes) -> None:
    assert read(ADDED + b"\n" + line + b"\n" + BOOKMARK + b"\n") == (ADDED + b"\n", 1)


@pytest.mark.parametrize("line", [ADDED, BOOKMARK, FORGOTTEN, DELETED])
def test_an_event_passes_however_it_is_written(line: bytes) -> None:
    assert read(line + b"\n") == (line + b"\n", 0)


@given(st.lists(st.sampled_from([ADDED, BOOKMARK, FORGOTTEN]), max_size=5), st.integers(1, 200))
def test_lines_arrive_in_pieces(lines: list[bytes], size: int) -> None:
    text = b"".join(line + b"\n" for line in lines)
    assert read(*(text[at : at + size] for at in range(0, len(text), size))) == (text, 0)


def test_a_line_that_was_broken_off_is_left_out() -> None:
    assert read(ADDED + b"\n" + BOOKMARK[:30]) == (ADDED + b"\n", 0)


def test_a_line_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_events, "LONGEST", 1000)
    assert read(ADDED + b"\n", b'{"type":"ADDED","object":{"x":"', *[b"y" * 300] * 4, b'"}}\n') == (ADDED + b"\n", 1)


@given(st.binary(max_size=80))
def test_any_line_is_judged(line: bytes) -> None:
    assert is_event(line) is False


def change(version: str, uid: str = "u-1", type_: str = "MODIFIED", **metadata: object) -> bytes:
    about = {**metadata, "name": "o-1", "uid": uid, "resourceVersion": version}
    return json.dumps({"type": type_, "object": {"metadata": about}}).encode() + b"\n"


def test_what_the_answer_to_our_own_write_has_said_is_not_shown_again() -> None:
    echoes = Echoes()
    echoes.expect("8", "u-1")
    before, echo, after = change("7"), change("8"), change("9")
    assert read(before + echo + after, echoes=echoes) == (before + after, 0)


def test_that_a_saga_has_left_the_watch_is_shown_since_kopf_remembers_it_until_then() -> None:
    echoes = Echoes()
    echoes.expect("8", "u-1")
    line = change("8", type_="DELETED")
    assert read(line, echoes=echoes) == (line, 0)
    line = line.replace(b'": "', b'":"')
    assert read(line, echoes=echoes) == (line, 0)


def test_an_echo_is_left_out_once_since_a_watch_that_resumes_shows_what_came_after_the_last_event_it_gave() -> None:
    echoes = Echoes()
    echoes.expect("8", "u-1")
    assert read(change("8"), echoes=echoes) == (b"", 0)
    assert read(change("8"), echoes=echoes) == (change("8"), 0)


def test_an_event_that_comes_before_the_answer_is_shown() -> None:
    echoes = Echoes()
    assert read(change("8"), echoes=echoes) == (change("8"), 0)
    echoes.expect("8", "u-1")


def test_the_version_of_another_resource_is_no_echo() -> None:
    echoes = Echoes()
    echoes.expect("8", "u-1")
    assert read(change("8", uid="u-2"), echoes=echoes) == (change("8", uid="u-2"), 0)


def test_an_annotation_hides_no_event() -> None:
    echoes = Echoes()
    echoes.expect("8", "u-1")
    line = change("9", annotations={"resourceVersion": "8"})
    assert read(line, echoes=echoes) == (line, 0)


def test_what_does_not_come_is_not_waited_for() -> None:
    now = 0.0
    echoes = Echoes(lambda: now)
    for version in range(KEPT + 1):
        echoes.expect(str(version), "u-1")
    assert read(change("0"), echoes=echoes) == (change("0"), 0)
    now = SECONDS
    assert read(change("1"), echoes=echoes) == (change("1"), 0)
