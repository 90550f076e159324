"""TLS in the chart: whose certificate is where, who checks it, and what else has to know."""

import base64
from pathlib import Path
from typing import Any

import pytest
from pymongo.uri_parser import parse_uri

from common.mongod_files import KEY, PAIR
from common.services import SERVICES
from common.wire import Json
from tests.packaging.chart.charts import EVERYTHING, OPENSHIFT, environment, rendered

ISSUER = ("--set", "tls.certManager.issuerRef.name=shop-authority")
TLS = ("--set", "tls.enabled=true")
ON = (*EVERYTHING, *TLS, *ISSUER)
PARTS = {"ordersaga-operator", *(f"{service}-service" for service in SERVICES)}
SERVING = (*OPENSHIFT, *TLS, "--set", "tls.openshift=true")


def volume(pod: Json, path: str) -> Any:
    """What is mounted there in the pod's one container."""
    (container,) = pod["spec"]["containers"]
    (mount,) = [each for each in container.get("volumeMounts", []) if each["mountPath"] == path]
    (found,) = [each for each in pod["spec"]["volumes"] if each["name"] == mount["name"]]
    assert mount["readOnly"]
    return found


def mounted(container: Json, path: str) -> str:
    """The name of the volume there."""
    (mount,) = [each for each in container["volumeMounts"] if each["mountPath"] == path]
    return str(mount["name"])


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_has_a_certificate_of_its_own_and_says_so_to_the_kubelet(service: str) -> None:
    chart = rendered(*ON)
    pod = chart("Deployment", f"{service}-service")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    known = environment(container)
    folder = Path(known["UVICORN_SSL_CERTFILE"]).parent
    assert known["UVICORN_SSL_KEYFILE"] == f"{folder}/tls.key"
    secret = volume(pod, str(folder))["secret"]
    assert (secret["secretName"], secret["defaultMode"]) == (f"{service}-service-tls", 0o440)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["scheme"] == "HTTPS"
    certificate = chart("Certificate", f"{service}-service")["spec"]
    assert certificate["secretName"] == secret["secretName"]
    assert {f"{service}-service", f"{service}-service.shop.svc"} <= set(certificate["dnsNames"])
    assert {port["appProtocol"] for port in chart("Service", f"{service}-service")["spec"]["ports"]} == {"https"}


@pytest.mark.parametrize("arguments", [ON, SERVING], ids=["cert-manager", "OpenShift"])
def test_whoever_calls_a_service_checks_its_certificate_and_sees_no_key(arguments: tuple[str, ...]) -> None:
    callers = 0
    for name, pod in rendered(*arguments).pods():
        container = pod["spec"]["containers"][0]
        known = environment(container)
        urls = {key: url for key, url in known.items() if key.endswith("_URL") and "MONGODB" not in key}
        assert all(url.startswith("https://") for url in urls.values()), name
        if not urls:
            continue
        callers += 1
        file = Path(known["ORDERSAGA_CA_FILE"])
        authority = volume(pod, str(file.parent))
        (item,) = authority.get("secret", authority.get("configMap"))["items"]
        assert item["path"] == file.name
        assert item["key"] in ("ca.crt", "service-ca.crt")
        names = [variable["name"] for variable in container["env"]]
        for key, url in urls.items():
            if "$(ORDERSAGA_NAMESPACE)" in url:  # only what stands before it is put in
                assert names.index("ORDERSAGA_NAMESPACE") < names.index(key), name
    assert callers == 6, "four services, the operator, and helm test"


