"""All sagas of the namespace, as they are now: listed once, then watched in a thread of its own.

The open ones come first, so that the list is there at once; those that have ended are read behind them. A watch that is
lost is begun again where it was; one that was lost for too long (410) lists again. Until then `since` says from when on
nothing is known, and whoever looks is told. While nobody looks nothing is kept.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from ordersaga.saga.access import Access
from ordersaga.saga.cluster import WATCH_SECONDS, Cluster, ClusterError
from ordersaga.saga.output import now
from ordersaga.saga.record import Record
from ordersaga.saga.selection import Selection
from ordersaga.saga.ui.rows import Row

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 5.0
"""Seconds before a lost watch is begun again: the first time, and at most. Each is twice the one before."""
ASK_SECONDS, ANSWER_SECONDS = 10.0, 5.0
"""Between two questions whether the API server answers, and for its answer: a watch that was cut in silence (a laptop
slept, a network is gone) seems to stand for minutes.
"""


class Live:
    """The rows, by name. `changed` counts up at every change; readers take what there is."""

    def __init__(
        self,
        whose: Callable[[], Access | None],
        refused: Callable[[Access], None] | None = None,
        seconds: int = WATCH_SECONDS,
        *,
        ask_seconds: float = ASK_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`whose`: as whom it is read and watched from now on; None: nobody looks. It is asked before each watch, which
        lasts `seconds`. `refused`: told when the API server knows them no more, or lets them see nothing.
        """
        self._whose, self._refused, self._seconds = whose, refused, seconds
        self._ask_seconds, self._answer_seconds = ask_seconds, answer_seconds
        self._watching: Cluster | None = None
        self._rows: dict[str, Row] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._wanted = threading.Event()
        self._version = ""
        self._lists = 0
        """How often it was read: those that have ended belong to one of these times."""
        self._unfilled = False
        """Those that have ended are still to be read, with the rights of somebody else."""
        self._gone: set[str] = set()
        """What was deleted while those that have ended are being read."""
        self.changed = 0
        self.since: float | None = now()
        """Since when nothing is known; None while it is live."""
        self.is_complete = False
        """Whether those that have ended are among them."""
        self.trouble = ""

    @property
    def is_live(self) -> bool:
        """Whether what there is, is what is."""
        return self.since is None

    @property
    def is_begun(self) -> bool:
        """Whether something is known: a first page of the list, or why there is none."""
        return bool(self.is_live or self.trouble or self._rows)

    def rows(self) -> list[Row]:
        """All of them, as they are now."""
        with self._lock:
            return list(self._rows.values())

    def row(self, name: str) -> Row | None:
        """The one of this name, if there is one."""
        with self._lock:
            return self._rows.get(name)

    def has(self, name: str) -> bool:
        """Whether there is one of this name."""
        return name in self._rows

    def start(self) -> None:
        """Begin; the thread ends with the process, or with `stop`."""
        threading.Thread(target=self._run, name="live", daemon=True).start()
        threading.Thread(target=self._ask, name="ask", daemon=True).start()

    def stop(self) -> None:
        """End it at its next word."""
        self._over.set()
        self._wanted.set()

    def wake(self) -> None:
        """Somebody looks."""
        self._wanted.set()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._over.is_set():
            access = self._whose()
            if access is None:
                self._forget()
                self._wanted.wait()
                self._wanted.clear()
                continue
            begun = time.monotonic()
            try:
                with Cluster(access) as cluster:
                    if not self._version:
                        self._list(cluster)
                    elif self._unfilled:
                        self._begin_to_fill(access)
                    pause = FIRST_PAUSE if self._watch(cluster) else pause
            except ClusterError as error:
                if self._refused is not None and error.status in (401, 403):
                    self._refused(access)
                    continue
                self._lost(str(error))
                if error.status == 410:
                    self._version = ""
            except Exception as error:  # whatever it is, the page says that it isn't live, and it goes on
                log.exception("the list of sagas isn't kept")
                self._lost(f"{type(error).__name__}: {error}")
                self._version = ""
            if time.monotonic() - begun < LONGEST_PAUSE:
                self._over.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _ask(self) -> None:
        while not self._over.wait(self._ask_seconds):
            watching = self._watching
            if watching is None or not self.is_live:
                continue
            try:
                with Cluster(watching.access, self._answer_seconds) as cluster:
                    cluster.get("/version")
            except ClusterError as error:
                if not error.status and watching is self._watching:
                    self._lost(str(error))
                    watching.cut()

    def _lost(self, why: str) -> None:
        self.trouble = why
        if self.since is None:
            self.since = now()
        self.changed += 1

    def _forget(self) -> None:
        with self._lock:
            self._rows, self._version, self._lists = {}, "", self._lists + 1
            self._gone.clear()
        self.is_complete = False
        self._lost("")

    def _list(self, cluster: Cluster) -> None:
        path = cluster.sagas()
        rows: dict[str, Row] = {}
        is_first = not self._rows
        for page in cluster.pages(path, Selection().parameters()):
            self._version = self._version or page["metadata"]["resourceVersion"]
            rows |= {row.name: row for row in self._rows_of(page["items"])}
            if is_first:  # somebody waits for it: a page after the other is shown
                with self._lock:
                    self._rows = dict(rows)
                self.changed += 1
        with self._lock:
            self._rows = rows
            self._gone.clear()
            self._lists += 1
        self.is_complete = False
        self._is_live()
        self._begin_to_fill(cluster.access)

    def _begin_to_fill(self, access: Access) -> None:
        self._unfilled = False
        threading.Thread(target=self._fill, args=(access, self._lists), name="finished", daemon=True).start()

    def _fill(self, access: Access, number: int) -> None:
        """Read those that have ended; once more if the API server went away in the middle."""
        while not self._filled(access, number):
            self._over.wait(LONGEST_PAUSE)
        self.changed += 1

    def _filled(self, access: Access, number: int) -> bool:
        """Whether they have been read, or needn't be any more. What the watch has told meanwhile is newer."""
        try:
            with Cluster(access) as cluster:
                for phase in ("Compensated", "Completed"):
                    for page in cluster.pages(cluster.sagas(), {"fieldSelector": f"status.phase={phase}"}):
                        made = self._rows_of(page["items"])
                        with self._lock:
                            if number != self._lists or self._over.is_set():
                                return True
                            for row in made:
                                if row.name not in self._gone:
                                    self._rows.setdefault(row.name, row)
                        self.changed += 1
        except ClusterError as error:
            log.warning("sagas that have ended aren't all shown: %s", error)
            self._unfilled = error.status in (401, 403)
            return self._unfilled or number != self._lists or self._over.is_set()
        with self._lock:
            if number == self._lists:
                self.is_complete = True
                self._gone.clear()
        return True

    def _watch(self, cluster: Cluster) -> bool:
        """Follow what happens until the API server ends it; whether it said anything."""
        said = False
        since = {"resourceVersion": self._version}
        self._watching = cluster
        try:
            for change in cluster.watch(cluster.sagas(), since, self._is_live, self._seconds):
                self._version = change.item["metadata"]["resourceVersion"]
                said = True
                if change.type != "BOOKMARK":
                    self._apply(change.type, change.item)
                self.changed += 1
                if self._over.is_set():
                    break
        finally:
            self._watching = None
        return said

    def _is_live(self) -> None:
        if self.since is not None:
            self.since, self.trouble = None, ""
        self.changed += 1

    def _apply(self, kind: str, item: dict[str, Any]) -> None:
        row = Row.of(Record(item))
        with self._lock:
            if kind == "DELETED":
                self._rows.pop(row.name, None)
                self._gone.add(row.name)
            else:
                self._rows[row.name] = row
                self._gone.discard(row.name)

    @staticmethod
    def _rows_of(items: Iterable[dict[str, Any]]) -> list[Row]:
        return [Row.of(Record(item)) for item in items]
