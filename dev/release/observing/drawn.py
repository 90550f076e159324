"""The panels as two programs take them: Grafana, and OpenShift's console, which reads an older Grafana's."""

from collections.abc import Iterator
from typing import Any, Final

from common.wire import Json
from dev.release.observing.order_rows import ORDERS_ROW, STEPS_ROW, TROUBLE_ROW
from dev.release.observing.panels import Panel, Query
from dev.release.observing.part_rows import DATABASE_ROW, OPERATOR_ROW, PARTICIPANTS_ROW, SERVICES_ROW, TOLD_ROW

ROWS: Final = (
    ORDERS_ROW,
    TROUBLE_ROW,
    STEPS_ROW,
    PARTICIPANTS_ROW,
    OPERATOR_ROW,
    SERVICES_ROW,
    DATABASE_ROW,
    TOLD_ROW,
)

UID: Final = "ordersaga"
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
WIDE: Final = 24
"""Columns of Grafana's grid."""
HIGH: Final = 8


def grafana() -> Json:
    """For Grafana 10 and newer. A namespace may be chosen, and needn't be there: docker-compose has none."""
    return {
        "uid": UID,
        "title": "OrderSaga",
        "tags": ["ordersaga"],
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "schemaVersion": 39,
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "version": 1,
        "links": [],
        "annotations": {"list": []},
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Data source",
                    "type": "datasource",
                    "query": "prometheus",
                    "current": {"text": "Prometheus", "value": "prometheus"},
                    "hide": 0,
                    "options": [],
                    "refresh": 1,
                    "regex": "",
                    "includeAll": False,
                    "multi": False,
                },
                {
                    "name": "namespace",
                    "label": "Namespace",
                    "type": "query",
                    "datasource": SOURCE,
                    "query": {"query": "label_values(ordersaga_build_info, namespace)", "refId": "namespace"},
                    "definition": "label_values(ordersaga_build_info, namespace)",
                    "current": {"text": "All", "value": "$__all"},
                    "hide": 0,
                    "options": [],
                    "refresh": 2,
                    "regex": "",
                    "sort": 1,
                    "includeAll": True,
                    "allValue": ".*",
                    "multi": False,
                },
            ]
        },
        "panels": list(_grafana_panels()),
    }


def asked(query: Query, *, namespace: str, over: str) -> str:
    """The query for this choice of namespaces (a matcher), with rates over this time."""
    return query.expression.replace("@", namespace).replace("~]", f"{over}]")


def _grafana_panels() -> Iterator[Json]:
    made, top = 0, 0
    for row in ROWS:
        made += 1
        place = {"h": 1, "w": WIDE, "x": 0, "y": top}
        yield {"id": made, "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
        top, left, high = top + 1, 0, 0
        for panel in row.panels:
            made += 1
            wide, tall = (6, 4) if panel.is_number else (12, HIGH)
            if left + wide > WIDE:
                top, left, high = top + high, 0, 0
            yield {"id": made, **_grafana_panel(panel), "gridPos": {"h": tall, "w": wide, "x": left, "y": top}}
            left, high = left + wide, max(high, tall)
        top += high


def _grafana_panel(panel: Panel) -> Json:
    defaults: Json = {"unit": panel.unit, "min": 0}
    options: dict[str, Any]
    if panel.is_number:
        steps: list[Json] = [{"color": "green", "value": None}]
        if panel.bad_above is not None:
            steps.append({"color": "red", "value": panel.bad_above})
        defaults |= {"thresholds": {"mode": "absolute", "steps": steps}, "color": {"mode": "thresholds"}}
        reduced = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        options = {"reduceOptions": reduced, "colorMode": "value", "graphMode": "area", "textMode": "auto"}
    else:
        defaults["custom"] = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
        options = {
            "legend": {
                "displayMode": "table",
                "placement": "right",
                "calcs": ["lastNotNull", "max"],
                "showLegend": True,
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    return {
        "type": "stat" if panel.is_number else "timeseries",
        "title": panel.title,
        "description": panel.help,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {
                "refId": "ABC"[position],
                "datasource": SOURCE,
                "expr": asked(query, namespace='namespace=~"$namespace"', over="$__rate_interval"),
                "legendFormat": query.legend or "__auto",
                "exemplar": query.has_exemplars,
                "instant": panel.is_number,
                "range": not panel.is_number,
            }
            for position, query in enumerate(panel.queries)
        ],
    }


def console() -> Json:
    """For Observe, Dashboards. It knows neither exemplars nor a time for rates, and one namespace is chosen."""
    namespace: Json = {
        "name": "namespace",
        "type": "query",
        "label": "Namespace",
        "datasource": "$datasource",
        "query": "label_values(ordersaga_leader, namespace)",
        "refresh": 2,
        "includeAll": False,
        "multi": False,
        "options": [],
        "current": {"text": "e-commerce-saga", "value": "e-commerce-saga"},
    }
    source: Json = {
        "name": "datasource",
        "type": "datasource",
        "query": "prometheus",
        "hide": 2,
        "label": "Data source",
        "current": {"text": "default", "value": "default"},
        "options": [],
        "refresh": 1,
    }
    ids = iter(range(1, 1000))
    return {
        "title": "OrderSaga",
        "uid": UID,
        "tags": ["ordersaga"],
        "editable": False,
        "schemaVersion": 14,
        "version": 1,
        "refresh": "30s",
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [source, namespace]},
        "rows": [
            {
                "title": row.title,
                "showTitle": True,
                "collapse": False,
                "height": "250px",
                "panels": [{"id": next(ids), **_console_panel(panel)} for panel in row.panels],
            }
            for row in ROWS
        ],
    }


def _console_panel(panel: Panel) -> Json:
    targets: list[Json] = [
        {
            "expr": asked(query, namespace='namespace="$namespace"', over="5m"),
            "format": "time_series",
            **({"instant": True} if panel.is_number else {"intervalFactor": 2, "legendFormat": query.legend}),
            "refId": "ABC"[position],
        }
        for position, query in enumerate(panel.queries)
    ]
    common: Json = {"title": panel.title, "description": panel.help, "datasource": "$datasource"}
    if panel.is_number:
        unit = "none" if panel.unit == "short" else panel.unit
        return {**common, "type": "singlestat", "span": 3, "format": unit, "valueName": "current", "targets": targets}
    return {
        **common,
        "type": "graph",
        "span": 6,
        "stack": False,
        "fill": 1,
        "linewidth": 1,
        "nullPointMode": "null as zero",
        "targets": targets,
        "xaxis": {"mode": "time", "show": True},
        "yaxes": [{"format": panel.unit, "min": 0, "show": True}, {"show": False}],
    }
