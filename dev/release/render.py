"""The files that are made from the chart, and the chart's copies of what others own.

python -m dev.release.render            write them (`make manifests`)
python -m dev.release.render --check    exit status 1 if one isn't what it would be
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from dev.release import helm
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT

CHART = CHECKOUT / "helm"
RELEASE = NAMESPACE = "e-commerce-saga"
OPENSHIFT_REGISTRY = "image-registry.openshift-image-registry.svc:5000"
"""Where a cluster of OpenShift finds what was pushed to its own registry."""

HEADER = "# Made from the chart in helm/ by `make manifests`: change that, not this.\n"
# Pod Security decides here what the chart promises: nothing in this namespace may have more rights.
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
    CHART / "files" / "ordersaga.yaml": CHECKOUT / "crds" / "ordersaga.yaml",
    **{
        CHART / "files" / "rbac" / name: CHECKOUT / "manifests" / "rbac" / name
        for name in ("audit.yaml", "operator.yaml", "order-service.yaml", "people.yaml")
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
        # Versions of Helm differ in the empty lines between documents only.
        if found := re.match(r"\s*# Source: [^/]+/templates/(\S+)\n", text):
            body = text[found.end() :].strip("\n")
            documents.setdefault(found[1], []).append(re.sub(r"[ \t]+$", "", body, flags=re.MULTILINE) + "\n")
    return documents


def generated(program: str = "helm") -> dict[Path, str]:
    """Every generated file and its content."""
    files = {copy: source.read_text() for copy, source in COPIES.items()}
    local = template("--no-hooks", program=program)
    openshift = template(
        *("--no-hooks", "--values", str(CHART / "values-openshift.yaml")),
        *("--set", f"global.imageRegistry={OPENSHIFT_REGISTRY}"),
        program=program,
    )
    files[CHECKOUT / "k8s-local-deployment.yaml"] = _one_file(local)
    files[CHECKOUT / "openshift-deployment.yaml"] = _one_file(openshift)
    base = CHECKOUT / "manifests" / "base"
    files[base / "namespace.yaml"] = HEADER + NAMESPACE_OBJECT
    for name, documents in local.items():
        files[base / name] = HEADER + "---\n".join(documents)
    names = ["namespace.yaml", *sorted(local)]
    files[base / "kustomization.yaml"] = (
        f"{HEADER}apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
        + "".join(f"  - {name}\n" for name in names)
    )
    return files


def _one_file(documents: dict[str, list[str]]) -> str:
    return HEADER + "---\n".join([NAMESPACE_OBJECT, *(text for texts in documents.values() for text in texts)])


def stale(program: str = "helm") -> list[Path]:
    """The files that aren't what they would be if they were written now."""
    return [path for path, text in generated(program).items() if not path.exists() or path.read_text() != text]


def main(arguments: list[str]) -> int:
    """Write or check; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dev.release.render", description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args(arguments)
    try:
        # Copies first: the chart is rendered with them.
        for copy, source in COPIES.items():
            if not options.check and (not copy.exists() or copy.read_text() != source.read_text()):
                copy.write_text(source.read_text())
        old = stale()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    for path in old:
        print(f"{'stale' if options.check else 'written'}: {path.relative_to(CHECKOUT)}")
    if options.check:
        return 1 if old else 0
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
