"""`make verify-changed`, part of CI: judges only what has changed since it passed.

Building the judges of `make verify-manifests`, `verify-bundle` and `verify-workflows` takes minutes, so they aren't
part of `make test`. What they have passed is written down as a sum over everything that they look at
(tests/packaging/chart/verified.json, committed); where a sum still fits, there is nothing to do.

    python -m dev.release.judges.verified       judge what has changed; exit status 1 if a judge has something to say
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from dev.setup.paths import CHECKOUT

STAMP = CHECKOUT / "tests" / "packaging" / "chart" / "verified.json"
# By make's target: what its verdict depends on. The judges' pinned versions and sums are in the files of dev/.
INPUTS = {
    "verify-manifests": (
        *("helm", "manifests", "crds", "k8s-local-deployment.yaml", "openshift-deployment.yaml"),
        *("tests/packaging/chart/kube-linter.yaml", "tests/packaging/chart/alerts-test.yaml"),
        *(
            "dev/release/judges/verify.py",
            "dev/release/judges/schemas.py",
            "dev/release/judges/foreign.py",
            "dev/release/judges/gotools.py",
            "dev/setup/wheels/helm.txt",
        ),
    ),
    "verify-bundle": ("manifests/olm", "dev/release/judges/sdk.py", "dev/release/judges/gotools.py"),
    "verify-workflows": (".github/workflows", "dev/release/judges/workflows.py", "dev/release/judges/gotools.py"),
}


def sum_of(target: str, checkout: Path = CHECKOUT) -> str:
    """The sha256 over names and contents of all that this target judges."""
    digest = hashlib.sha256()
    for path in _files(target, checkout):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(checkout)}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


def changed(stamp: Path = STAMP, checkout: Path = CHECKOUT) -> list[str]:
    """The targets whose inputs aren't those that they last passed with."""
    passed = json.loads(stamp.read_text()) if stamp.exists() else {}
    return [target for target in INPUTS if passed.get(target) != sum_of(target, checkout)]


def passed(target: str, stamp: Path = STAMP, checkout: Path = CHECKOUT) -> None:
    """Write down that this target has passed with what is there now."""
    known = json.loads(stamp.read_text()) if stamp.exists() else {}
    now = {**known, target: sum_of(target, checkout)}
    if now != known:
        stamp.write_text(json.dumps(now, indent=2, sort_keys=True) + "\n")
        print(f"{target}: passed; commit {stamp.relative_to(checkout)}, so that it isn't judged again")


def _files(target: str, checkout: Path) -> Iterator[Path]:
    for name in INPUTS[target]:
        path = checkout / name
        yield from sorted(each for each in (path, *path.rglob("*")) if each.is_file())


def main() -> int:
    """Judge what has changed; the exit status."""
    for target in INPUTS:
        if target not in changed():
            print(f"{target}: nothing that it judges has changed since it passed")
        elif subprocess.run(["make", target], cwd=CHECKOUT, check=False).returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
