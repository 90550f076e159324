"""docs/metrics.md from what the code declares.

python -m dev.release.observing.metrics_doc            write it (`make docs`)
python -m dev.release.observing.metrics_doc --check    exit status 1 if it isn't what it would be
"""

import sys
import textwrap
from pathlib import Path
from typing import Final

from dev.release import generated
from dev.release.observing.declared import EVERY_SERVICE, EVERYBODY, OPERATOR, Declared, declared
from dev.setup.paths import CHECKOUT

DOCUMENT: Final = CHECKOUT / "docs" / "metrics.md"
WIDTH: Final = 120

HEAD: Final = """\
<!-- Written by `make docs` from the code that counts: change it there, not here. -->

# Metrics

Operator and services show their metrics at `/metrics`: the operator on the port of its probes (8080), a service on its
own port, never on the public one. Prometheus finds them by the chart's ServiceMonitors
(`monitoring.serviceMonitor.enabled`). [Alerts](runbooks/README.md) and a [dashboard](install.md) come with the chart.

- **Formats.** Who accepts OpenMetrics gets it, as Prometheus does; everybody else gets Prometheus's text. Only
  OpenMetrics has **exemplars**: the `trace_id` of a request, a step or an order whose trace was kept. Prometheus keeps
  them with `--enable-feature=exemplar-storage`, and Grafana shows them as dots that lead to the trace. Buckets are
  classic ones: the Python client has no native histograms.
- **Labels are bounded**, whatever comes in. No label has an order, a customer or a uid: each value costs Prometheus
  memory for as long as it keeps data, and there is an order every moment. An unknown HTTP method is `_OTHER`, a path
  without a route is `(none)`, and after a hundred different reasons of participants each further one is `Other`.
- **One process, one set of figures.** A service refuses to start with several workers (`--workers`, `WEB_CONCURRENCY`):
  a scrape would show those of any one of them. More replicas are as good, and are told apart by their `pod`.
- **What a rate needs.** Counters of an event that may never happen begin with it; `increase()` over such a counter
  misses the first one. Those that an alert reads begin at 0 where their labels are known.

A test compares this page with what a running operator and five running services show.

## Why there are no metrics of single orders

kube-state-metrics can make metrics of any resource, and OrderSagas look as if they were made for it
(`CustomResourceStateMetrics`). Don't: it keeps a series for each field of each order, from the order's beginning to the
end of its time to live, and 100,000 orders with five fields are 500,000 series in Prometheus's memory that nobody looks
at. What is to be known of all orders together is below; what is to be known of one is in its resource, and
`kubectl saga why ORDER` says it. For the five Participants there is no harm in it, but
`ordersaga_participant_down` and its kin say as much.

## What the labels say

| label | values |
|---|---|
| `phase` | as in the resource; of ended sagas Completed or Compensated |
| `step`, `participant` | the six steps of the process, and the five services |
| `operation` | `do` or `undo` |
| `outcome` of a call | what it was, as in the step's history in the resource: Succeeded, Refused, Unavailable, … |
| `outcome` of a step | the state in which it has ended: Succeeded, Refused, Unknown, Compensated, … |
| `reason` | [one set of words](ordersaga.md#reasons), in conditions, Events, logs, and here |
| `service` | `operator`, or the name of a service |
| `route`, `status`, `code` | the route's template, the HTTP status, and the `code` of the problem that was answered |

`namespace`, `pod` and `job` are Prometheus's own: they say where a figure was read.
"""

SECTIONS: Final = (
    ("The operator", frozenset({OPERATOR})),
    ("The operator and every service", EVERYBODY),
    ("Every service", EVERY_SERVICE),
    ("The order service", frozenset({"order"})),
    ("The notification service", frozenset({"notification"})),
)


def entry(metric: Declared) -> str:
    """One metric."""
    labels = f", by {', '.join(f'`{label}`' for label in metric.labels)}" if metric.labels else ""
    head = f"- **`{metric.name}`**, {metric.type}{labels}\\"
    return "\n  ".join([head, *textwrap.wrap(metric.help, WIDTH - 2, break_on_hyphens=False)])


def document() -> dict[Path, str]:
    """The page, by its path. Raises ValueError for a metric that no section has."""
    metrics, text = list(declared().values()), HEAD
    for title, where in SECTIONS:
        entries = [entry(each) for each in metrics if each.where == where]
        text += f"\n## {title}\n\n" + "\n".join(entries) + "\n"
    if left := {each.name for each in metrics if each.where not in {where for _, where in SECTIONS}}:
        raise ValueError(f"no section of docs/metrics.md has {', '.join(sorted(left))}")
    return {DOCUMENT: text}


if __name__ == "__main__":
    sys.exit(generated.main("python -m dev.release.observing.metrics_doc", document, sys.argv[1:]))
