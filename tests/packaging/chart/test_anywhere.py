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
from tests.support import yamls

ALIAS = "a-shop-whose-name-in-the-umbrella-is-as-long-as-somebody-liked-it"
# No field of those that the API server of the tests has no definition for.
FOREIGN = ("ServiceMonitor", "PrometheusRule", "Route")
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace"}


def accepted(plane: TestControlPlane, objects: list[Json]) -> str:
    """What the API server says to these objects, applied on its side as Helm 4 does."""
    known = [body for body in objects if body["kind"] not in FOREIGN]
    text = "\n".join(json.dumps(body) for body in known)
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


NUMBERS = (
    *("--set-string", "mongodb.databasePrefix=42", "--set-string", "global.imagePullSecrets={7}"),
    *("--set-string", "mongodb.auth.existingSecret=5", "--set-string", "mongodb.persistence.storageClass=1e3"),
    *("--set-string", "tls.caSecret=1", "--set-string", "tls.secretName=0xNAME", "--set", "tls.enabled=true"),
    *("--set-string", "ingress.host=10", "--set-string", "ingress.tlsSecret=11", "--set", "ingress.enabled=true"),
    *("--set-string", "ingress.className=12", "--set-string", "operator.priorityClassName=13"),
    *("--set-string", "services.payment.mongodbSecret.name=8", "--set-string", "services.payment.mongodbSecret.key=9"),
    *("--set-string", "tracing.headersSecret=14", "--set", "tracing.endpoint=http://collector"),
    *("--set-string", "events.secret=15", "--set", "events.sink=https://sink.example.com"),
    *("--set-string", "services.notification.provider.messages=16", "--set-string", "page.secret=17"),
    *("--set-string", "page.host=18", "--set-string", "page.ingress.tlsSecret=19", "--set", "page.enabled=true"),
    *("--set", "page.oauth2Proxy.issuer=https://id.example.com", "--set", "policies.enabled=true"),
)


@pytest.mark.parametrize("program", HELMS)
@pytest.mark.parametrize(("release", "namespace"), [("2026", "42"), ("1e3", "0x1f"), ("true", "null")])
def test_a_name_that_yaml_takes_for_something_else_stays_a_name(
    control_plane: TestControlPlane, tmp_path: Path, program: str, release: str, namespace: str
) -> None:
    control_plane.kubectl(
        "apply", "--server-side", "-f", "-", input=json.dumps(NAMESPACE | {"metadata": {"name": namespace}})
    )
    # An OpenShift user's number, as a file of values has it: as large ones are floats to Helm.
    (tmp_path / "values.yaml").write_text("mongodb: {user: 1000680000}")
    where = ("--namespace", namespace, "--no-hooks", "--values", tmp_path / "values.yaml")
    result = run_helm("template", release, render.CHART, *where, *NUMBERS, program=program)
    assert result.returncode == 0, result.stderr
    manifests = Manifests.of(result.stdout)
    assert accepted(control_plane, manifests.objects).count("serverside-applied") == len(manifests.objects)
    operator = manifests("Deployment", "ordersaga-operator")
    assert operator["spec"]["selector"]["matchLabels"]["app.kubernetes.io/instance"] == release
    assert {each["metadata"].get("namespace", namespace) for each in manifests.objects} == {namespace}
    assert manifests("Deployment", "mongodb")["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 1000680000


@pytest.mark.parametrize("program", HELMS)
@pytest.mark.parametrize(
    ("taken_away", "path"),
    [
        ("global.sagaTTLSeconds", "/global"),
        ("global.personalDataDays", "/global"),
        ("serviceDefaults.autoscaling", "/serviceDefaults"),
        ("networkPolicy.apiServer", "/networkPolicy"),
        ("mongodb.user", "/mongodb"),
        ("tls", ""),
    ],
)
def test_a_value_that_is_taken_away_is_named(taken_away: str, path: str, program: str) -> None:
    result = run_helm("template", "shop", render.CHART, "--set", f"{taken_away}=null", program=program)
    assert result.returncode != 0
    assert f"at '{path}': missing property '{taken_away.rpartition('.')[2]}'" in result.stderr


@pytest.mark.parametrize("program", HELMS)
def test_what_is_a_list_or_a_map_of_kubernetes_may_be_taken_away(program: str) -> None:
    names = ("operator.env", "operator.resources", "global.ipFamilies", "mongodb.image", "networkPolicy.monitoring")
    chart = rendered(*[each for name in names for each in ("--set", f"{name}=null")], program=program)
    assert chart("Deployment", "ordersaga-operator")["spec"]["template"]["spec"]["containers"][0]["resources"] is None


def test_the_schema_asks_for_every_value_that_a_template_can_not_do_without() -> None:
    schema = json.loads((render.CHART / "values.schema.json").read_text())
    values = yamls.load((render.CHART / "values.yaml").read_text())

    def lacking(asked: Json, given: Json, path: str) -> list[str]:
        found = []
        for name, value in given.items():
            kind = asked["properties"].get(name, {})
            if "$ref" in kind:
                kind = schema["definitions"][kind["$ref"].rpartition("/")[2]]
            if isinstance(value, list) or (
                isinstance(value, dict) and not ("properties" in kind and "required" in kind)
            ):
                continue
            if name not in asked.get("required", ()):
                found.append(f"{path}.{name}")
            if isinstance(value, dict):
                found += lacking(kind, value, f"{path}.{name}")
        return found

    services = values.pop("services")
    assert lacking(schema, values, "") == []
    provider = services["notification"]["provider"]
    assert lacking(schema["definitions"]["messageProvider"], provider, "provider") == []


def umbrella(
    folder: Path, values: Json, *arguments: str, program: str = "helm", aliases: tuple[str, ...] = (ALIAS,)
) -> str:
    """What Helm makes of a chart that has ours as a dependency under an alias or more, or what it says against it."""
    chart = folder / "umbrella"
    shutil.copytree(render.CHART, chart / "charts" / "e-commerce-saga")
    version = yamls.load((render.CHART / "Chart.yaml").read_text())["version"]
    ours = [
        {"name": "e-commerce-saga", "version": version, "alias": alias, "condition": f"{alias}.enabled"}
        for alias in aliases
    ]
    about = {"apiVersion": "v2", "name": "umbrella", "version": "1.0.0", "dependencies": ours}
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


@pytest.mark.parametrize("program", HELMS)
def test_another_chart_can_have_it_once(tmp_path: Path, program: str) -> None:
    both, one = tmp_path / "both", tmp_path / "one"
    said = umbrella(both, {}, program=program, aliases=("east", "west"))
    assert "umbrella/charts/west/templates and umbrella/charts/east/templates: a release has this chart once" in said
    said = umbrella(one, {"east": {"enabled": False}}, "--no-hooks", program=program, aliases=("east", "west"))
    names = [(body["kind"], body["metadata"]["name"]) for body in Manifests.of(said).objects]
    assert len(names) == len(set(names)) > 40


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
