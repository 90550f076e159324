"""docs/metrics.md has every metric that the code declares, each with its help, and no label that could be anything."""

from dev.release import generated
from dev.release.observing import metrics_doc
from dev.release.observing.declared import declared

UNBOUNDED = {"order", "order_id", "saga", "uid", "customer", "customer_id", "path", "trace_id", "name", "message"}
UNITS = {"counter": "_total", "histogram": "_seconds"}


def test_the_page_is_fresh() -> None:
    assert generated.stale(metrics_doc.document()) == [], "run `make docs`"


def test_names_say_what_they_count_and_in_which_unit() -> None:
    for name, metric in declared().items():
        assert name.startswith("ordersaga_")
        assert name.endswith(UNITS.get(metric.type, "")), name
        assert metric.help.endswith("."), name


def test_no_label_has_a_value_for_each_order() -> None:
    assert {label for metric in declared().values() for label in metric.labels} & UNBOUNDED == set()
