"""The OLM bundle agrees with what it was made from. The Operator SDK's own opinion: `make verify-bundle`."""

import base64
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from common.wire import Json
from dev.release import olm
from dev.release.generated import stale
from tests.packaging.gitops.conftest import NAMESPACE, Kubectl
from tests.packaging.gitops.test_manifests import ROOT, documents
from tests.support import yamls

OLM = ROOT / "manifests" / "olm"
MANIFESTS = OLM / "bundle" / "manifests"
CSV: Json = documents(MANIFESTS / "ordersaga-operator.clusterserviceversion.yaml")[0]
OWNED: Json = CSV["spec"]["customresourcedefinitions"]["owned"][0]
SCHEMA: Json = documents(ROOT / "crds" / "ordersaga.yaml")[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def leaves(schema: Json, path: str = "") -> Iterator[str]:
    """Every field that holds a value, as descriptors spell it: `items[0].quantity`."""
    for name, field in schema["properties"].items():
        here = f"{path}{name}"
        if field["type"] == "object":
            yield from leaves(field, f"{here}.")
        elif field["type"] == "array" and "properties" in field["items"]:
            yield here
            yield from leaves(field["items"], f"{here}[0].")
        else:
            yield here


def test_the_bundle_is_fresh() -> None:
    assert stale(olm.generated()) == [], "run `make manifests`"


@pytest.mark.parametrize("kind", ["ordersaga", "participant"])
def test_the_definitions_are_those_in_crds_byte_by_byte(kind: str) -> None:
    copy = (MANIFESTS / f"{kind}s.ordersaga.io.crd.yaml").read_bytes()
    assert copy == (ROOT / "crds" / f"{kind}.yaml").read_bytes()


def test_the_operator_may_exactly_what_its_role_says() -> None:
    role = next(each for each in documents(ROOT / "manifests" / "rbac" / "operator.yaml") if each["kind"] == "Role")
    install = CSV["spec"]["install"]["spec"]
    assert install["permissions"] == [{"serviceAccountName": "ordersaga-operator", "rules": role["rules"]}]
    assert "clusterPermissions" not in install


def test_the_deployment_is_the_charts_with_a_released_image() -> None:
    chart = next(
        each
        for each in documents(ROOT / "openshift-deployment.yaml")
        if (each["kind"], each["metadata"]["name"]) == ("Deployment", "ordersaga-operator")
    )
    (deployment,) = CSV["spec"]["install"]["spec"]["deployments"]
    image = CSV["metadata"]["annotations"]["containerImage"]
    chart["spec"]["template"]["spec"]["containers"][0]["image"] = image
    assert deployment["spec"] == chart["spec"]
    assert [each["image"] for each in CSV["spec"]["relatedImages"]] == [image]


def test_the_version_is_the_projects() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert CSV["spec"]["version"] == version
    assert CSV["metadata"]["name"] == f"ordersaga-operator.v{version}"
    assert CSV["metadata"]["annotations"]["containerImage"].endswith(f":{version}")


def test_every_field_of_the_spec_has_a_descriptor() -> None:
    described = [each["path"] for each in OWNED["specDescriptors"]]
    assert sorted(described) == sorted(leaves(SCHEMA["properties"]["spec"]))


def test_every_field_of_the_status_is_shown_or_hidden_on_purpose() -> None:
    described = {each["path"].split(".")[0] for each in OWNED["statusDescriptors"]}
    assert described == set(SCHEMA["properties"]["status"]["properties"])


def test_descriptors_offer_what_the_definition_allows() -> None:
    spec = SCHEMA["properties"]["spec"]["properties"]
    enums = {
        "state": spec["state"]["enum"],
        "intervention.action": spec["intervention"]["properties"]["action"]["enum"],
        "intervention.step": spec["intervention"]["properties"]["step"]["enum"],
    }
    for each in OWNED["specDescriptors"]:
        offered = [name.split(":select:")[1] for name in each["x-descriptors"] if ":select:" in name]
        assert offered == enums.get(each["path"], []), each["path"]
        assert each["description"]


def test_the_examples_are_such_that_the_api_server_takes(kubectl: Kubectl) -> None:
    examples = json.loads(CSV["metadata"]["annotations"]["alm-examples"])
    assert {example["kind"] for example in examples} == {"OrderSaga", "Participant"}
    listed = {"apiVersion": "v1", "kind": "List", "items": examples}
    kubectl("apply", "--dry-run=server", "--namespace", NAMESPACE, "-f", "-", manifest=listed)


def test_it_promises_no_more_than_it_is() -> None:
    assert CSV["metadata"]["annotations"]["capabilities"] == "Basic Install"
    assert CSV["spec"]["minKubeVersion"] == "1.32.0"  # field selectors on custom resources
    modes = {each["type"]: each["supported"] for each in CSV["spec"]["installModes"]}
    assert [mode for mode, supported in modes.items() if supported] == ["OwnNamespace"]
    assert len(modes) == 4


def test_the_icon_is_an_image() -> None:
    (icon,) = CSV["spec"]["icon"]
    drawn = base64.b64decode(icon["base64data"])
    assert icon["mediatype"] == "image/svg+xml"
    assert drawn == (OLM / "icon.svg").read_bytes()
    assert ElementTree.fromstring(drawn).tag.endswith("svg")  # noqa: S314 - it is our own file


def test_the_image_says_what_the_metadata_say() -> None:
    annotations: Json = yamls.load((OLM / "bundle" / "metadata" / "annotations.yaml").read_text())["annotations"]
    labels = dict(re.findall(r"([\w./-]+)=(\S+)", (OLM / "bundle.Dockerfile").read_text()))
    assert labels == annotations
    for folder in re.findall(r"COPY (\S+)", (OLM / "bundle.Dockerfile").read_text()):
        assert (OLM / Path(folder)).is_dir(), folder


def test_bundle_and_services_together_are_what_the_overlay_is(kubectl: Kubectl) -> None:
    def names(folder: str) -> set[tuple[str, str]]:
        built = yamls.load_all(kubectl("kustomize", str(ROOT / folder)).stdout)
        return {(each["kind"], each["metadata"]["name"]) for each in built}

    brought = {
        (each["kind"], each["metadata"]["name"]) for path in MANIFESTS.glob("*.yaml") for each in documents(path)
    }
    # What OLM makes of a ClusterServiceVersion.
    brought.discard(("ClusterServiceVersion", CSV["metadata"]["name"]))
    brought |= {(kind, "ordersaga-operator") for kind in ("Deployment", "ServiceAccount", "Role", "RoleBinding")}
    assert names("manifests/overlays/openshift") - names("manifests/olm/services") == brought


def test_the_subscription_names_package_and_channel_in_an_install_mode_that_is_supported() -> None:
    source, group, subscription = documents(OLM / "subscription.yaml")
    annotations: Json = yamls.load((OLM / "bundle" / "metadata" / "annotations.yaml").read_text())["annotations"]
    prefix = "operators.operatorframework.io.bundle"
    spec = subscription["spec"]
    assert spec["name"] == annotations[f"{prefix}.package.v1"]
    assert spec["channel"] == annotations[f"{prefix}.channel.default.v1"]
    assert (spec["source"], spec["sourceNamespace"]) == (source["metadata"]["name"], source["metadata"]["namespace"])
    # OwnNamespace: the group has the namespace that it is in, and no other.
    assert (
        group["spec"]["targetNamespaces"] == [group["metadata"]["namespace"]] == [subscription["metadata"]["namespace"]]
    )


def test_the_catalogs_package_has_the_bundles_channel_with_this_version() -> None:
    package, channel = documents(OLM / "catalog" / "package.yaml")
    annotations: Json = yamls.load((OLM / "bundle" / "metadata" / "annotations.yaml").read_text())["annotations"]
    default = annotations["operators.operatorframework.io.bundle.channel.default.v1"]
    assert package["name"] == channel["package"] == CSV["metadata"]["name"].partition(".")[0]
    assert package["defaultChannel"] == channel["name"] == default
    assert channel["entries"][0]["name"] == CSV["metadata"]["name"]
