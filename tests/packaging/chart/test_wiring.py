"""Names that the chart shares with the programs: a setting, a metric or a label that no program knows is an error."""

import re
import shlex

import pytest

from common.mongod_files import MongodFiles
from common.replicaset import ReplicaSetSettings
from common.settings import ServiceSettings
from common.wire import Json
from dev.release import render
from dev.release.observing.declared import declared
from ordersaga.saga.command import parser as command_parser
from ordersaga.settings import Settings as CommandSettings
from saga_operator import metrics
from saga_operator.live_sagas import OBJECTIVE
from saga_operator.settings import Settings
from services.notification.settings import NotificationSettings
from services.order.settings import OrderSettings
from tests.packaging.chart.charts import EVERYTHING, environment, rendered
from tests.support import yamls

ENCRYPTED = (*EVERYTHING, "--set", "tls.enabled=true")
RULES = [
    rule
    for group in yamls.load((render.CHART / "files" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
RUNBOOKS = render.CHECKOUT / "docs" / "runbooks"
PLAYED = yamls.load((render.CHECKOUT / "tests" / "packaging" / "chart" / "alerts-test.yaml").read_text())["tests"]
# Stable ones of kube-state-metrics (its docs/metrics/workload): how jobs are going isn't ours to measure.
KUBE_STATE_METRICS = {
    "kube_cronjob_status_last_successful_time",
    "kube_job_failed",
    "kube_job_owner",
    "kube_job_status_start_time",
}
OPENTELEMETRY = {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_TRACES_SAMPLER_ARG"}
"""Of its own environment variables: those that `tracing` of the chart sets."""


def _settings(*models: type) -> set[str]:
    return {f"ORDERSAGA_{field.upper()}" for model in models for field in model.model_fields}  # type: ignore[attr-defined]


@pytest.mark.parametrize("arguments", [(), EVERYTHING, ENCRYPTED], ids=["defaults", "everything", "TLS"])
def test_every_environment_variable_is_a_setting_of_its_program(arguments: tuple[str, ...]) -> None:
    known = {
        "service": OPENTELEMETRY
        | _settings(ServiceSettings, OrderSettings, NotificationSettings)
        | {
            "UVICORN_PORT",
            "UVICORN_SSL_CERTFILE",
            "UVICORN_SSL_KEYFILE",
            "ORDERSAGA_ORDER_URL",
            "ORDERSAGA_PAYMENT_URL",
        },
        "operator": OPENTELEMETRY | _settings(Settings),
        "wait": _settings(CommandSettings),
        "order": _settings(CommandSettings),
        "replica-set": _settings(ReplicaSetSettings),
        "audit": _settings(CommandSettings),
        "mongodb": {"HOME"},
        "files": _settings(MongodFiles),
        "page": {"ORDERSAGA_NAMESPACE", "ORDERSAGA_PAGE_PORT"},  # of its arguments: see test_page.py
        "proxy": {f"OAUTH2_PROXY_{name}" for name in ("CLIENT_ID", "CLIENT_SECRET", "COOKIE_SECRET")},
    }
    for name, container in rendered(*arguments).containers():
        assert set(environment(container)) <= known[container["name"]], name


def test_urls_lead_to_services_that_exist() -> None:
    chart = rendered()
    ports = {body["metadata"]["name"]: body["spec"]["ports"][0]["port"] for body in chart.all("Service")}
    for name, container in chart.containers():
        for variable, value in environment(container).items():
            if variable.endswith("_URL") and isinstance(value, str) and "127.0.0.1" not in value:
                host, port = re.match(r"\w+://([a-z-]+):(\d+)", value).groups()  # type: ignore[union-attr]
                assert ports[host] == int(port), (name, variable)


def test_alerts_speak_of_metrics_that_are_measured() -> None:
    measured = {series for metric in declared().values() for series in metric.series} | KUBE_STATE_METRICS
    for rule in RULES:
        names = set(re.findall(r"(?<!:)\b(?:ordersaga|kube)_\w+", rule["expr"]))
        recorded = set(re.findall(r"\bordersaga:[\w:]+", rule["expr"]))
        assert names | recorded, rule
        assert names <= measured, rule
        assert recorded <= {each["record"] for each in RULES if "record" in each}


def test_every_alert_is_played_to_promtool_until_it_fires_and_to_where_it_does_not() -> None:
    cases = [case for test in PLAYED for case in test["alert_rule_test"]]
    for rule in ALERTS:
        outcomes = {bool(case.get("exp_alerts")) for case in cases if case["alertname"] == rule["alert"]}
        assert outcomes == {True, False}, rule["alert"]


def test_the_trouble_of_every_alert_is_made_for_a_real_prometheus() -> None:
    made = "".join(each.read_text() for each in (render.CHECKOUT / "tests" / "e2e" / "alerts").glob("test_*.py"))
    for rule in ALERTS:
        assert f'until_fires("{rule["alert"]}"' in made, rule["alert"]


def test_an_order_is_late_after_a_time_that_the_histogram_of_durations_tells_apart() -> None:
    bounds = set(re.findall(r'le="([^"]+)"', (render.CHART / "files" / "alerts.yaml").read_text()))
    assert bounds == {str(OBJECTIVE)}
    metrics.DURATION.labels("Completed")
    assert str(OBJECTIVE) in {s.labels.get("le") for f in metrics.DURATION.collect() for s in f.samples}


def test_the_alert_of_the_audit_names_the_chart_s_job() -> None:
    (rule,) = [rule for rule in ALERTS if rule["alert"] == "OrderSagaAuditFailed"]
    name = rendered().all("CronJob")[0]["metadata"]["name"]
    assert set(re.findall(r'(?:cronjob|owner_name)="([^"]+)"', rule["expr"])) == {name}


def test_every_alert_says_what_to_do_and_has_its_runbook() -> None:
    index = (RUNBOOKS / "README.md").read_text()
    for rule in ALERTS:
        name, notes = rule["alert"], rule["annotations"]
        assert set(notes) == {"summary", "description", "runbook", "runbook_url", "dashboard_url"}
        assert rule["labels"]["severity"] in ("critical", "warning", "none")
        assert notes["runbook_url"] == f"RUNBOOK/{name}.md"
        assert notes["dashboard_url"] == "DASHBOARD?var-namespace=NAMESPACE"
        page = (RUNBOOKS / f"{name}.md").read_text()
        assert page.startswith(f"# {name}\n")
        assert re.findall("^## (.*)$", page, re.MULTILINE) == ["Find", "Mend", "Over"]
        assert f"Severity: {rule['labels']['severity']}" in page or name == "SagasLate"
        assert f"[{name}]({name}.md)" in index
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == {rule["alert"] for rule in ALERTS} | {"README"}


def test_the_commands_of_the_runbooks_can_be_typed() -> None:
    typed = 0
    for page in RUNBOOKS.glob("*.md"):
        for command in re.findall(
            r"^ +kubectl saga (.*)$|`kubectl saga ([^`]* NS\b[^`]*)`", page.read_text(), re.MULTILINE
        ):
            command_parser().parse_args(shlex.split("".join(command)))  # it exits if the command is wrong
            typed += 1
    assert typed > 20


def test_the_alerts_in_the_chart_are_those_for_this_namespace() -> None:
    def rules(*arguments: str) -> list[Json]:
        groups = rendered(*arguments)("PrometheusRule", "ordersaga")["spec"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    bare = rules("--set", "monitoring.prometheusRule.enabled=true")
    for rule, without, source in zip(rules(*EVERYTHING), bare, RULES, strict=True):
        assert rule["expr"] == source["expr"].replace("NAMESPACE", "shop")
        assert not {"NAMESPACE", "RUNBOOK", "DASHBOARD"} & set(re.findall(r"[A-Z]{2,}", str(rule)))
        if "alert" in rule:
            notes = rule["annotations"]
            assert notes["runbook_url"] == f"https://shop.example.com/runbooks/{rule['alert']}.md"
            assert notes["dashboard_url"] == "https://grafana.example.com/d/ordersaga?var-namespace=shop"
            assert not {"runbook_url", "dashboard_url"} & set(without["annotations"])


def test_prometheus_finds_all_services_and_the_operator() -> None:
    chart = rendered(*EVERYTHING)
    selector = chart("ServiceMonitor", "ordersaga")["spec"]["selector"]
    (expression,) = selector["matchExpressions"]

    def selected(body: Json) -> bool:
        labels = body["metadata"]["labels"]
        return labels.items() >= selector["matchLabels"].items() and labels[expression["key"]] in expression["values"]

    found = {body["metadata"]["name"] for body in chart.all("Service") if selected(body)}
    assert found == {body["metadata"]["name"] for body in chart.all("Service")} - {"mongodb", "ordersaga-page"}
