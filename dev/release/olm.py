"""The OLM bundle, made from manifests/olm/base.yaml, the resource definition, the Roles and the rendered chart.

python -m dev.release.olm            write it (part of `make manifests`, after the chart's own files)
python -m dev.release.olm --check    exit status 1 if a file isn't what it would be
"""

import base64
import json
import re
import sys
import tomllib
from pathlib import Path

import yaml

from common.wire import Json
from dev.release.generated import main, yaml_text
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT

OLM = CHECKOUT / "manifests" / "olm"
BUNDLE = OLM / "bundle"
DEFINITIONS = {f"{kind}s.ordersaga.io": CHECKOUT / "crds" / f"{kind}.yaml" for kind in ("ordersaga", "participant")}
"""Their files, by the names that they have at the API server."""
CHART_OUTPUT = CHECKOUT / "openshift-deployment.yaml"
PACKAGE = "ordersaga-operator"
IMAGE = "registry.example.com/shop/e-commerce-saga/operator"
"""A placeholder: the maintainer of a catalog replaces it by the address of their own registry."""
EXAMPLES = ("samples/o-sample-mug", "samples/o-sample-declined", "gitops/participants/payment")
HEADER = "# Made from manifests/olm/base.yaml and others by `make manifests`: change those, not this.\n"


def generated() -> dict[Path, str]:
    """Each file of the bundle that is made, and its content."""
    manifests = BUNDLE / "manifests"
    files = {
        manifests / f"{PACKAGE}.clusterserviceversion.yaml": HEADER + yaml_text(cluster_service_version()),
        # Copies of the definitions, byte by byte.
        **{manifests / f"{name}.crd.yaml": source.read_text() for name, source in DEFINITIONS.items()},
    }
    for role in _objects(CHECKOUT / "manifests" / "rbac" / "people.yaml"):
        name = f"{role['metadata']['name']}.{role['kind'].lower()}.yaml"
        files[manifests / name] = HEADER + yaml_text(role)
    files[manifests / f"{PACKAGE}.poddisruptionbudget.yaml"] = HEADER + yaml_text(_budget())
    return files


def cluster_service_version() -> Json:
    """The whole ClusterServiceVersion. Raises StackError when something that it is made of is missing."""
    csv: Json = yaml.safe_load((OLM / "base.yaml").read_text())
    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
    image = f"{IMAGE}:{version}"
    csv["metadata"] = {"name": f"{PACKAGE}.v{version}", "namespace": "placeholder", **csv["metadata"]}
    csv["metadata"]["annotations"] |= {
        "alm-examples": json.dumps([_sample(path) for path in EXAMPLES], indent=2),
        "containerImage": image,
    }
    spec = csv["spec"]
    icon = base64.b64encode((OLM / "icon.svg").read_bytes()).decode()
    spec |= {
        "version": version,
        "icon": [{"base64data": icon, "mediatype": "image/svg+xml"}],
        "relatedImages": [{"name": "operator", "image": image}],
        "install": {"strategy": "deployment", "spec": _installation(image)},
    }
    for owned in spec["customresourcedefinitions"]["owned"]:
        (defined,) = yaml.safe_load(DEFINITIONS[owned["name"]].read_text())["spec"]["versions"]
        schema = defined["schema"]["openAPIV3Schema"]
        for part in ("spec", "status"):
            descriptors = owned[f"{part}Descriptors"]
            owned[f"{part}Descriptors"] = [
                {"description": described(schema["properties"][part], each["path"]), **each} for each in descriptors
            ]
    return csv


def described(schema: Json, path: str) -> str:
    """The description of a field in this schema, by its path as OLM's descriptors write it (`items[0].quantity`)."""
    field = schema
    for name, index in re.findall(r"([A-Za-z]+)(\[0\])?\.?", path):
        if name not in field.get("properties", {}):
            raise StackError(f"{OLM / 'base.yaml'} has a descriptor for {path}, which is in no definition")
        field = field["properties"][name]
        field = field["items"] if index else field
    return str(field["description"])


def _installation(image: str) -> Json:
    """The operator's Deployment as the chart makes it for OpenShift, and what its account may do."""
    found = _of_the_chart("Deployment")
    deployment = found["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    container["image"] = image
    role = next(each for each in _objects(CHECKOUT / "manifests" / "rbac" / "operator.yaml") if each["kind"] == "Role")
    return {
        "deployments": [{"name": PACKAGE, "label": _labels(found), "spec": deployment}],
        "permissions": [
            {"serviceAccountName": deployment["template"]["spec"]["serviceAccountName"], "rules": role["rules"]}
        ],
    }


def _budget() -> Json:
    """How many of the operator's pods may be away at once: OLM puts it into the namespace of the installation."""
    found = _of_the_chart("PodDisruptionBudget")
    return {**found, "metadata": {"name": PACKAGE, "labels": _labels(found)}}


def _of_the_chart(kind: str) -> Json:
    """The operator's object of this kind, as the chart makes it for OpenShift."""
    of_this_kind = [each for each in _objects(CHART_OUTPUT) if each["kind"] == kind]
    found = next((each for each in of_this_kind if each["metadata"]["name"] == PACKAGE), None)
    if found is None:
        raise StackError(f"{CHART_OUTPUT} has no {kind} {PACKAGE}")
    return found


def _labels(found: Json) -> Json:
    """Its labels without the chart's version."""
    return {key: value for key, value in found["metadata"]["labels"].items() if not key.startswith("helm.sh/")}


def _sample(path: str) -> Json:
    (found,) = _objects(CHECKOUT / "manifests" / f"{path}.yaml")
    return found


def _objects(path: Path) -> list[Json]:
    if not path.exists():
        raise StackError(f"{path} is missing: `make manifests` makes it")
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


if __name__ == "__main__":
    sys.exit(main("python -m dev.release.olm", generated, sys.argv[1:]))
