"""The dashboards are made from code, ask for nothing but what is shown, and come with the chart."""

import json
import re

from prometheus_client import CollectorRegistry
from prometheus_client.process_collector import ProcessCollector

from common.wire import Json
from dev.release import generated
from dev.release.observing.dashboards import GRAFANA, documents, expressions
from dev.release.observing.declared import declared
from dev.release.observing.drawn import WIDE, console, grafana
from tests.packaging.chart.charts import EVERYTHING, rendered

METRIC = re.compile(r"\b(?:ordersaga|process|kube|python)_\w+")


def test_the_files_are_fresh() -> None:
    assert generated.stale(documents()) == [], "run `make manifests`"


def test_each_query_asks_for_metrics_that_are_shown_by_labels_that_they_have() -> None:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    processes = {sample.name for family in registry.collect() for sample in family.samples}
    ours = {series: metric for metric in declared().values() for series in metric.series}
    for expression in expressions():
        names = METRIC.findall(expression)
        assert names
        assert set(names) <= processes | ours.keys(), expression
        known = {label for name in names if name in ours for label in ours[name].labels}
        known |= {"namespace", "pod", "instance", "le"}
        by = {label.strip() for labels in re.findall(r"\bby \(([^)]*)\)", expression) for label in labels.split(",")}
        assert by <= known, expression
        assert set(re.findall(r'[{,] ?(\w+)[!=]~?"', expression)) <= known, expression


def test_each_query_is_bound_to_a_namespace() -> None:
    for expression in expressions():
        assert expression.count("{namespace=") == len(METRIC.findall(expression)), expression


def test_panels_have_a_number_each_and_lie_beside_each_other() -> None:
    panels: list[Json] = grafana()["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= WIDE
        assert not cells & taken
        taken |= cells
    ids = [panel["id"] for row in console()["rows"] for panel in row["panels"]]
    assert len(ids) == len(set(ids))


def test_every_panel_says_what_it_shows() -> None:
    for panel in grafana()["panels"]:
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"].endswith((".", "--needs-person")), panel["title"]


def test_the_chart_brings_the_dashboard_to_grafana_s_sidecar_if_it_is_asked_to() -> None:
    found = rendered(*EVERYTHING)("ConfigMap", "ordersaga-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["annotations"] == {"grafana_folder": "Shop"}
    assert json.loads(found["data"]["ordersaga.json"]) == json.loads(GRAFANA.read_text())
    assert "ordersaga-dashboard" not in {body["metadata"]["name"] for body in rendered().all("ConfigMap")}
