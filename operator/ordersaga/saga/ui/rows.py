"""What a list shows of a saga, kept small: a hundred thousand of them are held, and sorted at each look. Pure."""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Self

from ordersaga.phases import Phase
from ordersaga.saga.facts import Facts, held_once, known_of
from ordersaga.saga.record import Record
from ordersaga.saga.selection import Group, Selection, grouped, sorted_by
from ordersaga.saga.sentence import sentence_of


@dataclass(frozen=True, slots=True)
class Row(Facts):
    """One saga of the list. `packed`: its resource, compressed, as long as it is open: its sentence is made of it."""

    total: str
    done: str
    packed: bytes | None

    @classmethod
    def of(cls, saga: Record) -> Self:
        """Of this saga."""
        packed = None if saga.is_finished else zlib.compress(json.dumps(saga.item).encode(), 1)
        return cls(**known_of(saga), total=held_once(saga.total), done=held_once(saga.done), packed=packed)

    def record(self) -> Record | None:
        """The saga itself; None of one that has ended: it is not kept."""
        return None if self.packed is None else Record(json.loads(zlib.decompress(self.packed)))

    def shown(self, now: float) -> dict[str, Any]:
        """For the page."""
        saga = self.record()
        if saga is None:
            sentence = "All of it happened." if self.phase == Phase.COMPLETED else "None of it is left."
        else:
            sentence = str(sentence_of(saga, now))
        return {
            "name": self.name,
            "customer": self.customer,
            "total": self.total,
            "phase": self.phase,
            "step": self.step,
            "done": self.done,
            "created": wire(self.created),
            "reason": self.reason,
            "trouble": self.trouble_at(now),
            "needs_person": self.needs_person(now),
            "sentence": sentence,
        }


@dataclass(frozen=True, slots=True)
class View:
    """Which rows are shown, and in which order: the page's URL."""

    selection: Selection = field(default_factory=Selection)
    sort: str = "phase"
    reverse: bool = False
    limit: int = 100
    skip: int = 0


def listed(rows: Iterable[Row], view: View, now: float) -> dict[str, Any]:
    """What `GET ./api/sagas` answers, without whether it is live. `totals` are of all phases, whatever is looked at."""
    asked = view.selection
    in_any_phase = replace(asked, phases=frozenset(), finished=asked.finished or bool(asked.phases))
    like_that = [row for row in rows if in_any_phase.takes(row, now)]
    totals: dict[str, int] = {}
    for row in like_that:
        totals[row.phase] = totals.get(row.phase, 0) + 1
    found = [row for row in like_that if row.phase in asked.phases] if asked.phases else like_that
    found = sorted_by(found, view.sort, reverse=view.reverse)
    return {
        "items": [row.shown(now) for row in found[view.skip : view.skip + view.limit]],
        "total": len(found),
        "totals": totals,
        "needing": sum(row.needs_person(now) for row in found),
        "groups": [_shown(group) for group in grouped(found, now)],
        "now": wire(now),
    }


def _shown(group: Group) -> dict[str, Any]:
    return {
        "trouble": group.trouble,
        "step": group.step,
        "number": group.number,
        "oldest": wire(group.oldest),
        "needs_person": group.needs_person,
        "example": group.example,
    }


def wire(seconds: float) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
