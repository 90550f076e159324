"""The chart as Helm renders it, as objects that tests can ask."""

import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.wire import Json
from dev.release import helm, render
from tests.support import yamls

HELMS = ("helm", "helm3")

# Everything that is off by default, switched on.
EVERYTHING = (
    *("--set", "monitoring.serviceMonitor.enabled=true", "--set", "monitoring.prometheusRule.enabled=true"),
    *("--set", "monitoring.prometheusRule.runbookUrl=https://shop.example.com/runbooks"),
    *("--set", "monitoring.prometheusRule.dashboardUrl=https://grafana.example.com/d/ordersaga"),
    *("--set", "monitoring.dashboards.enabled=true", "--set", "monitoring.dashboards.annotations.grafana_folder=Shop"),
    *("--set", "ingress.enabled=true", "--set", "ingress.tlsSecret=shop-tls", "--set", "ingress.className=nginx"),
    *("--set", "serviceDefaults.autoscaling.enabled=true", "--set", "global.imagePullSecrets[0].name=registry-login"),
    *("--set", "operator.priorityClassName=system-cluster-critical", "--set", "mongodb.persistence.storageClass=fast"),
    *("--set-json", 'serviceDefaults.podAnnotations={"example.com/team": "shop"}'),
    *("--set-json", 'operator.env=[{"name": "ORDERSAGA_MAX_CALLS_PER_PARTICIPANT", "value": "32"}]'),
    *("--set-json", 'services.payment.egress=[{"ports": [{"protocol": "TCP", "port": 443}]}]'),
    *("--set-json", 'services.payment.tolerations=[{"key": "pci", "operator": "Exists"}]'),
    *("--set-json", 'services.payment.mongodbSecret={"name": "payment-database", "key": "uri"}'),
    *("--set", "policies.enabled=true", "--set", "policies.stamp=true"),
    *("--set-json", 'policies.interventions=[{"steps": ["payment"], "actions": ["Skip"], "groups": ["oncall"]}]'),
    *("--set-json", 'audit.tolerations=[{"key": "night", "operator": "Exists"}]'),
    *("--set", "page.enabled=true", "--set", "page.secret=page-proxy", "--set", "page.host=orders.example.com"),
    *("--set", "page.oauth2Proxy.issuer=https://id.example.com/realms/shop"),
    *("--set", "services.notification.provider.kind=smtp", "--set", "services.notification.provider.messages=words"),
    *("--set", "services.notification.provider.smtp.host=smtp.example.com"),
    *("--set", "services.notification.provider.smtp.from=orders@shop.example.com"),
    *("--set", "services.notification.provider.existingSecret=mail"),
    *("--set", "tracing.endpoint=https://collector.example.com", "--set", "tracing.headersSecret=collector"),
    *("--set-json", 'page.links=[{"name": "logs", "url": "https://logs.example.com/?q={order}"}]'),
)
OPENSHIFT = ("--values", str(render.CHART / "values-openshift.yaml"))


class Manifests:
    """Some rendered objects."""

    def __init__(self, objects: list[Json]) -> None:
        self.objects = objects

    @classmethod
    def of(cls, text: str) -> "Manifests":
        """From YAML documents."""
        return cls([body for body in yamls.load_all(text) if body])

    def __call__(self, kind: str, name: str) -> Json:
        """The one object of this kind and name."""
        (found,) = [body for body in self.all(kind) if body["metadata"]["name"] == name]
        return found

    def all(self, *kinds: str) -> list[Json]:
        """The objects of these kinds."""
        return [body for body in self.objects if body["kind"] in kinds]

    def pods(self) -> Iterator[tuple[str, Json]]:
        """Every pod template, with the name of what it belongs to."""
        for body in self.all("Deployment", "Job"):
            yield body["metadata"]["name"], body["spec"]["template"]
        for body in self.all("CronJob"):
            yield body["metadata"]["name"], body["spec"]["jobTemplate"]["spec"]["template"]
        for body in self.all("Pod"):
            yield body["metadata"]["name"], body

    def containers(self) -> Iterator[tuple[str, Json]]:
        """Every container, with the name of what it belongs to."""
        for name, pod in self.pods():
            for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
                yield name, container


@functools.cache
def rendered(*arguments: str, program: str = "helm", namespace: str = "shop") -> Manifests:
    """The chart with these arguments; each is rendered once for a whole session. Don't change what it returns."""
    documents = render.template(*arguments, program=program, namespace=namespace)
    return Manifests.of("\n---\n".join(text for texts in documents.values() for text in texts))


def run_helm(*arguments: str | Path, program: str = "helm") -> subprocess.CompletedProcess[str]:
    """Helm, whatever it says."""
    return subprocess.run([helm.find(program), *arguments], capture_output=True, text=True, check=False)


def environment(container: Json) -> dict[str, Any]:
    """Name → value, or the source that it comes from."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container.get("env", [])}


def database_of(service: str, *arguments: str) -> tuple[str, str]:
    """The Secret and the key of the file that this service finds its MongoDB URI in."""
    pod = rendered(*arguments)("Deployment", f"{service}-service")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    file = Path(environment(container)["ORDERSAGA_MONGODB_URL_FILE"])
    assert "ORDERSAGA_MONGODB_URL" not in environment(container)
    (mount,) = [each for each in container["volumeMounts"] if each["mountPath"] == str(file.parent)]
    (volume,) = [each for each in pod["volumes"] if each["name"] == mount["name"]]
    assert mount["readOnly"]
    assert volume["secret"]["defaultMode"] == 0o440
    return volume["secret"]["secretName"], file.name
