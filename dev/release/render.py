"""The files that are made from the chart, and the chart's copies of files whose source is in crds/ and manifests/.

python -m dev.release.render            write them (`make manifests`)
python -m dev.release.render --check    exit status 1 if one isn't what it would be
"""

import re
import subprocess
import sys
from pathlib import Path

from dev.release import generated, helm
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT

CHART = CHECKOUT / "helm"
RELEASE = NAMESPACE = "e-commerce-saga"
OPENSHIFT_REGISTRY = "image-registry.openshift-image-registry.svc:5000"
"""Where a cluster of OpenShift finds what was pushed to its own registry."""

WITHOUT_PASSWORDS = ("--set", "mongodb.auth.enabled=false")
"""A file in Git has none: there the bundled database, for trying out, is guarded by its NetworkPolicy alone."""

HEADER = "# Made from the chart in helm/ by `make manifests`: change that, not this.\n"
# Pod Security decides here what the chart promises: nothing in this namespace may have more rights.
POLICIES_HEADER = """\
# Who may do what to orders, decided by the API server (docs/security.md): for an administrator of the cluster.
#   components: [../../policies]     in a kustomization, as in overlays/production
"""
NAMESPACE_OBJECT = f"""\
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    app.kubernetes.io/part-of: ordersaga
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/audit: restricted
    pod-security.kubernetes.io/warn: restricted
"""
COPIES = {
    **{CHART / "files" / name: CHECKOUT / "crds" / name for name in ("ordersaga.yaml", "participant.yaml")},
    **{
        CHART / "files" / "rbac" / name: CHECKOUT / "manifests" / "rbac" / name
        for name in ("audit.yaml", "operator.yaml", "order-service.yaml", "people.yaml", "staff.yaml")
    },
}


def template(*arguments: str, program: str = "helm", namespace: str = NAMESPACE) -> dict[str, list[str]]:
    """What `helm template` makes of the chart: the YAML documents by the name of their template ("services.yaml").

    Raises StackError with Helm's message when the chart or a value is refused.
    """
    result = subprocess.run(
        [helm.find(program), "template", RELEASE, CHART, "--namespace", namespace, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise StackError(f"helm template: {result.stderr.strip()}")
    documents: dict[str, list[str]] = {}
    for text in re.split(r"(?m)^---\n", result.stdout):
        # The output of Helm 3 and Helm 4 differs only in the empty lines between documents.
        if found := re.match(r"\s*# Source: [^/]+/templates/(\S+)\n", text):
            body = text[found.end() :].strip("\n")
            documents.setdefault(found[1], []).append(re.sub(r"[ \t]+$", "", body, flags=re.MULTILINE) + "\n")
    return documents


def files(program: str = "helm") -> dict[Path, str]:
    """Every generated file and its content."""
    found = copies()
    local = template("--no-hooks", *WITHOUT_PASSWORDS, program=program)
    openshift = template(
        *("--no-hooks", *WITHOUT_PASSWORDS, "--values", str(CHART / "values-openshift.yaml")),
        *("--set", f"global.imageRegistry={OPENSHIFT_REGISTRY}"),
        program=program,
    )
    found[CHECKOUT / "k8s-local-deployment.yaml"] = _one_file(local)
    found[CHECKOUT / "openshift-deployment.yaml"] = _one_file(openshift)
    base = CHECKOUT / "manifests" / "base"
    found[base / "namespace.yaml"] = HEADER + NAMESPACE_OBJECT
    for name, documents in local.items():
        found[base / name] = HEADER + "---\n".join(documents)
    policies = template("--set", "policies.enabled=true", "--show-only", "templates/policies.yaml", program=program)
    folder = CHECKOUT / "manifests" / "policies"
    found[folder / "policies.yaml"] = HEADER + "---\n".join(policies["policies.yaml"])
    found[folder / "kustomization.yaml"] = (
        f"{HEADER}{POLICIES_HEADER}"
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources:\n  - policies.yaml\n"
    )
    found[CHECKOUT / "dev" / "compose" / "alerts.yaml"] = _alerts_of_compose()
    names = ["namespace.yaml", *sorted(local)]
    found[base / "kustomization.yaml"] = (
        f"{HEADER}apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
        + "".join(f"  - {name}\n" for name in names)
    )
    return found


def _alerts_of_compose() -> str:
    """The chart's alerts for the namespace of docker-compose.yml."""
    text = re.sub(r"(?m)^#.*\n", "", (CHART / "files" / "alerts.yaml").read_text())
    words = {"NAMESPACE": "shop", "RUNBOOK": "docs/runbooks", "DASHBOARD": "http://127.0.0.1:3000/d/ordersaga"}
    for word, stands_for in words.items():
        text = text.replace(word, stands_for)
    return HEADER + text


def _one_file(documents: dict[str, list[str]]) -> str:
    return HEADER + "---\n".join([NAMESPACE_OBJECT, *(text for texts in documents.values() for text in texts)])


def copies() -> dict[Path, str]:
    """The chart's copies of files whose source is elsewhere, and their content."""
    return {copy: source.read_text() for copy, source in COPIES.items()}


def main(arguments: list[str]) -> int:
    """Write or check; the exit status."""
    if "--check" not in arguments:
        for copy in generated.write(copies()):  # first: the chart is rendered with them
            print(f"written: {copy.relative_to(CHECKOUT)}")
    return generated.main("python -m dev.release.render", files, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
