"""docs/participants.md: its example works, and its promises are the kit's."""

import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from common.settings import ServiceSettings
from ordersaga.conformance.promises import PROMISES, Conformity, try_all
from ordersaga.conformance.report import lines_of
from ordersaga.conformance.subject import Route, Subject
from ordersaga.conformance.templates import body_of, live_at

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "participants.md").read_text()


@pytest.fixture
async def points(mongodb_url: str) -> AsyncIterator[httpx.AsyncClient]:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    module: dict[str, Any] = {"__name__": "points"}
    exec(compile(source, "docs/participants.md", "exec"), module)  # noqa: S102 - it is our own page
    prefix = f"docs_{uuid.uuid4().hex[:8]}_"
    app = module["build"](ServiceSettings(mongodb_url=mongodb_url, database_prefix=prefix, log_level="ERROR"))
    async with app.router.lifespan_context(app):
        await app.indexes.ensure(app.database)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://points") as client:
            yield client
        await app.mongo.drop(f"{prefix}points")


async def test_the_example_keeps_every_promise(points: httpx.AsyncClient) -> None:
    subject = Subject(
        do=Route("/api/points/grant", "points", "do", body_of({"customer_id": "c-17", "points": 25})),
        undo=Route("/api/points/revoke", "points", "undo", body_of({})),
        other=body_of({"customer_id": "c-17", "points": 26}),
        refused=body_of({"customer_id": "c-banned", "points": 25}),
        live=live_at(points, "/api/points/order/{order_id}", "status=granted"),
    )
    results = [result async for result in try_all(subject, [points], rounds=2, longest_pause=0.05)]
    wrong = [line for result in results if result.outcome is Conformity.BROKEN for line in lines_of(result)]
    assert not wrong, "\n".join(wrong)
    not_tried = {result.promise.name for result in results if result.outcome is Conformity.NOT_TRIED}
    assert not_tried == {"undo-too-late", "accepted", "undo-of-accepted"}


def test_the_promises_on_the_page_are_the_kit_s() -> None:
    section = PAGE.partition("\n## Its promises\n")[2].partition("\n## ")[0]
    entries = re.findall(r"^- `([a-z-]+)`: (.+?)\\\n  Why: (.+?)\.(?=\n(?:- |\n|$))", section, re.MULTILINE | re.DOTALL)
    listed = [tuple(" ".join(text.split()) for text in entry) for entry in entries]
    assert listed == [(promise.name, promise.text, promise.because) for promise in PROMISES]
