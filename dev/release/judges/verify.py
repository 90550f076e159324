"""What the ecosystem's own judges say of everything that we ship: `make verify-manifests`.

    python -m dev.release.judges.verify [kubeconform] [kube-linter] [promtool]      all of them, unless some are named

They are built once (gotools.py); ORDERSAGA_KUBECONFORM, ORDERSAGA_KUBE_LINTER and ORDERSAGA_PROMTOOL name others.
The schemas for kubeconform come from a real API server, which is started for it, and from other projects' own
definitions (schemas.py): strict, none missing. When all three have passed, that is written down (verified.py).
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from dev.release import render
from dev.release.judges import schemas, verified
from dev.release.judges.gotools import find
from dev.release.observing.dashboards import expressions
from dev.setup import binaries
from dev.setup.errors import StackError
from dev.setup.paths import CHECKOUT

# What `kubectl kustomize` builds of ours, besides the overlays, and single files.
MANIFESTS = CHECKOUT / "manifests"
KUSTOMIZATIONS = (
    "",
    "openshift",
    "openshift/page",
    "olm/services",
    "gitops/orders",
    "gitops/smoke",
    "gitops/flux/shop",
)
FILES = (
    "samples/*.yaml",
    "gitops/root.yaml",
    "gitops/argocd/*.yaml",
    "gitops/argocd/apps/*.yaml",
    "gitops/flux/*.yaml",
    "olm/bundle/manifests/*.yaml",
    "olm/subscription.yaml",
)
# What is applied without Helm lets pods pass that aren't in the same file: the smoke order, and what OLM brings.
NOT_WITHOUT_HELM = ["dangling-networkpolicy", "dangling-networkpolicypeer-podselector"]
RENDERINGS = {
    "defaults": (),
    "production": ("--set", "global.environment=production", "--set", "mongodb.existingSecret=shop-database"),
    "openshift": (
        *("--values", str(render.CHART / "values-openshift.yaml")),
        *("--set", "page.enabled=true,page.secret=page-proxy"),
    ),
    "everything": (
        *("--set", "monitoring.serviceMonitor.enabled=true,monitoring.prometheusRule.enabled=true"),
        *("--set", "monitoring.dashboards.enabled=true"),
        *("--set", "ingress.enabled=true,serviceDefaults.autoscaling.enabled=true"),
        *("--set", "policies.enabled=true,policies.stamp=true"),
        *("--set", "page.enabled=true,page.secret=page-proxy,page.host=orders.example.com"),
        *("--set", "page.oauth2Proxy.issuer=https://id.example.com"),
    ),
}


def rendered(folder: Path) -> list[Path]:
    """Everything that we ship as files: what Helm makes of the chart, the overlays, the generated files."""
    files = []
    for name, arguments in RENDERINGS.items():
        documents = render.template(*arguments, namespace="shop")
        files.append(folder / f"chart-{name}.yaml")
        files[-1].write_text("---\n".join(text for texts in documents.values() for text in texts))
    overlays = sorted(each.name for each in (MANIFESTS / "overlays").iterdir())
    for kustomization in (*(f"overlays/{name}" for name in overlays), *KUSTOMIZATIONS):
        built = subprocess.run(
            [binaries.find("kubectl"), "kustomize", MANIFESTS / kustomization],
            capture_output=True,
            text=True,
            check=True,
        )
        files.append(folder / f"built-{kustomization.replace('/', '-') or 'rights'}.yaml")
        files[-1].write_text(built.stdout)
    single = [path for pattern in FILES for path in sorted(MANIFESTS.glob(pattern))]
    return [*files, CHECKOUT / "k8s-local-deployment.yaml", CHECKOUT / "openshift-deployment.yaml", *single]


def kubeconform(files: list[Path], folder: Path) -> bool:
    """Strict; no kind is skipped, and none may be without a schema."""
    program = find("kubeconform")
    location = schemas.write(folder / "schemas")
    return _judge([program, "-strict", "-summary", "-schema-location", location, *files])


def kube_linter(files: list[Path], folder: Path) -> bool:
    """All checks but those that kube-linter.yaml leaves out, each with its reason."""
    program, config = find("kube-linter"), CHECKOUT / "tests" / "packaging" / "chart" / "kube-linter.yaml"
    charts = [file for file in files if file.name.startswith("chart-")]
    others = [file for file in files if file not in charts]
    looser = yaml.safe_load(config.read_text())
    looser["checks"]["exclude"] += NOT_WITHOUT_HELM
    (folder / "looser.yaml").write_text(yaml.safe_dump(looser))
    strict = _judge([program, "lint", "--config", config, *charts])
    return _judge([program, "lint", "--config", folder / "looser.yaml", *others]) & strict


def promtool(files: list[Path], folder: Path) -> bool:
    """The alerts are well-formed, their tests pass, and the dashboards' queries can be read."""
    program = find("promtool")
    rules = CHECKOUT / "helm" / "files" / "alerts.yaml"
    tests = CHECKOUT / "tests" / "packaging" / "chart" / "alerts-test.yaml"
    queries = folder / "queries.yaml"  # as rules: there is no other check of an expression without a server
    recorded = [{"record": f"query:{number}", "expr": each} for number, each in enumerate(sorted(expressions()))]
    queries.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": recorded}]}))
    judged = _judge([program, "check", "rules", rules]) & _judge([program, "test", "rules", tests])
    return judged & _judge([program, "check", "rules", queries])


def _judge(command: list[str | Path]) -> bool:
    print(f"$ {Path(command[0]).name} {' '.join(str(word) for word in command[1:3])} …", flush=True)
    return subprocess.run(command, check=False).returncode == 0


def main(arguments: list[str]) -> int:
    """The exit status: 1 if one of them has something to say."""
    judges = {"kubeconform": kubeconform, "kube-linter": kube_linter, "promtool": promtool}
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            files = rendered(folder)
            verdicts = [judges[judge](files, folder) for judge in arguments or judges]
    except (StackError, KeyError) as error:
        print(error, file=sys.stderr)
        return 1
    if not all(verdicts):
        return 1
    if not arguments:
        verified.passed("verify-manifests")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
