"""The page in the chart: it has no rights, and nobody reaches it but through the proxy that signs people in."""

import json
import re
from typing import Any

import pytest

from common.wire import Json
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT
from ordersaga.saga.ui.__main__ import parser
from tests.packaging.chart.charts import EVERYTHING, OPENSHIFT, Manifests, environment, rendered

NAME = "ordersaga-page"
ON_OPENSHIFT = (*OPENSHIFT, "--set", "page.enabled=true,page.secret=page-proxy")
MODES = pytest.mark.parametrize("arguments", [EVERYTHING, ON_OPENSHIFT], ids=["oauth2-proxy", "openshift"])
OIDC = {
    "page.enabled": "true",
    "page.secret": "page-proxy",
    "page.host": "orders.example.com",
    "page.oauth2Proxy.issuer": "https://id.example.com",
}


def settings(values: dict[str, str]) -> tuple[str, ...]:
    return tuple(word for name, value in values.items() for word in ("--set", f"{name}={value}"))


def pod_of(chart: Manifests) -> Json:
    found: Json = chart("Deployment", NAME)["spec"]["template"]["spec"]
    return found


def containers(chart: Manifests) -> tuple[Json, Json]:
    page, proxy = pod_of(chart)["containers"]
    assert (page["name"], proxy["name"]) == ("page", "proxy")
    return page, proxy


def options(container: Json) -> dict[str, str]:
    """Of the proxy: both write them with one dash or two."""
    words = (word.lstrip("-").partition("=") for word in container["args"])
    return {name: value for name, _, value in words}


def test_nobody_gets_a_page_who_has_not_asked_for_it() -> None:
    assert NAME not in {body["metadata"]["name"] for body in rendered().objects}


@MODES
def test_it_has_no_right_and_the_page_no_token(arguments: tuple[str, ...]) -> None:
    chart = rendered(*arguments)
    for binding in chart.all("RoleBinding", "ClusterRoleBinding"):
        assert NAME not in {subject["name"] for subject in binding["subjects"]}, binding["metadata"]["name"]
    pod, (page, _) = pod_of(chart), containers(chart)
    assert pod["serviceAccountName"] == NAME
    assert pod["automountServiceAccountToken"] is False
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert [volumes[mount["name"]]["configMap"]["name"] for mount in page["volumeMounts"]] == ["kube-root-ca.crt"]
    assert not [value for value in environment(page).values() if "secretKeyRef" in str(value)]


@MODES
def test_the_page_listens_to_the_proxy_alone(arguments: tuple[str, ...]) -> None:
    chart = rendered(*arguments)
    page, proxy = containers(chart)
    known = environment(page)
    words = [re.sub(r"\$\((\w+)\)", lambda found: str(known[found[1]]), word) for word in page["args"]]
    asked = parser({}).parse_args(words)
    assert asked.host == "127.0.0.1"
    assert "ports" not in page
    assert options(proxy)["upstream"].rstrip("/") == f"http://127.0.0.1:{asked.port}"
    (policy,) = chart("NetworkPolicy", NAME)["spec"]["ingress"]
    assert [port["port"] for port in policy["ports"]] == [proxy["ports"][0]["name"]] == ["proxy"]
    assert policy["from"]
    (port,) = chart("Service", NAME)["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (proxy["ports"][0]["containerPort"], "proxy")


@pytest.mark.parametrize(
    ("arguments", "header", "passing", "sign_in"),
    [
        (EVERYTHING, "authorization", "pass-authorization-header", "/oauth2/start?rd="),
        (ON_OPENSHIFT, "x-forwarded-access-token", "pass-access-token", "/oauth/start?rd="),
    ],
    ids=["oauth2-proxy", "openshift"],
)
def test_the_page_reads_the_token_from_where_the_proxy_puts_it(
    arguments: tuple[str, ...], header: str, passing: str, sign_in: str
) -> None:
    page, proxy = containers(rendered(*arguments))
    asked, given = parser({}).parse_args([word for word in page["args"] if "$(" not in word]), options(proxy)
    assert asked.token_header == header
    assert given[passing] == ""
    assert given["pass-basic-auth"] == given["pass-user-headers"] == "false"
    assert asked.sign_in == sign_in
    assert "skip-auth-regex" not in given


@MODES
def test_both_containers_have_all_three_probes_and_need_little(arguments: tuple[str, ...]) -> None:
    for container in containers(rendered(*arguments)):
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container)
        assert set(container["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("page.secret", "cookie-secret"),
        ("page.host", "the name under which browsers find the page"),
        ("page.oauth2Proxy.issuer", "the issuer that the API server trusts"),
    ],
)
def test_without_what_only_the_installer_knows_it_is_refused(missing: str, says: str) -> None:
    with pytest.raises(StackError, match=says):
        rendered(*settings({name: value for name, value in OIDC.items() if name != missing}))


