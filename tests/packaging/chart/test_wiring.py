"""Names that the chart shares with the programs: a setting, a metric or a label that no program knows is an error."""

import re
from typing import Any

import prometheus_client
import pytest
import yaml

from common.background import Background
from common.certificate import show_times
from common.mongod_files import MongodFiles
from common.replicaset import ReplicaSetSettings
from common.settings import ServiceSettings
from common.web.metrics import ServiceMetrics
from common.wire import Json
from dev.release import render
from ordersaga.settings import Settings as CommandSettings
from saga_operator import metrics
from saga_operator.settings import Settings
from services.notification.settings import NotificationSettings
from services.order.lost import LostSagas
from services.order.settings import OrderSettings
from tests.packaging.chart.charts import EVERYTHING, environment, rendered

ENCRYPTED = (*EVERYTHING, "--set", "tls.enabled=true")
ALERTS = yaml.safe_load((render.CHART / "files" / "alerts.yaml").read_text())["groups"][0]["rules"]
# Stable ones of kube-state-metrics (its docs/metrics/workload): how jobs are going isn't ours to measure.
KUBE_STATE_METRICS = {
    "kube_cronjob_status_last_successful_time",
    "kube_job_failed",
    "kube_job_owner",
    "kube_job_status_start_time",
}


def _settings(*models: type) -> set[str]:
    return {f"ORDERSAGA_{field.upper()}" for model in models for field in model.model_fields}  # type: ignore[attr-defined]


@pytest.mark.parametrize("arguments", [(), EVERYTHING, ENCRYPTED], ids=["defaults", "everything", "TLS"])
def test_every_environment_variable_is_a_setting_of_its_program(arguments: tuple[str, ...]) -> None:
    known = {
        "service": _settings(ServiceSettings, OrderSettings, NotificationSettings)
        | {
            "UVICORN_PORT",
            "UVICORN_SSL_CERTFILE",
            "UVICORN_SSL_KEYFILE",
            "ORDERSAGA_ORDER_URL",
            "ORDERSAGA_PAYMENT_URL",
        },
        "operator": _settings(Settings),
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
    assert {rule["alert"] for rule in ALERTS} == {
        "SagaCompensationFailed",
        "SagaStuck",
        "ParticipantDown",
        "ParticipantError",
        "SagaWorkerFailed",
        "OperatorDown",
        "SagaCallsThrottled",
        "SagasNotTakenIn",
        "ClockSkewed",
        "BackgroundWorkFailing",
        "CertificateNotRenewed",
        "OrdersWithoutSaga",
        "OrderSagaAuditFailed",
    }
    assert metrics.LEADER in prometheus_client.REGISTRY._collector_to_names  # the operator's are in the common one
    registry = ServiceMetrics("order").registry
    Background("order", registry)
    show_times("order", registry, float, float)
    nobody: Any = None
    LostSagas(nobody, nobody, nobody, mode="report", seconds=60, registry=registry)
    collectors = [*prometheus_client.REGISTRY.collect(), *registry.collect()]
    measured = {sample.name for each in collectors for sample in each.samples} | {each.name for each in collectors}
    measured |= {f"{name}_total" for name in measured} | KUBE_STATE_METRICS
    for rule in ALERTS:
        names = set(re.findall(r"\b(?:ordersaga|kube)_\w+", rule["expr"]))
        assert names, rule["alert"]
        assert names <= measured, rule["alert"]


def test_the_alert_of_the_audit_names_the_chart_s_job() -> None:
    (rule,) = [rule for rule in ALERTS if rule["alert"] == "OrderSagaAuditFailed"]
    name = rendered().all("CronJob")[0]["metadata"]["name"]
    assert set(re.findall(r'(?:cronjob|owner_name)="([^"]+)"', rule["expr"])) == {name}


def test_every_alert_says_what_to_do_and_has_its_section() -> None:
    manual = (render.CHECKOUT / "docs" / "alerts.md").read_text()
    for rule in ALERTS:
        assert set(rule["annotations"]) == {"summary", "description", "runbook", "runbook_url"}
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["runbook_url"] == f"RUNBOOK#{rule['alert'].lower()}"
        assert f"\n## {rule['alert']}\n" in manual


def test_the_alerts_in_the_chart_are_those_for_this_namespace() -> None:
    with_url = rendered(*EVERYTHING)("PrometheusRule", "ordersaga")["spec"]["groups"][0]["rules"]
    without = rendered("--set", "monitoring.prometheusRule.enabled=true")("PrometheusRule", "ordersaga")
    for rule, bare, source in zip(with_url, without["spec"]["groups"][0]["rules"], ALERTS, strict=True):
        assert rule["expr"] == source["expr"].replace("NAMESPACE", "shop")
        anchor = rule["alert"].lower()
        assert rule["annotations"]["runbook_url"] == f"https://shop.example.com/alerts.md#{anchor}"
        assert "runbook_url" not in bare["annotations"]
        assert "NAMESPACE" not in str(rule)


def test_prometheus_finds_all_services_and_the_operator() -> None:
    chart = rendered(*EVERYTHING)
    selector = chart("ServiceMonitor", "ordersaga")["spec"]["selector"]
    (expression,) = selector["matchExpressions"]

    def selected(body: Json) -> bool:
        labels = body["metadata"]["labels"]
        return labels.items() >= selector["matchLabels"].items() and labels[expression["key"]] in expression["values"]

    found = {body["metadata"]["name"] for body in chart.all("Service") if selected(body)}
    assert found == {body["metadata"]["name"] for body in chart.all("Service")} - {"mongodb", "ordersaga-page"}
