"""One viewer: the cluster as they see it, and what they may do. The API server is asked with their rights."""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any, Final

from ordersaga.saga.access import Access
from ordersaga.saga.actions import Action, apt
from ordersaga.saga.cluster import Cluster, ClusterError
from ordersaga.saga.operator_lease import Working, working
from ordersaga.saga.output import clean, now
from ordersaga.saga.participants import Participant, participants_of, waiting_for
from ordersaga.saga.record import PIVOT, STEPS, Record
from ordersaga.saga.sentence import sentence_of
from ordersaga.saga.ui.acting import Asked, carry_out
from ordersaga.saga.ui.filters import Filter
from ordersaga.saga.ui.links import Link, trace_id_of
from ordersaga.saga.ui.live import Live
from ordersaga.saga.ui.rows import Row, View, listed, wire

log = logging.getLogger(__name__)

PARTICIPANTS_SECONDS: Final = 5.0
"""Between two looks at the five of them, and at the operator's Lease, for one viewer."""
BACK_SECONDS: Final = 15.0
"""So long after the API server did not answer an old Lease says nothing: no operator could renew it."""
MAY_SECONDS: Final = 30.0
"""So long counts what the API server says of their rights: one that has just begun says that nobody may anything."""


class Viewer:
    """Whoever has this kubeconfig, or this token."""

    def __init__(
        self, access: Access, live: Live, links: Iterable[Link] = (), *, may_seconds: float = MAY_SECONDS
    ) -> None:
        self.access = access
        self.live = live
        self._links = list(links)
        self._may_patch: bool | None = None
        self._participants: Sequence[Participant] = ()
        self._operator: Working | None = None
        self._failed_at = self._participants_at = float("-inf")
        self._reading = threading.Lock()
        self._may_seconds, self._may_at = may_seconds, 0.0

    def check(self) -> None:
        """Whether they may still see the list, which they have not read themselves.

        Raises:
            ClusterError: no (401, 403), or it can't be known now.
        """

    def context(self) -> dict[str, Any]:
        """Who looks at what."""
        with Cluster(self.access) as cluster:
            return {
                "server": self.access.server,
                "namespace": self.access.namespace,
                "user": cluster.user(),
                "may": {"patch": self._may(cluster)},
                "version": version("ordersaga"),
                "steps": list(STEPS),
                "pivot": PIVOT,
                "links": self._links,
            }

    def list(self, view: View) -> dict[str, Any]:
        """`GET ./api/sagas`."""
        found, operator = self._looked()
        # after the look, which may take long: the page's clock is set by this moment
        moment, rows = now(), self.live.rows()
        waiting = waiting_for(rows)
        participants = [_participant(each, waiting[each.name]) for each in found]
        said = {"participants": participants, "operator": _shown(operator)}
        return listed(rows, view, moment) | self.liveness() | said

    def liveness(self) -> dict[str, Any]:
        """Whether it is what is, and since when nothing is known."""
        since = None if self.live.since is None else wire(self.live.since)
        return {"live": self.live.is_live, "since": since, "why": self.live.trouble, "complete": self.live.is_complete}

    def saga(self, name: str) -> dict[str, Any]:
        """`GET ./api/sagas/NAME`. Raises ClusterError."""
        with Cluster(self.access) as cluster:
            saga = Record(cluster.get(cluster.sagas(name)))
            may = self._may(cluster)
        return _whole(saga) | {"actions": [_action(saga, name, steps) for name, steps in apt(saga)] if may else []}

    def known(self, name: str, why: str) -> dict[str, Any] | None:
        """As the list knows it, while the API server can't be asked; None: it has ended, or isn't known."""
        row = self.live.row(name)
        saga = None if row is None else row.record()
        if saga is None:
            return None
        moment = now() if self.live.since is None else self.live.since
        return _whole(saga) | {"actions": [], "trouble": why, "as_of": wire(moment)}

    def act(self, asked: Asked) -> dict[str, Any]:
        """`POST ./api/actions`."""
        names = asked.orders
        if asked.filter is not None:
            selection, moment = Filter(**asked.filter).selection(), now()
            names = sorted(row.name for row in self.live.rows() if selection.takes(row, moment))
        with Cluster(self.access) as cluster:
            return carry_out(asked, names, cluster)

    def _looked(self) -> tuple[Sequence[Participant], Working | None]:
        """Participants and operator as they were a moment ago.

        If they can't be read now, the participants as they were before, the list saying that it isn't live, and
        nothing of the operator. An API server that hangs isn't asked: the list would wait for it.
        """
        with self._reading:
            if self.live.trouble:
                self._failed_at = time.monotonic()
                return self._participants, None
            if time.monotonic() - self._participants_at > PARTICIPANTS_SECONDS:
                self._participants_at = time.monotonic()
                before, self._operator = self._operator, None
                try:
                    with Cluster(self.access) as cluster:
                        self._participants = participants_of(cluster)
                        self._operator = self._believed(working(cluster, now()), before)
                except ClusterError as error:
                    self._failed_at = time.monotonic()
                    log.info("participants and operator can't be read just now: %s", error)
            return self._participants, self._operator

    def _believed(self, found: Working | None, before: Working | None) -> Working | None:
        """None instead of bad news that may be none: a Lease that is renewed is never old, whatever our clock says."""
        if found is None or found.works:
            return found
        is_renewed = before is not None and found.since != before.since
        return None if is_renewed or time.monotonic() - self._failed_at < BACK_SECONDS else found

    def _may(self, cluster: Cluster) -> bool:
        if self._may_patch is None or time.monotonic() - self._may_at > self._may_seconds:
            self._may_patch, self._may_at = cluster.may("patch"), time.monotonic()
        return self._may_patch


def _participant(participant: Participant, waiting: int) -> dict[str, Any]:
    return {
        "name": participant.name,
        "state": participant.state,
        "since": None if participant.since is None else wire(participant.since),
        "reason": participant.reason,
        "message": participant.message,
        "waiting": waiting,
    }


def _whole(saga: Record) -> dict[str, Any]:
    moment = now()
    sentence = sentence_of(saga, moment)
    said = {"state": sentence.state, "why": sentence.why, "itself": sentence.itself, "person": sentence.person}
    return {
        "item": clean(saga.item),
        "sentence": {**said, "needs_person": sentence.needs_person},
        "row": Row.of(saga).shown(moment),
        "trace": trace_id_of(saga),
        "now": wire(moment),
    }


def _shown(operator: Working | None) -> dict[str, Any]:
    if operator is None:
        return {"works": None, "since": None, "why": "", "to_do": ""}
    since = None if operator.since is None else wire(operator.since)
    return {"works": operator.works, "since": since, "why": operator.says, "to_do": operator.to_do}


def _action(saga: Record, action: Action, steps: Sequence[str]) -> dict[str, Any]:
    step = steps[0] if steps else ""
    return {
        "name": action.name,
        "steps": list(steps),
        "default_step": step or None,
        "says": action.effect(saga, step),
        "needs_reason": bool(action.steps),
    }