def test_the_proxy_is_the_one_that_was_tried() -> None:
    _, proxy = containers(rendered(*EVERYTHING))
    (tried,) = re.findall(r"^OAUTH2_PROXY := (v[\d.]+)$", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    assert proxy["image"] == f"quay.io/oauth2-proxy/oauth2-proxy:{tried}"


def test_browsers_come_with_tls_and_are_sent_back_to_the_name_they_came_to() -> None:
    chart = rendered(*settings(OIDC))
    given = options(containers(chart)[1])
    assert given["redirect-url"] == "https://orders.example.com/oauth2/callback"
    assert given["http-address"].endswith(":4180")
    assert "cookie-secure" not in given, "it is the proxy's default"
    ingress = chart("Ingress", NAME)["spec"]
    assert [tls["hosts"] for tls in ingress["tls"]] == [["orders.example.com"]]
    without = rendered(*settings({**OIDC, "page.ingress.enabled": "false"}))
    assert NAME not in {body["metadata"]["name"] for body in without.all("Ingress")}


def test_with_tls_the_proxy_has_a_certificate_which_the_page_does_not_see() -> None:
    issuer = "tls.certManager.issuerRef.name"
    chart = rendered(*settings({**OIDC, "tls.enabled": "true", issuer: "shop-authority"}))
    page, proxy = containers(chart)
    assert options(proxy)["https-address"].endswith(f":{proxy['ports'][0]['containerPort']}")
    assert options(proxy)["http-address"] == ""
    assert proxy["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
    certificate = chart("Certificate", NAME)["spec"]
    assert f"{NAME}.shop.svc" in certificate["dnsNames"]
    (tls,) = [volume for volume in pod_of(chart)["volumes"] if volume["name"] == "tls"]
    assert tls["secret"]["secretName"] == certificate["secretName"]
    assert "tls" not in {mount["name"] for mount in page["volumeMounts"]}
    nginx = chart("Ingress", NAME)["metadata"]["annotations"]
    assert nginx["nginx.ingress.kubernetes.io/backend-protocol"] == "HTTPS"


def test_on_openshift_the_token_is_good_for_orders_of_this_namespace_alone_and_a_stream_is_not_cut() -> None:
    chart = rendered(*ON_OPENSHIFT)
    _, proxy = containers(chart)
    scopes = options(proxy)["scope"].split()
    assert scopes == ["user:info", "user:check-access", "role:ordersaga-viewer:shop", "role:ordersaga-editor:shop"]
    roles = {body["metadata"]["name"] for body in chart.all("ClusterRole")}
    assert {scope.split(":")[1] for scope in scopes if scope.startswith("role:")} <= roles
    route = chart("Route", NAME)
    assert route["metadata"]["annotations"]["haproxy.router.openshift.io/timeout"] == "1h"
    assert route["spec"]["tls"] == {"termination": "reencrypt", "insecureEdgeTerminationPolicy": "Redirect"}
    assert route["spec"]["port"]["targetPort"] == "proxy"
    annotations = chart("ServiceAccount", NAME)["metadata"]["annotations"]
    (redirect,) = [json.loads(text) for key, text in annotations.items() if "oauth-redirectreference" in key]
    assert redirect["reference"] == {"kind": "Route", "name": route["metadata"]["name"]}
    serving = chart("Service", NAME)["metadata"]["annotations"]["service.beta.openshift.io/serving-cert-secret-name"]
    volumes: dict[str, Any] = {volume["name"]: volume for volume in pod_of(chart)["volumes"]}
    assert volumes["tls"]["secret"]["secretName"] == serving


def test_on_openshift_the_proxy_alone_says_who_it_is() -> None:
    page, proxy = containers(rendered(*ON_OPENSHIFT))
    place = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert place in {mount["mountPath"] for mount in proxy["volumeMounts"]}
    assert place not in {mount["mountPath"] for mount in page["volumeMounts"]}
