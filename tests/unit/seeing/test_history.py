"""What has ended is found in the archive by who did something, though its list has no names."""

import argparse
from typing import Any

import pytest

from ordersaga.saga import history
from ordersaga.saga.history import archived

Json = dict[str, Any]
BY = {"o-1": "carol@example.com", "o-2": "dana@example.com", "o-3": "carol@example.com"}


def options(by: str) -> argparse.Namespace:
    return argparse.Namespace(customer="", phase=None, reason=None, newer=86400.0, older=0.0, ended=0.0, by=by)


def get(path: str, params: Json | None = None) -> Json:
    """The order service; o-3 was placed again, and its name has another story by now."""
    if path == "/api/sagas":
        items = [{"order_id": name, "uid": f"u-{name}", "completed_at": None} for name in BY]
        return {"items": items[int((params or {})["skip"]) :], "total": len(items)}
    name = path.split("/")[3]
    uid = "another" if name == "o-3" else f"u-{name}"
    about = {"order_id": name, "uid": uid, "namespace": "shop", "created_at": "2027-01-15T08:00:00Z"}
    return {**about, "spec": {"requestedBy": BY[name]}, "status": {"phase": "Compensated"}}


def names(by: str) -> list[str]:
    return [item["order_id"] for item in archived(get, options(by), 100000.0)]


def test_only_those_are_listed_in_which_the_person_did_something() -> None:
    assert names("") == ["o-1", "o-2", "o-3"]
    assert names("carol") == ["o-1"]
    assert names("example") == ["o-1", "o-2"]
    assert names("bob") == []


def test_more_stories_than_anybody_waits_for_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "STORIES", 2)
    with pytest.raises(ValueError, match="3 stories are too many: say --customer"):
        names("carol")
    assert len(names("")) == 3
