"""What a Lease says, read and written. Pure; `now` is in seconds since the epoch.

Anybody who may edit Leases can write anything into one, so whatever can't be meant counts as not said.
"""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final

from common.wire import Json
from saga_operator.process.absences import Absences, from_text, to_text, with_absence

EPOCH: Final = "ordersaga.io/epoch"
"""Annotation of the Lease."""
ABSENCES: Final = "ordersaga.io/absences"
"""Annotation of the Lease: when no operator worked (`process/absences.py`)."""
TELLS_CUSTOMERS: Final = "ordersaga.io/tells-customers-since"
TELLS_SYSTEMS: Final = "ordersaga.io/tells-systems-since"
"""Annotations of the Lease: since which second its holders tell them. What ended before is no news when that is
switched on.
"""
BELIEVED_AHEAD: Final = 24 * 3600 * 1000
"""Milliseconds by which an epoch, which is a time, may be ahead of our clock: more than hosts differ by mistake."""
AHEAD: Final = 60.0
"""Seconds by which an absence may end in the future: it is kept in whole seconds, and hosts differ by a few."""
MOST_OCTETS: Final = 192 * 1024
"""Of annotations. The API server takes 256 KiB: with those used up by others, nobody could renew the Lease any more."""
MOST_TRANSITIONS: Final = 2**31 - 1
"""The API server takes no more: a Lease that counts further could never be taken by anybody."""
LONGER_THAN_OURS: Final = 10
"""A Lease may say that it lasts so many times as long as ours, as during a change of the setting, and no longer."""

_NUMBER: Final = re.compile(r"[0-9]{1,19}")


def holder(lease: Json) -> str:
    """Who holds it; empty if nobody does."""
    return str(_spec(lease).get("holderIdentity") or "")


def mark(lease: Json) -> tuple[str, str]:
    """Differs after each renewal."""
    return holder(lease), str(_spec(lease).get("renewTime"))


def seconds(lease: Json, ours: float) -> float:
    """How long it lasts without a renewal; `ours` if it doesn't say so."""
    given = _spec(lease).get("leaseDurationSeconds")
    return min(given, LONGER_THAN_OURS * ours) if isinstance(given, int) and given > 0 else ours


def transitions(lease: Json) -> int:
    """How often it has gone to another holder; 0 if it doesn't say so, or nothing that could be counted on."""
    given = _spec(lease).get("leaseTransitions")
    return given if isinstance(given, int) and 0 <= given < MOST_TRANSITIONS else 0


def epoch(lease: Json, now: float) -> int:
    """The epoch that it records; 0 if there is none, or none that an operator can have written by now."""
    text = _annotations(lease).get(EPOCH)
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        return 0
    return int(text) if is_plausible(int(text), now) else 0


def is_plausible(epoch: int, now: float) -> bool:
    """Whether an operator can have had this epoch by now."""
    return 0 <= epoch <= _milliseconds(now) + BELIEVED_AHEAD


def next_epoch(last: int, now: float) -> int:
    """The epoch of the next holder: higher than the last, also if the Lease and with it the last was deleted."""
    return max(last + 1, _milliseconds(now))


def held_by(identity: str, lease: Json, *, epoch: int, seconds: float, now: float, tells: Collection[str] = ()) -> Json:
    """The Lease as this holder writes it; whatever else is in it stays, as far as there is room for it.

    `tells`: which of TELLS_CUSTOMERS and TELLS_SYSTEMS hold for it, since now unless the Lease says that they did.
    """
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {
        **_spec(lease),
        "holderIdentity": identity,
        "leaseDurationSeconds": int(seconds),
        "renewTime": stamp,
    }
    if holder(lease) != identity:
        spec["acquireTime"] = stamp
        spec["leaseTransitions"] = transitions(lease) + 1
    others = {name: said for name, said in _others(lease).items() if name not in (TELLS_CUSTOMERS, TELLS_SYSTEMS)}
    told = {name: _to_second(min(told_since(lease, name) or now, now)) for name in tells}
    annotations = {**others, **told, EPOCH: str(epoch), ABSENCES: to_text(absences(lease, now))}
    return {**lease, "metadata": {**lease["metadata"], "annotations": annotations}, "spec": spec}


def told_since(lease: Json, name: str) -> float:
    """Since when, in seconds since the epoch; 0 if the Lease doesn't say so."""
    return max(0.0, _time(_annotations(lease).get(name)))


def _to_second(at: float) -> str:
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _others(lease: Json) -> dict[str, Any]:
    """The annotations that stay beside ours: all, unless they leave no room for ours."""
    found = _annotations(lease)
    octets = sum(len(str(each).encode(errors="replace")) for pair in found.items() for each in pair)
    return found if octets <= MOST_OCTETS else {}


def released(lease: Json) -> Json:
    """The same Lease, held by nobody."""
    return {**lease, "spec": {**_spec(lease), "holderIdentity": ""}}


def absences(lease: Json, now: float) -> Absences:
    """Those that the Lease keeps, and the one since its last renewal if it wasn't renewed in time.

    Before the first renewal of a new Lease nobody is known to have worked.
    """
    known = from_text(str(_annotations(lease).get(ABSENCES) or ""))
    if known and known[-1][1] > now + AHEAD:  # no operator wrote that, and no deadline would ever come
        known = tuple(absence for absence in known if absence[1] <= now + AHEAD)
    renewed, given = _time(_spec(lease).get("renewTime")), _spec(lease).get("leaseDurationSeconds")
    lapsed = now - renewed > (given if isinstance(given, int) else 0)
    return with_absence(known, renewed, now) if lapsed else known


def _time(text: object) -> float:
    """Seconds since the epoch; 0 if there is no such time."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _milliseconds(now: float) -> int:
    return int(now * 1000)


def _spec(lease: Json) -> dict[str, Any]:
    found = lease.get("spec")
    return found if isinstance(found, dict) else {}


def _annotations(lease: Json) -> dict[str, Any]:
    metadata = lease.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}
