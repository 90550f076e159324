"""What the ecosystem's own judges say of everything that we ship: `make verify-manifests`.

    python -m dev.release.judges.verify [kubeconform] [kube-linter] [promtool]      all of them, unless some are named

They are built once from pinned Go modules into the cache folder (ORDERSAGA_KUBECONFORM and so on name others).
The schemas for kubeconform come from a real API server, which is started for it, and from other projects' own
definitions (schemas.py): strict, none missing. When all three have passed, that is written down (verified.py).
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from dev.release import render
from dev.release.judges import schemas, verified
from dev.setup import binaries, downloads, gobuild
from dev.setup.errors import StackError
from dev.setup.jobs import Job, run_all
from dev.setup.paths import CHECKOUT, cache

# Module, version, and the package in it that is the program.
MODULES = {
    "kubeconform": ("github.com/yannh/kubeconform", "v0.7.0", "cmd/kubeconform"),
    "kube-linter": ("golang.stackrox.io/kube-linter", "v0.8.3", "cmd/kube-linter"),
    "promtool": ("github.com/prometheus/prometheus", "v0.307.3", "cmd/promtool"),
}
# Where not every module proxy follows a vanity name to its repository.
ALSO_KNOWN_AS = {"golang.stackrox.io/kube-linter": "github.com/stackrox/kube-linter"}
# What `kubectl kustomize` builds of ours, besides the overlays, and single files.
MANIFESTS = CHECKOUT / "manifests"
KUSTOMIZATIONS = ("", "openshift", "olm/services", "gitops/orders", "gitops/smoke", "gitops/flux/shop")
FILES = (
    "samples/*.yaml",
    "gitops/root.yaml",
    "gitops/argocd/*.yaml",
    "gitops/argocd/apps/*.yaml",
    "gitops/flux/*.yaml",
    "olm/bundle/manifests/*.yaml",
)
# What is applied without Helm lets pods pass that aren't in the same file: the smoke order, and what OLM brings.
NOT_WITHOUT_HELM = ["dangling-networkpolicy", "dangling-networkpolicypeer-podselector"]
RENDERINGS = {
    "defaults": (),
    "production": ("--set", "global.environment=production", "--set", "mongodb.existingSecret=shop-database"),
    "openshift": ("--values", str(render.CHART / "values-openshift.yaml")),
    "everything": (
        *("--set", "monitoring.serviceMonitor.enabled=true,monitoring.prometheusRule.enabled=true"),
        *("--set", "ingress.enabled=true,serviceDefaults.autoscaling.enabled=true"),
    ),
}


def find(name: str) -> Path:
    """The program, built if need be. Raises StackError when that fails."""
    if configured := os.environ.get(f"ORDERSAGA_{name.upper().replace('-', '_')}"):
        return Path(configured)
    version = MODULES[name][1]
    program = binaries.cache_folder(f"{name}-{version}") / name
    if not program.exists():
        run_all([Job(f"{name} {version}", "1 to 5 minutes, once (2 cores)", lambda job: _build(job, name, program))])
    return program


def _build(job: Job, name: str, target: Path) -> None:
    """In a module of its own: some of them can't be had by `go install`. Go's checksum database vouches for it."""
    module, version, package = MODULES[name]
    go = gobuild.go_on_path() or gobuild.go_from_wheel(job)
    environment = {
        **{"GOCACHE": str(cache() / "go-build"), "GOMODCACHE": str(cache() / "go-mod")},
        **{"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"},
    }
    with downloads.workspace() as folder:
        mod = f"module judge\n\ngo 1.26\n\nrequire {module} {version}\n"
        if module in ALSO_KNOWN_AS:
            mod += f"replace {module} => {ALSO_KNOWN_AS[module]} {version}\n"
        (folder / "go.mod").write_text(mod)
        job.doing = "building"
        flags = ("-trimpath", "-gcflags=all=-dwarf=false", "-ldflags=-s -w", "-o", folder / "program")
        job.run(
            [go, "build", *flags, f"{module}/{package}"],
            failure=f"{name} {version} could not be built",
            env=environment,
            cwd=folder,
        )
        downloads.put(folder / "program", target)


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
    """The alerts are well-formed, and their tests pass."""
    program = find("promtool")
    rules = CHECKOUT / "helm" / "files" / "alerts.yaml"
    tests = CHECKOUT / "tests" / "packaging" / "chart" / "alerts-test.yaml"
    return _judge([program, "check", "rules", rules]) & _judge([program, "test", "rules", tests])


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
