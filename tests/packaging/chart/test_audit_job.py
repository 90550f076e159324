"""The nightly audit in the chart: who may it ask, where does it look, what becomes of its answer."""

from typing import Any

from common.services import SERVICES
from common.wire import Json
from ordersaga.audit.command import BLIND, FINDINGS
from tests.packaging.chart.charts import EVERYTHING, database_of, environment, rendered

OPEN = ("--set", "mongodb.auth.enabled=false")
EXTERNAL = ("--set", "mongodb.existingSecret=shop-database")
READER = ("--set-json", 'audit.mongodbSecret={"name": "auditor", "key": "uri"}')
LABELS = {"app.kubernetes.io/name": "mongodb", "app.kubernetes.io/instance": "e-commerce-saga"}
BUNDLED = {"podSelector": {"matchLabels": LABELS}}


def job(*arguments: str) -> Json:
    """The job that the CronJob makes."""
    spec: Json = rendered(*arguments)("CronJob", "ordersaga-audit")["spec"]["jobTemplate"]["spec"]
    return spec


def urls(*arguments: str) -> dict[str, Any]:
    """Where the audit finds the databases."""
    (container,) = job(*arguments)["template"]["spec"]["containers"]
    return {name: value for name, value in environment(container).items() if name.endswith("_URL")}


def secret(name: str) -> Json:
    return {"secretKeyRef": {"name": name, "key": "uri"}}


def test_the_books_are_looked_at_every_night_unless_somebody_says_otherwise() -> None:
    assert rendered()("CronJob", "ordersaga-audit")["spec"]["schedule"] == "17 3 * * *"
    off = rendered("--set", "audit.enabled=false")
    assert [body for body in off.objects if "audit" in body["metadata"]["name"]] == []
    assert "ordersaga-audit" not in str(off("NetworkPolicy", "mongodb"))


def test_a_second_audit_waits_and_each_has_a_deadline_and_at_most_four_are_kept() -> None:
    spec = rendered()("CronJob", "ordersaga-audit")["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["successfulJobsHistoryLimit"] + spec["failedJobsHistoryLimit"] == 4
    assert job()["activeDeadlineSeconds"] == 3600


def test_findings_end_the_job_and_who_could_not_look_tries_again() -> None:
    rules = job()["podFailurePolicy"]["rules"]
    (final,) = [rule["onExitCodes"] for rule in rules if rule["action"] == "FailJob"]
    (container,) = job()["template"]["spec"]["containers"]
    assert (final["containerName"], final["operator"], final["values"]) == (container["name"], "In", [FINDINGS])
    assert job()["backoffLimit"] > 0
    assert BLIND not in final["values"]


def test_it_looks_where_the_services_write() -> None:
    assert urls() == {"ORDERSAGA_MONGODB_URL": {"secretKeyRef": {"name": "mongodb-users", "key": "audit"}}}
    assert urls(*OPEN) == {"ORDERSAGA_MONGODB_URL": "mongodb://mongodb:27017/?directConnection=true"}
    assert urls(*EXTERNAL) == {"ORDERSAGA_MONGODB_URL": secret("shop-database")}
    own = {"ORDERSAGA_PAYMENT_MONGODB_URL": secret("payment-database")}
    assert urls(*EVERYTHING) == {**urls(), **own}
    known = urls(*EVERYTHING, *EXTERNAL)
    for service in SERVICES:
        its = known.get(f"ORDERSAGA_{service.upper()}_MONGODB_URL", known["ORDERSAGA_MONGODB_URL"])
        assert (its["secretKeyRef"]["name"], "uri") == database_of(service, *EVERYTHING, *EXTERNAL)
        assert database_of(service) == ("mongodb-users", service)


def test_it_may_have_a_user_of_its_own_who_can_only_read() -> None:
    assert urls(*EVERYTHING, *READER) == {"ORDERSAGA_MONGODB_URL": secret("auditor")}


def test_it_reaches_its_databases_the_api_server_and_nothing_else() -> None:
    api_server = {"ports": [{"protocol": "TCP", "port": port} for port in (443, 6443, 8443, 16443)]}
    bundled = {"to": [BUNDLED], "ports": [{"protocol": "TCP", "port": "mongodb"}]}
    elsewhere = {"ports": [{"protocol": "TCP", "port": 27017}]}
    for arguments, databases in (
        ((), [bundled]),
        (EXTERNAL, [elsewhere]),
        (EVERYTHING, [elsewhere, bundled]),
        ((*EVERYTHING, *READER), [elsewhere]),
    ):
        policy = rendered(*arguments)("NetworkPolicy", "ordersaga-audit")["spec"]
        assert policy["egress"] == [*databases, api_server], arguments
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert "ingress" not in policy
    sources = rendered()("NetworkPolicy", "mongodb")["spec"]["ingress"][0]["from"]
    assert "ordersaga-audit" in str(sources)
