"""What the chart promises, read from what Helm makes of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.identity.callers import audience_of
from common.services import NEIGHBOURS, SERVICES
from dev.release import render
from dev.setup.errors import StackError
from tests.packaging.chart.charts import EVERYTHING, HELMS, OPENSHIFT, database_of, environment, rendered, run_helm
from tests.support import yamls

PRODUCTION = ("--set", "global.environment=production")
EXTERNAL = ("--set", "mongodb.existingSecret=shop-database")


@pytest.mark.parametrize("program", HELMS)
@pytest.mark.parametrize("arguments", [(), EVERYTHING, OPENSHIFT], ids=["defaults", "everything", "openshift"])
def test_both_helms_find_nothing_to_complain_about(program: str, arguments: tuple[str, ...]) -> None:
    result = run_helm("lint", "--strict", render.CHART, *arguments, program=program)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_service_is_a_deployment_behind_a_service_at_its_known_port() -> None:
    chart = rendered()
    for service, port in SERVICES.items():
        assert chart("Service", f"{service}-service")["spec"]["ports"][0]["port"] == port
        (container,) = chart("Deployment", f"{service}-service")["spec"]["template"]["spec"]["containers"]
        assert container["ports"][0] == {"name": "http", "containerPort": port}
        assert environment(container)["UVICORN_PORT"] == str(port)
        assert container["image"] == f"e-commerce-saga/{service}-service:latest"


def test_the_installation_serves_the_namespace_it_is_in() -> None:
    for name, container in rendered().containers():
        if container["name"] in ("service", "operator", "wait", "order", "audit"):
            known = environment(container)["ORDERSAGA_NAMESPACE"]
            assert known == {"fieldRef": {"fieldPath": "metadata.namespace"}}, name
    namespaces = {body["metadata"].get("namespace") for body in rendered().objects}
    assert namespaces == {"shop", None}
    assert {body["kind"] for body in rendered().objects if "namespace" not in body["metadata"]} == {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
    }


def test_production_doubles_services_and_operator() -> None:
    replicas = {body["metadata"]["name"]: body["spec"]["replicas"] for body in rendered(*PRODUCTION).all("Deployment")}
    assert replicas.pop("mongodb") == 1
    assert set(replicas.values()) == {2}


def test_a_services_own_replicas_come_first_and_may_be_none() -> None:
    chart = rendered(*PRODUCTION, "--set", "services.payment.replicas=3", "--set", "services.shipping.replicas=0")
    assert chart("Deployment", "payment-service")["spec"]["replicas"] == 3
    assert chart("Deployment", "shipping-service")["spec"]["replicas"] == 0


def test_an_autoscaler_is_there_only_when_asked_for_and_then_owns_the_replicas() -> None:
    assert rendered().all("HorizontalPodAutoscaler") == []
    chart = rendered("--set", "services.inventory.autoscaling.enabled=true")
    (autoscaler,) = chart.all("HorizontalPodAutoscaler")
    assert autoscaler["spec"]["scaleTargetRef"]["name"] == "inventory-service"
    assert "replicas" not in chart("Deployment", "inventory-service")["spec"]


def test_an_external_database_takes_the_place_of_the_bundled_one() -> None:
    chart = rendered(*EXTERNAL)
    assert [body for body in chart.objects if body["metadata"]["name"] == "mongodb"] == []
    for service in SERVICES:
        assert database_of(service, *EXTERNAL) == ("shop-database", "uri")


def test_a_service_may_have_a_database_user_of_its_own() -> None:
    assert database_of("payment", *EVERYTHING) == ("payment-database", "uri")


def test_a_registry_is_put_before_our_images_and_not_before_the_databases() -> None:
    registry = ("--set", "global.imageRegistry=registry.example.com/shop", "--set", "global.imageTag=1.2.3")
    digest = ("--set", f"operator.image.digest=sha256:{'0' * 64}")
    for name, container in rendered(*registry, *digest).containers():
        if container["name"] == "mongodb":
            assert container["image"] == "mongo:8.0"
        elif container["name"] == "service":
            assert container["image"] == f"registry.example.com/shop/e-commerce-saga/{name}:1.2.3"
        else:
            assert container["image"] == f"registry.example.com/shop/e-commerce-saga/operator@sha256:{'0' * 64}"


def test_on_openshift_nobody_chooses_a_user() -> None:
    chart = rendered(*OPENSHIFT)
    for name, pod in chart.pods():
        chosen = {*pod["spec"]["securityContext"], *(key for c in pod["spec"]["containers"] for key in c)}
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & chosen, name
    assert chart("Route", "ordersaga")["spec"]["to"]["name"] == "order-service"
    ports = chart("NetworkPolicy", "ordersaga-names")["spec"]["egress"][0]["ports"]
    assert {port["port"] for port in ports} == {53, 5353}


@pytest.mark.parametrize("arguments", [EVERYTHING, OPENSHIFT], ids=["Ingress", "Route"])
def test_the_outside_is_led_to_the_public_routes_alone(arguments: tuple[str, ...]) -> None:
    chart = rendered(*arguments)
    assert all(ingress["metadata"]["name"] in ("ordersaga", "ordersaga-page") for ingress in chart.all("Ingress"))
    backends = [
        path["backend"]["service"]
        for ingress in chart.all("Ingress")
        if ingress["metadata"]["name"] == "ordersaga"
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    assert all(backend["port"] == {"name": "public"} for backend in backends)
    assert all(route["spec"]["port"] == {"targetPort": "public"} for route in chart.all("Route"))
    assert backends or chart.all("Route")
    for service in chart.all("Service"):
        if service["metadata"]["name"].endswith("-service"):
            assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http", "public"]
    for name, container in chart.containers():
        if container["name"] == "service":
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            assert environment(container)["ORDERSAGA_PUBLIC_PORT"] == str(ports["public"]), name
            assert environment(container)["UVICORN_PORT"] == str(ports["http"]) != str(ports["public"])


@pytest.mark.parametrize("arguments", [EVERYTHING, OPENSHIFT], ids=["Ingress", "Route"])
def test_whoever_comes_from_outside_gets_to_no_other_port(arguments: tuple[str, ...]) -> None:
    rules = rendered(*arguments)("NetworkPolicy", "order-service")["spec"]["ingress"]
    for rule in rules:
        foreign = [peer for peer in rule["from"] if "namespaceSelector" in peer and "ingress" in str(peer)]
        assert not foreign or rule["ports"] == [{"protocol": "TCP", "port": "public"}]
    assert rules[-1]["ports"] == [{"protocol": "TCP", "port": "public"}]


def test_the_token_is_only_where_the_api_server_is_called() -> None:
    with_token = {name for name, pod in rendered().pods() if pod["spec"]["automountServiceAccountToken"]}
    services = {f"{service}-service" for service in SERVICES}
    assert with_token == {"ordersaga-operator", "ordersaga-uninstall", "ordersaga-audit", *services}
    chart = rendered("--set", "authentication.mode=development")
    with_token = {name for name, pod in chart.pods() if pod["spec"]["automountServiceAccountToken"]}
    assert with_token == {"ordersaga-operator", "ordersaga-uninstall", "ordersaga-audit", "order-service"}


def test_the_operator_has_a_token_for_each_service_that_is_good_there_alone() -> None:
    pod = rendered()("Deployment", "ordersaga-operator")["spec"]["template"]["spec"]
    (volume,) = pod["volumes"]
    tokens = [source["serviceAccountToken"] for source in volume["projected"]["sources"]]
    assert {token["path"]: token["audience"] for token in tokens} == {name: audience_of(name) for name in SERVICES}
    assert {token["expirationSeconds"] for token in tokens} == {600}, "the least that Kubernetes takes"
    (container,) = pod["containers"]
    (mount,) = container["volumeMounts"]
    assert environment(container)["ORDERSAGA_TOKENS"] == mount["mountPath"]


def test_a_service_has_tokens_for_its_neighbours_alone() -> None:
    chart = rendered()
    for name, called in NEIGHBOURS.items():
        pod = chart("Deployment", f"{name}-service")["spec"]["template"]["spec"]
        projected = [volume["projected"] for volume in pod["volumes"] if "projected" in volume]
        sources = [source for each in projected for source in each["sources"]]
        tokens = [source["serviceAccountToken"] for source in sources]
        assert {token["path"]: token["audience"] for token in tokens} == {each: audience_of(each) for each in called}
        (container,) = pod["containers"]
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]} - {"/etc/ordersaga/mongodb"}
        assert mounted == {each for each in [environment(container).get("ORDERSAGA_TOKENS")] if each}


def test_helm_test_calls_the_services_as_the_shop_s_own_people_do() -> None:
    pod = rendered()("Pod", "ordersaga-test")["spec"]
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("ordersaga-staff", False)
    sources = [source["serviceAccountToken"] for source in pod["volumes"][0]["projected"]["sources"]]
    assert {source["audience"] for source in sources} == {audience_of(name) for name in SERVICES}
    account = rendered()("ServiceAccount", "ordersaga-staff")
    assert account["automountServiceAccountToken"] is False
    bindings = [*rendered().all("RoleBinding"), *rendered().all("ClusterRoleBinding")]
    assert "ordersaga-staff" not in {subject["name"] for each in bindings for subject in each["subjects"]}


def test_every_service_identifies_its_callers_unless_it_is_told_otherwise() -> None:
    for mode in ("kubernetes", "development"):
        chart = rendered("--set", f"authentication.mode={mode}", "--set", "authentication.tokenReviews=strict")
        for service in SERVICES:
            (container,) = chart("Deployment", f"{service}-service")["spec"]["template"]["spec"]["containers"]
            assert environment(container)["ORDERSAGA_AUTHENTICATION"] == mode
            assert environment(container).get("ORDERSAGA_AUTHENTICATION_REVIEW") in ("strict", None)


PROVIDER = ("--set", "clients.issuer=https://login.example.com", "--set", "clients.audience=shop")


def test_the_order_service_asks_its_clients_who_they_are_unless_it_is_told_otherwise() -> None:
    for arguments, mode in (((), "guarded"), (("--set", "clients.mode=development"), "development")):
        for service in SERVICES:
            (container,) = rendered(*arguments)("Deployment", f"{service}-service")["spec"]["template"]["spec"][
                "containers"
            ]
            assert environment(container).get("ORDERSAGA_CLIENTS") == (mode if service == "order" else None)


def test_the_keys_of_the_identity_provider_come_from_a_secret_if_there_is_one() -> None:
    for keys in ((), ("--set", "clients.keysSecret=login-keys")):
        pod = rendered(*PROVIDER, *keys)("Deployment", "order-service")["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        given = environment(container)
        assert given["ORDERSAGA_CLIENTS_ISSUER"] == "https://login.example.com"
        assert given["ORDERSAGA_CLIENTS_AUDIENCE"] == "shop"
        secrets = [volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume]
        assert secrets == [*(["login-keys"] if keys else []), "mongodb-users"]
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert ("ORDERSAGA_CLIENTS_KEYS" in given) is bool(keys)
        assert not keys or str(Path(given["ORDERSAGA_CLIENTS_KEYS"]).parent) in mounts


def test_the_services_may_ask_who_a_token_stands_for_unless_they_are_not_to() -> None:
    (binding,) = rendered().all("ClusterRoleBinding")
    assert binding["roleRef"]["name"] == "system:auth-delegator"
    assert {subject["name"] for subject in binding["subjects"]} == {f"{service}-service" for service in SERVICES}
    assert list(rendered("--set", "authentication.tokenReviews=none").all("ClusterRoleBinding")) == []
    assert list(rendered("--set", "authentication.mode=development").all("ClusterRoleBinding")) == []


@pytest.mark.parametrize("arguments", [(), EVERYTHING, OPENSHIFT], ids=["defaults", "everything", "openshift"])
def test_every_container_says_what_it_needs_and_can_write_nowhere(arguments: tuple[str, ...]) -> None:
    for name, container in rendered(*arguments).containers():
        resources = container["resources"]
        assert set(resources["requests"]) == {"cpu", "memory"}, name
        assert set(resources["limits"]) == {"memory"}, name
        assert container["securityContext"]["readOnlyRootFilesystem"] is True, name


def test_what_stays_up_has_all_three_probes() -> None:
    for name, container in rendered().containers():
        if container["name"] in ("service", "operator", "mongodb"):
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(container), name


def test_a_selector_survives_an_upgrade() -> None:
    for body in rendered().all("Deployment"):
        labels = {"app.kubernetes.io/name", "app.kubernetes.io/instance"}
        assert set(body["spec"]["selector"]["matchLabels"]) == labels


def test_uninstalling_keeps_orders_and_the_database() -> None:
    kept = [body["metadata"]["name"] for body in rendered().objects if _policy(body) == "keep"]
    kinds = ["ordersagas.ordersaga.io", "participants.ordersaga.io"]
    roles = ["ordersaga-editor", "ordersaga-participant-editor", "ordersaga-viewer"]
    assert sorted(kept) == ["mongodb", "mongodb-users", *roles, *kinds], "its users' passwords go with it"
    crd = "CustomResourceDefinition"
    for kind in kinds:
        assert _policy(rendered("--set", "crds.keep=false")(crd, kind)) is None
    assert rendered("--set", "crds.install=false", "--set", "rbac.people=false").all(crd, "ClusterRole") == []


def test_the_uninstallation_waits_for_orders_for_a_limited_time() -> None:
    job = rendered()("Job", "ordersaga-uninstall")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
    assert job["spec"]["activeDeadlineSeconds"] == 180
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "ordersaga-uninstall"


def test_the_uninstallation_has_its_own_account_before_it_runs_and_leaves_none() -> None:
    weight = lambda body: int(body["metadata"]["annotations"].get("helm.sh/hook-weight", 0))  # noqa: E731
    for kind in ("ServiceAccount", "Role", "RoleBinding"):
        body = rendered()(kind, "ordersaga-uninstall")
        assert body["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
        assert "hook-succeeded" in body["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
        assert weight(body) < weight(rendered()("Job", "ordersaga-uninstall"))


@pytest.mark.parametrize("arguments", [(), EVERYTHING, OPENSHIFT], ids=["defaults", "everything", "openshift"])
def test_no_account_gives_its_token_to_a_pod_that_does_not_ask(arguments: tuple[str, ...]) -> None:
    chart = rendered(*arguments)
    for account in chart.all("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False, account["metadata"]["name"]
    for name, pod in chart.pods():
        assert pod["spec"]["automountServiceAccountToken"] in (True, False), name


def test_each_part_has_an_account_of_its_own() -> None:
    accounts = {name: pod["spec"].get("serviceAccountName") for name, pod in rendered(*EVERYTHING).pods()}
    assert accounts.pop("ordersaga-test") == "ordersaga-staff", "it does what the shop's people do"
    assert accounts == {name: name for name in accounts}
    for binding in rendered(*EVERYTHING).all("RoleBinding"):
        (subject,) = binding["subjects"]
        assert binding["roleRef"]["name"] == subject["name"] == binding["metadata"]["name"]


def test_the_api_server_is_reached_at_the_ports_of_the_usual_clusters() -> None:
    policies = {body["metadata"]["name"]: body["spec"].get("egress", []) for body in rendered().all("NetworkPolicy")}
    usual = {"kind": 6443, "k3s": 6443, "OpenShift": 6443, "minikube": 8443, "MicroK8s": 16443, "a provider": 443}
    with_token = {name for name, pod in rendered().pods() if pod["spec"]["automountServiceAccountToken"]}
    for name in with_token:
        ports = {port["port"] for rule in policies[name] if "to" not in rule for port in rule["ports"]}
        assert set(usual.values()) <= ports, name
    own = ("--set-json", 'networkPolicy.apiServer={"ports": [9443], "to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]}')
    for name in with_token:
        egress = rendered(*own)("NetworkPolicy", name)["spec"]["egress"]
        assert {"ports": [{"protocol": "TCP", "port": 9443}], "to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}]} in egress
        assert all("to" in rule for rule in egress), name


def test_network_policies_are_one_to_one() -> None:
    """Whoever may call a part is let in there, and whoever is let in may call: no rule is left over on one side."""
    chart = rendered()
    policies = {body["metadata"]["name"]: body["spec"] for body in chart.all("NetworkPolicy")}

    def names(peers: list[dict[str, Any]]) -> set[str]:
        labels = (
            peer.get("podSelector", {}).get("matchLabels", {}) for peer in peers if "namespaceSelector" not in peer
        )
        return {each["app.kubernetes.io/name"] for each in labels if "app.kubernetes.io/name" in each}

    out = {
        (name, to)
        for name, spec in policies.items()
        for rule in spec.get("egress", [])
        for to in names(rule.get("to", []))
    }
    into = {
        (of, name)
        for name, spec in policies.items()
        for rule in spec.get("ingress", [])
        for of in names(rule.get("from", []))
    }
    assert out == into
    assert {of for of, _ in out} <= {name for name, _ in chart.pods()}


@pytest.mark.parametrize(
    "wrong",
    [
        "global.enviroment=production",
        "global.environment=prod",
        "services.order.replica=2",
        "services.orders.port=8000",
        "services.payment.resources.limit.memory=1Gi",
        "mongodb.persistence.sise=1Gi",
        "operator.image.digest=sha256:0",
        "replicas=2",
        "services.order.port=80",
        "audit.schedule=nightly",
        "policies.enable=true",
        "page.proxy=oauth2_proxy",
        "page.oauth2Proxy.issuer=http://id.example.com",
        "page.oauth2Proxy.scope=profile",
        "page.host=https://orders.example.com",
        "policies.interventions[0].steps[0]=payments",
        "audit.mongodbSecret.name=shop-database",
    ],
)
def test_a_misspelled_value_is_refused(wrong: str) -> None:
    with pytest.raises(StackError, match="values don't meet the specifications"):
        render.template("--set", wrong)


def test_a_misspelled_value_is_refused_by_the_older_helm_too() -> None:
    with pytest.raises(StackError, match="values don't meet the specifications"):
        render.template("--set", "global.enviroment=production", program="helm3")


def test_the_schema_knows_no_open_object_but_those_of_kubernetes() -> None:
    """Those whose insides are Kubernetes' own are checked by the API server."""
    schema = json.loads((render.CHART / "values.schema.json").read_text())
    kubernetes = {"affinity", "egress", "tolerations", "valueFrom", "podSelector", "namespaceSelector", "ipBlock"}
    assert _open_objects(schema) == kubernetes


def test_every_value_of_a_service_is_described_in_the_values() -> None:
    schema = json.loads((render.CHART / "values.schema.json").read_text())
    values = yamls.load((render.CHART / "values.yaml").read_text())
    defaults = set(schema["properties"]["serviceDefaults"]["properties"])
    assert set(values["serviceDefaults"]) == defaults
    own = set(schema["definitions"]["service"]["properties"]) - defaults
    text = (render.CHART / "values.yaml").read_text()
    assert own == {"port", "replicas", "image", "mongodbSecret", "provider"}
    assert all(f"#   {name} " in text for name in own - {"port"})
    for section, described in schema["properties"].items():
        if section not in ("enabled", "services", "serviceDefaults"):
            assert set(values[section]) == set(described["properties"]), section


def _policy(body: dict[str, Any]) -> str | None:
    annotations: dict[str, str] = body["metadata"].get("annotations") or {}
    return annotations.get("helm.sh/resource-policy")


def _open_objects(schema: Any, name: str = "") -> set[str]:
    """The names of objects that would take any field."""
    found = set()
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "additionalProperties" not in schema:
            found.add(name)
        for key, value in schema.items():
            found |= _open_objects(value, name if key in ("items", "additionalProperties") else key)
    return found
