"""Generated files are what the chart makes now, and the hand-written overlays say the same as the chart's values."""

from typing import Any

import pytest

from common.services import SERVICES
from dev.release import generated, render
from dev.setup.paths import CHECKOUT
from tests.packaging.chart.charts import HELMS, Manifests
from tests.support import yamls

OVERLAYS = CHECKOUT / "manifests" / "overlays"


@pytest.mark.parametrize("program", HELMS)
def test_generated_files_are_fresh(program: str) -> None:
    stale = [str(path.relative_to(CHECKOUT)) for path in generated.stale(render.files(program))]
    assert stale == [], "`make manifests` writes them anew"


def test_the_charts_definitions_are_ours_to_the_byte() -> None:
    rendered = render.template("--set", "crds.keep=false")["crd.yaml"]
    for text, name in zip(rendered, ("ordersaga", "participant"), strict=True):
        ours = (CHECKOUT / "crds" / f"{name}.yaml").read_text()
        assert text.partition("\nspec:\n")[2] == ours.partition("\nspec:\n")[2]


def test_the_charts_rights_are_ours() -> None:
    ours = Manifests.of(
        "\n---\n".join(path.read_text() for path in sorted((CHECKOUT / "manifests" / "rbac").glob("*.yaml")))
    )
    chart = Manifests.of("\n---\n".join(render.template(namespace="elsewhere")["rbac.yaml"]))
    assert len(chart.objects) == len(ours.objects)
    for mine in ours.objects:
        theirs = chart(mine["kind"], mine["metadata"]["name"])
        assert theirs.get("rules") == mine.get("rules")
        assert theirs.get("roleRef") == mine.get("roleRef")
        assert theirs["metadata"]["labels"].items() >= mine["metadata"]["labels"].items()
        for subject in theirs.get("subjects", []):
            assert subject == {"kind": "ServiceAccount", "name": mine["metadata"]["name"], "namespace": "elsewhere"}


def test_the_openshift_overlay_says_what_the_openshift_file_says(control_plane: Any) -> None:
    overlay = Manifests.of(control_plane.kubectl("kustomize", OVERLAYS / "openshift").stdout)
    file = Manifests.of((CHECKOUT / "openshift-deployment.yaml").read_text())
    assert _by_name(overlay) == _by_name(file)


def test_the_production_overlay_says_what_the_charts_values_say(control_plane: Any) -> None:
    overlay = Manifests.of(control_plane.kubectl("kustomize", OVERLAYS / "production").stdout)
    secret = 'services.{0}.mongodbSecret={{"name": "{0}-database", "key": "uri"}}'
    databases = [word for name in SERVICES for word in ("--set-json", secret.format(name))]
    documents = render.template(
        *("--no-hooks", "--set", "global.environment=production", "--set", "mongodb.existingSecret=audit-database"),
        *(
            "--set",
            "tls.enabled=true",
            *databases,
            "--set-json",
            'audit.mongodbSecret={"name": "audit-database", "key": "uri"}',
        ),
        *("--set", "global.imageRegistry=registry.example.com", "--set", "global.imageTag=0.1.0"),
        *("--set", "policies.enabled=true"),
    )
    chart = _by_name(Manifests.of("\n---\n".join(text for texts in documents.values() for text in texts)))
    chart[("Namespace", "e-commerce-saga")] = yamls.load(render.NAMESPACE_OBJECT) | {"metadata": {}}
    assert _by_name(overlay) == chart


def _by_name(manifests: Manifests) -> dict[tuple[str, str], Any]:
    """Without labels and annotations: those tell who made it. The order of environment variables and volumes means
    nothing here.
    """
    for _, container in manifests.containers():
        for several in ("env", "volumeMounts"):
            container.get(several, []).sort(key=lambda each: each["name"])
    for _, pod in manifests.pods():
        pod["spec"].get("volumes", []).sort(key=lambda each: each["name"])
    return {(body["kind"], body["metadata"]["name"]): body | {"metadata": {}} for body in manifests.objects}
