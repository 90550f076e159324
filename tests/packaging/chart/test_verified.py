"""What has passed the slow judges is known by a sum over all that they look at."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.release.judges import verified
from dev.setup.paths import CHECKOUT

NAMES = sorted({name for names in verified.INPUTS.values() for name in names})


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of everything that is judged, with a stamp that says that it has passed."""
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, tmp_path / name, dirs_exist_ok=True)
        else:
            shutil.copy(CHECKOUT / name, tmp_path / name)
    for target in verified.INPUTS:
        verified.passed(target, tmp_path / "stamp.json", tmp_path)
    return tmp_path


def changed(checkout: Path) -> list[str]:
    return verified.changed(checkout / "stamp.json", checkout)


def test_what_has_passed_need_not_pass_again(checkout: Path) -> None:
    assert changed(checkout) == []


@pytest.mark.parametrize(
    ("file", "targets"),
    [
        ("helm/values.yaml", ["verify-manifests"]),
        ("crds/ordersaga.yaml", ["verify-manifests"]),
        ("tests/packaging/chart/kube-linter.yaml", ["verify-manifests"]),
        ("manifests/olm/base.yaml", ["verify-manifests", "verify-bundle"]),
        ("dev/release/judges/sdk.py", ["verify-bundle"]),
        (".github/workflows/release.yml", ["verify-workflows"]),
    ],
)
@pytest.mark.parametrize(
    "change",
    [Path.unlink, lambda path: path.write_text(path.read_text() + "\n"), lambda path: path.rename(f"{path}.old")],
    ids=["gone", "longer", "renamed"],
)
def test_a_change_of_what_is_judged_is_noticed(
    checkout: Path, file: str, targets: list[str], change: Callable[[Path], object]
) -> None:
    change(checkout / file)
    assert changed(checkout) == targets


def test_nothing_has_passed_where_nothing_is_written_down(checkout: Path) -> None:
    (checkout / "stamp.json").unlink()
    assert changed(checkout) == list(verified.INPUTS)


def test_the_stamp_is_of_the_targets_there_are() -> None:
    assert set(json.loads(verified.STAMP.read_text())) == set(verified.INPUTS)
