"""The metrics of all live sagas together: what is asked when somebody looks, and costs nothing meanwhile."""

from collections import Counter as Counted
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from common.text import word
from saga_operator.process import reasons
from saga_operator.process.saga import FINISHED, Phase

REASONS: Final = 100
"""Different reasons of participants that become labels. A label of too many values would swamp the monitoring: each
further reason is counted as `Other`. The operator's own reasons are always told apart.
"""


class Bounded:
    """Reasons of others as labels: each as it is, until there are too many."""

    def __init__(self, most: int = REASONS) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, reason: str) -> str:
        """The label for this reason."""
        reason = word(reason)
        if reason in reasons.MEANINGS or reason in self._known:
            return reason
        if len(self._known) >= self._most:
            return "Other"
        self._known.add(reason)
        return reason


OBJECTIVE: Final = 60.0
"""Seconds within which an order is to end (helm/files/alerts.yaml): one of the buckets of `DURATION`."""


@dataclass(frozen=True, slots=True)
class LiveSaga:
    """What is shown of one that is worked on. Times in seconds since the epoch."""

    phase: Phase
    created: float
    progressed_at: float
    held_up: tuple[str, str] = ("", "")
    """The step whose call waits, or needs a person, and the reason; empty if nothing is known of such."""


class LiveSagas(Collector):
    """What is asked of all live sagas when somebody looks: nothing is counted meanwhile, so it costs them nothing."""

    def __init__(self, bounded: Bounded) -> None:
        self._bounded = bounded
        self.look: Callable[[], tuple[float, Iterable[LiveSaga]]] = lambda: (0.0, ())
        """What time it is, and all sagas."""

    def collect(self) -> Iterator[Metric]:
        """One pass over all sagas."""
        now, sagas = self.look()
        progressed, created, alike = dict[Phase, float](), dict[Phase, float](), Counted[tuple[Phase, str, str]]()
        late = 0
        for saga in sagas:
            phase = saga.phase
            if saga.progressed_at < progressed.get(phase, now):
                progressed[phase] = saga.progressed_at
            if saga.created < created.get(phase, now):
                created[phase] = saga.created
            late += now - saga.created > OBJECTIVE and phase is not Phase.SUSPENDED
            if saga.held_up[1]:
                alike[phase, *saga.held_up] += 1
        held_up = Counted[tuple[str, str, str]]()
        for (phase, step, reason), number in alike.items():
            held_up[str(phase), step, self._bounded(reason)] += number
        oldest = GaugeMetricFamily(
            "ordersaga_oldest_saga_seconds",
            "Time without progress of the live saga that has made none for longest.",
            labels=["phase"],
        )
        open_ = GaugeMetricFamily("ordersaga_oldest_open_seconds", "Age of the oldest live saga.", labels=["phase"])
        overdue = GaugeMetricFamily(
            "ordersaga_sagas_late", "Live sagas older than 60 seconds, without those that people have suspended."
        )
        overdue.add_metric([], late)
        waiting = GaugeMetricFamily(
            "ordersaga_sagas_held_up",
            "Live sagas whose next call waits or needs a person, by its step and the reason.",
            labels=["phase", "step", "reason"],
        )
        for phase in Phase:
            if phase not in FINISHED:
                oldest.add_metric([str(phase)], now - progressed.get(phase, now))
                open_.add_metric([str(phase)], now - created.get(phase, now))
        for labels, number in sorted(held_up.items()):
            waiting.add_metric(labels, number)
        yield from (oldest, open_, overdue, waiting)

    def describe(self) -> Iterator[Metric]:
        """As `collect`, which costs little before there are sagas."""
        return self.collect()