def test_openshift_makes_the_certificates_and_says_who_has_signed_them() -> None:
    chart = rendered(*SERVING)
    for service in SERVICES:
        annotations = chart("Service", f"{service}-service")["metadata"]["annotations"]
        asked_for = annotations["service.beta.openshift.io/serving-cert-secret-name"]
        pod = chart("Deployment", f"{service}-service")["spec"]["template"]
        assert volume(pod, "/etc/ordersaga/tls")["secret"]["secretName"] == asked_for
    operator = chart("Deployment", "ordersaga-operator")["spec"]["template"]
    bundle = volume(operator, "/etc/ordersaga/authority")["configMap"]["name"]
    assert chart("ConfigMap", bundle)["metadata"]["annotations"] == {
        "service.beta.openshift.io/inject-cabundle": "true"
    }
    for name, part in (("ordersaga-operator", "operator"), ("mongodb", "mongodb")):
        annotations = chart("Service", name)["metadata"]["annotations"]
        assert annotations["service.beta.openshift.io/serving-cert-secret-name"] == f"{part}-service-tls"
    # its certificates are for these names alone
    (container,) = operator["spec"]["containers"]
    assert environment(container)["ORDERSAGA_PAYMENT_URL"] == "https://payment-service.$(ORDERSAGA_NAMESPACE).svc:8002"
    assert chart("Route", "ordersaga")["spec"]["tls"]["termination"] == "reencrypt"
    assert chart.all("Certificate") == []


def test_prometheus_checks_each_part_by_its_name() -> None:
    chart = rendered(*ON)
    for part in PARTS:
        spec = chart("ServiceMonitor", part)["spec"]
        labels = chart("Service", part)["metadata"]["labels"]
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        (endpoint,) = spec["endpoints"]
        assert endpoint["scheme"] == "https"
        name = endpoint["tlsConfig"]["serverName"]
        assert name in chart("Certificate", part)["spec"]["dnsNames"]
        assert endpoint["tlsConfig"]["ca"]["secret"]["key"] == "ca.crt"
    (rest,) = rendered(*EVERYTHING).all("ServiceMonitor")
    (expression,) = rest["spec"]["selector"]["matchExpressions"]
    assert expression["values"] == ["service", "operator"]
    assert {each["metadata"]["name"] for each in chart.all("ServiceMonitor")} == PARTS


