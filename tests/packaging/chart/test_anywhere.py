"""The chart with odd versions and odd values, in another chart, and in clusters that aren't like the one at home."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.wire import Json
from dev.release import render
from dev.setup.errors import StackError
from dev.stack.pytest_plugin import TestControlPlane
from tests.packaging.chart.charts import EVERYTHING, HELMS, OPENSHIFT, Manifests, environment, rendered, run_helm

ALIAS = "a-shop-whose-name-in-the-umbrella-is-as-long-as-somebody-liked-it"
# No field of those that the API server of the tests has no definition for.
FOREIGN = ("ServiceMonitor", "PrometheusRule", "Route")


def accepted(plane: TestControlPlane, objects: list[Json]) -> str:
    """What the API server says to these objects, applied on its side as Helm 4 does."""
    known = [body for body in objects if body["kind"] not in FOREIGN]
    text = yaml.safe_dump_all(known)
    result = plane.kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", input=text)
    return result.stdout


def versioned(folder: Path, version: str) -> Path:
    """The chart with this version, for itself and for the programs."""
    chart = folder / "chart"
    shutil.copytree(render.CHART, chart)
    text = (chart / "Chart.yaml").read_text()
    (chart / "Chart.yaml").write_text(re.sub(r"(?m)^(version|appVersion): .*", rf'\1: "{version}"', text))
    return chart


@pytest.mark.parametrize("program", HELMS)
@pytest.mark.parametrize("version", ["0.1.0+0123456789ab", f"1.2.3-rc.1+{'build.' * 12}7"], ids=["Flux", "long"])
def test_a_version_with_build_metadata_is_taken_by_the_api_server(
    control_plane: TestControlPlane, tmp_path: Path, program: str, version: str
) -> None:
    chart = versioned(tmp_path, version)
    where = ("--namespace", "shop", "--no-hooks", "--set", "global.imageTag=1.2.3+abc")
    result = run_helm("template", "e-commerce-saga", chart, *where, program=program)
    assert result.returncode == 0, result.stderr
    manifests = Manifests.of(result.stdout)
    assert accepted(control_plane, manifests.objects).count("serverside-applied") == len(manifests.objects)
    ours = [container["image"] for name, container in manifests.containers() if container["name"] != "mongodb"]
    assert all(image.endswith(":1.2.3_abc") for image in ours), ours


def umbrella(folder: Path, values: Json, *arguments: str, program: str = "helm") -> str:
    """What Helm makes of a chart that has ours as a dependency under an alias, or what it says against it."""
    chart = folder / "umbrella"
    shutil.copytree(render.CHART, chart / "charts" / "e-commerce-saga")
    version = yaml.safe_load((render.CHART / "Chart.yaml").read_text())["version"]
    ours = {"name": "e-commerce-saga", "version": version, "alias": ALIAS, "condition": f"{ALIAS}.enabled"}
    about = {"apiVersion": "v2", "name": "umbrella", "version": "1.0.0", "dependencies": [ours]}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    (chart / "values.yaml").write_text(yaml.safe_dump(values))
    result = run_helm("template", "all", chart, "--namespace", "shop", *arguments, program=program)
    return result.stdout if result.returncode == 0 else result.stderr


@pytest.mark.parametrize("program", HELMS)
def test_it_is_a_part_of_another_chart_whose_globals_are_everybodys(
    control_plane: TestControlPlane, tmp_path: Path, program: str
) -> None:
    everybodys = {"storageClass": "fast", "clusterName": "x", "imagePullSecrets": ["registry", "registry"]}
    ours = {"enabled": True, "global": {"environment": "production"}}
    said = umbrella(tmp_path, {"global": everybodys, ALIAS: ours}, "--no-hooks", program=program)
    manifests = Manifests.of(said)
    assert accepted(control_plane, manifests.objects).count("serverside-applied") == len(manifests.objects)
    for name, pod in manifests.pods():
        assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}], name
    assert manifests("Deployment", "payment-service")["spec"]["replicas"] == 2


def test_another_chart_can_leave_it_out(tmp_path: Path) -> None:
    assert Manifests.of(umbrella(tmp_path, {ALIAS: {"enabled": False}})).objects == []


def test_a_misspelled_value_is_refused_in_another_chart_as_well(tmp_path: Path) -> None:
    assert "additional properties 'replica' not allowed" in umbrella(tmp_path, {ALIAS: {"operator": {"replica": 2}}})


@pytest.mark.parametrize("wrong", ["global.storageClass=fast", "enabled=false"])
def test_what_is_for_another_chart_is_refused_without_one(wrong: str) -> None:
    with pytest.raises(StackError, match="values don't meet the specifications"):
        render.template("--set", wrong)


def test_the_chart_and_its_schema_know_the_same_globals() -> None:
    schema = json.loads((render.CHART / "values.schema.json").read_text())
    text = (render.CHART / "templates" / "_refused.tpl").read_text()
    (listed,) = re.findall(r"\$known := list (.*?) \}\}", text)
    assert listed.split() == [f'"{name}"' for name in sorted(schema["properties"]["global"]["properties"])]


URL = [{"name": "ORDERSAGA_PAYMENT_URL", "value": "http://pay.example:80"}]
LEVEL = [{"name": "ORDERSAGA_LOG_LEVEL", "value": "DEBUG"}, {"name": "TZ", "value": "UTC"}]
DATABASE = [{"name": "ORDERSAGA_MONGODB_URL", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]
OWN_VARIABLES = (
    *("--set-json", f"operator.env={json.dumps(URL)}", "--set-json", f"services.order.env={json.dumps(LEVEL)}"),
    *("--set-json", f"services.payment.env={json.dumps(DATABASE)}"),
)


def test_a_variable_of_whoever_installs_takes_the_place_of_the_charts(control_plane: TestControlPlane) -> None:
    chart = rendered("--no-hooks", "--set", "mongodb.auth.enabled=false", *OWN_VARIABLES)
    accepted(control_plane, chart.objects)
    for name, container in chart.containers():
        names = [each["name"] for each in container.get("env", [])]
        assert len(names) == len(set(names)), name
    given = {name: environment(container) for name, container in chart.containers()}
    assert given["ordersaga-operator"]["ORDERSAGA_PAYMENT_URL"] == "http://pay.example:80"
    assert given["ordersaga-operator"]["ORDERSAGA_ORDER_URL"] == "http://order-service:8000"
    assert (given["order-service"]["ORDERSAGA_LOG_LEVEL"], given["order-service"]["TZ"]) == ("DEBUG", "UTC")
    assert given["payment-service"]["ORDERSAGA_MONGODB_URL"] == {"secretKeyRef": {"name": "a", "key": "b"}}


def test_a_variable_that_others_refer_to_stays_before_them() -> None:
    own = ("--set-json", 'operator.env=[{"name": "ORDERSAGA_NAMESPACE", "value": "other"}]')
    where = ("--set", "tls.enabled=true", "--set", "tls.openshift=true", *OPENSHIFT)
    (operator,) = [each for _, each in rendered(*own, *where).containers() if each["name"] == "operator"]
    names = [each["name"] for each in operator["env"]]
    referring = [each["name"] for each in operator["env"] if "$(ORDERSAGA_NAMESPACE)" in each.get("value", "")]
    assert len(referring) == 5
    assert all(names.index("ORDERSAGA_NAMESPACE") < names.index(name) for name in referring)


def test_a_label_of_whoever_installs_takes_the_place_of_the_charts() -> None:
    own = ("--set-json", 'monitoring.serviceMonitor.labels={"app.kubernetes.io/name": "prometheus", "release": "p"}')
    (monitor,) = rendered("--set", "monitoring.serviceMonitor.enabled=true", *own).all("ServiceMonitor")
    assert monitor["metadata"]["labels"]["app.kubernetes.io/name"] == "prometheus"
    assert monitor["metadata"]["labels"]["app.kubernetes.io/part-of"] == "ordersaga"
    assert monitor["metadata"]["labels"]["release"] == "p"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--set", "services.order.port=8080"), "services.order.port and publicPort are both 8080"),
        (("--set", "serviceDefaults.publicPort=8001"), "services.inventory.port and publicPort are both 8001"),
        (
            ("--set", "services.order.autoscaling.enabled=true", "--set", "services.order.autoscaling.maxReplicas=1"),
            "minReplicas 2 is above maxReplicas 1",
        ),
    ],
)
def test_values_that_exclude_each_other_are_refused(wrong: tuple[str, ...], said: str) -> None:
    with pytest.raises(StackError, match=re.escape(said)):
        render.template(*wrong)


@pytest.mark.parametrize("arguments", [(), EVERYTHING, OPENSHIFT], ids=["defaults", "everything", "openshift"])
def test_nothing_in_the_chart_is_for_one_family_of_addresses(arguments: tuple[str, ...]) -> None:
    chart = rendered(*arguments)
    for body in chart.objects:
        assert not re.search(r"\b\d+\.\d+\.\d+\.\d+/\d+\b|0\.0\.0\.0", json.dumps(body)), body["metadata"]["name"]
    hosts = {
        (container["name"], value)
        for _, container in chart.containers()
        for name, value in environment(container).items()
        if name == "ORDERSAGA_HEALTH_HOST"
    }
    assert hosts == {("operator", "::"), ("replica-set", "::")}
    (mongod,) = [each for _, each in chart.containers() if each["name"] == "mongodb"]
    assert {"--bind_ip_all", "--ipv6"} <= set(mongod["args"])
    dockerfile = (render.CHECKOUT / "Dockerfile").read_text()
    assert re.findall(r"(UVICORN_HOST|ORDERSAGA_HEALTH_HOST)=(\S+)", dockerfile) == [
        ("ORDERSAGA_HEALTH_HOST", "::"),
        ("UVICORN_HOST", "::"),
    ]


def test_services_have_the_addresses_that_are_asked_for(control_plane: TestControlPlane) -> None:
    assert all(not {"ipFamilyPolicy", "ipFamilies"} & set(each["spec"]) for each in rendered().all("Service"))
    both = ("--set", "global.ipFamilyPolicy=PreferDualStack", "--set", "global.ipFamilies={IPv4}", *EVERYTHING)
    services = rendered(*both).all("Service")
    assert len(services) == 8
    assert {(each["spec"]["ipFamilyPolicy"], *each["spec"]["ipFamilies"]) for each in services} == {
        ("PreferDualStack", "IPv4")
    }
    accepted(control_plane, services)
    with pytest.raises(StackError, match="SingleStack"):
        render.template("--set", "global.ipFamilyPolicy=SingleStack", "--set", "global.ipFamilies={IPv6,IPv4}")


def test_a_port_in_an_address_with_brackets_is_let_through() -> None:
    webhook = {"kind": "webhook", "existingSecret": "hook", "webhook": {"url": "https://[fd00::7]:8443/messages"}}
    for url, port in (("https://[fd00::7]:8443/messages", 8443), ("https://[fd00::7]/messages", 443)):
        webhook["webhook"] = {"url": url}
        chart = rendered("--set-json", f"services.notification.provider={json.dumps(webhook)}")
        rules: list[dict[str, Any]] = chart("NetworkPolicy", "notification-service")["spec"]["egress"]
        assert {"ports": [{"protocol": "TCP", "port": port}]} in rules