def test_an_ingress_is_told_to_speak_tls_to_the_services() -> None:
    annotations = rendered(*ON)("Ingress", "ordersaga")["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTPS"


def test_without_it_nothing_of_it_is_there() -> None:
    chart = rendered()
    assert chart.all("Certificate") == []
    assert "tls.crt" not in str(chart.objects)


def test_the_bundled_database_asks_for_passwords_and_each_service_sees_its_own_alone() -> None:
    chart = rendered()
    uris = chart("Secret", "mongodb-users")["data"]
    assert set(uris) == {"admin", "audit", *SERVICES}
    assert len(set(uris.values())) == len(uris)
    for service in SERVICES:
        pod = chart("Deployment", f"{service}-service")["spec"]["template"]
        secret = volume(pod, "/etc/ordersaga/mongodb")["secret"]
        assert (secret["secretName"], secret["items"]) == ("mongodb-users", [{"key": service, "path": service}])
    mongodb = chart("Deployment", "mongodb")["spec"]["template"]["spec"]
    (mongod,) = mongodb["containers"]
    (key,) = [argument.removeprefix("--keyFile=") for argument in mongod["args"] if argument.startswith("--keyFile=")]
    (maker, keeper) = mongodb["initContainers"]
    assert key == f"{environment(maker)['ORDERSAGA_MONGODB_FILES']}/{KEY}"
    assert {mount["name"] for mount in keeper["volumeMounts"]} == {"users"}
    assert "users" not in {mount["name"] for mount in mongod["volumeMounts"]}


def test_the_operators_port_has_a_certificate_of_its_own_and_says_so_to_the_kubelet() -> None:
    chart = rendered(*ON)
    pod = chart("Deployment", "ordersaga-operator")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    folder = environment(container)["ORDERSAGA_HEALTH_CERTIFICATE"]
    secret = volume(pod, folder)["secret"]
    assert (secret["secretName"], secret["defaultMode"]) == ("operator-service-tls", 0o440)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["scheme"] == "HTTPS"
    assert chart("Certificate", "ordersaga-operator")["spec"]["secretName"] == secret["secretName"]
    (port,) = chart("Service", "ordersaga-operator")["spec"]["ports"]
    assert port["appProtocol"] == "https"


@pytest.mark.parametrize("arguments", [ON, SERVING], ids=["cert-manager", "OpenShift"])
@pytest.mark.parametrize("users", [True, False], ids=["users", "no users"])
def test_the_bundled_database_speaks_tls_alone_with_a_certificate_that_is_renewed(
    arguments: tuple[str, ...], users: bool
) -> None:
    chart = rendered(*arguments, "--set", f"mongodb.auth.enabled={str(users).lower()}")
    pod = chart("Deployment", "mongodb")["spec"]["template"]["spec"]
    (mongod,), (maker, keeper) = pod["containers"], pod["initContainers"]
    said = dict(argument.removeprefix("--").partition("=")[::2] for argument in mongod["args"])
    assert said["tlsMode"] == "requireTLS"
    assert ("keyFile" in said) == users
    files = environment(maker)["ORDERSAGA_MONGODB_FILES"]
    assert said["tlsCertificateKeyFile"] == f"{files}/{PAIR}"
    volumes = {each["name"]: each for each in pod["volumes"]}
    for program in (maker, keeper):
        assert environment(program)["ORDERSAGA_MONGODB_FILES"] == files
        secret = volumes[mounted(program, environment(program)["ORDERSAGA_MONGODB_CERTIFICATE"])]["secret"]
        assert (secret["secretName"], secret["defaultMode"]) == ("mongodb-service-tls", 0o440)
    assert {mounted(container, files) for container in (mongod, maker, keeper)} == {"files"}
    assert volumes["files"]["emptyDir"]["medium"] == "Memory", "the key stands on no disk"
    (keys,) = [each for each in mongod["volumeMounts"] if each["mountPath"] == files]
    assert keys["readOnly"]


@pytest.mark.parametrize("arguments", [ON, SERVING], ids=["cert-manager", "OpenShift"])
def test_whoever_asks_the_bundled_database_checks_its_certificate(arguments: tuple[str, ...]) -> None:
    chart = rendered(*arguments)
    uris = [base64.b64decode(uri).decode() for uri in chart("Secret", "mongodb-users")["data"].values()]
    (host,) = {parse_uri(uri)["nodelist"][0][0] for uri in uris}
    if chart.all("Certificate"):
        assert host in chart("Certificate", "mongodb")["spec"]["dnsNames"]
    else:
        assert host == "mongodb.shop.svc", "OpenShift's have no other name"
    pods = [(f"{name}-service", chart("Deployment", f"{name}-service")["spec"]["template"]) for name in SERVICES]
    pods.append(("audit", chart("CronJob", "ordersaga-audit")["spec"]["jobTemplate"]["spec"]["template"]))
    for name, pod in pods:
        (container,) = pod["spec"]["containers"]
        known = environment(container)
        if name == "payment-service" and chart.all("Certificate"):  # EVERYTHING gives it a database of its own
            assert "ORDERSAGA_MONGODB_CA_FILE" not in known
            continue
        file = Path(known["ORDERSAGA_MONGODB_CA_FILE"])
        authority = volume(pod, str(file.parent))
        (item,) = authority.get("secret", authority.get("configMap"))["items"]
        assert (item["path"], item["key"] in ("ca.crt", "service-ca.crt")) == (file.name, True), name


def test_a_database_of_ones_own_says_in_its_uri_what_there_is_to_say() -> None:
    chart = rendered(*TLS, *ISSUER, "--set", "mongodb.existingSecret=shop-database")
    assert "mongodb" not in {each["metadata"]["name"] for each in chart.all("Certificate", "Deployment")}
    for _, container in chart.containers():
        assert "ORDERSAGA_MONGODB_CA_FILE" not in environment(container)


def test_a_secret_of_ones_own_takes_the_place_of_the_made_one() -> None:
    chart = rendered("--set", "mongodb.auth.existingSecret=shop-users")
    assert chart.all("Secret") == []
    pod = chart("Deployment", "payment-service")["spec"]["template"]
    assert volume(pod, "/etc/ordersaga/mongodb")["secret"]["secretName"] == "shop-users"
