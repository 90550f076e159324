"""Which etcd, kube-apiserver, kubectl and mongod are taken: asked of a fresh Python, as the scripts do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def find(name: str, **env: str) -> subprocess.CompletedProcess[str]:
    """What `dev.setup.binaries.find` answers in this environment."""
    question = f"from dev.setup.binaries import find; print(find({name!r}))"
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("ORDERSAGA_", "KUBEBUILDER_"))}
    return subprocess.run(
        [sys.executable, "-c", question], cwd=ROOT, env={**clean, **env}, capture_output=True, text=True, check=False
    )


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def nothing(tmp_path: Path) -> dict[str, str]:
    """A machine with an empty PATH (but for a shell's) and an empty cache."""
    (tmp_path / "empty").mkdir()
    return {"PATH": str(tmp_path / "empty"), "ORDERSAGA_CACHE": str(tmp_path / "cache")}


def test_what_is_configured_comes_first(tmp_path: Path, nothing: dict[str, str]) -> None:
    mine = program(tmp_path / "mine", "etcd", "etcd Version: 3.6.1")
    program(tmp_path / "empty", "etcd", "etcd Version: 3.6.2")
    assert find("etcd", **nothing, ORDERSAGA_ETCD=str(mine)).stdout.strip() == str(mine)


def test_a_configured_program_that_is_too_old_is_refused_in_one_sentence(
    tmp_path: Path, nothing: dict[str, str]
) -> None:
    old = program(tmp_path / "old", "kube-apiserver", "Kubernetes v1.30.2")
    refused = find("kube-apiserver", **nothing, ORDERSAGA_KUBE_APISERVER=str(old))
    assert f"ORDERSAGA_KUBE_APISERVER={old} is version 1.30; 1.32 or newer is needed" in refused.stderr


def test_the_kubebuilder_assets_come_before_path(tmp_path: Path, nothing: dict[str, str]) -> None:
    assets = program(tmp_path / "assets", "kube-apiserver", "Kubernetes v1.36.2")
    program(tmp_path / "empty", "kube-apiserver", "Kubernetes v1.36.4")
    found = find("kube-apiserver", **nothing, KUBEBUILDER_ASSETS=str(assets.parent))
    assert found.stdout.strip() == str(assets)


def test_an_old_program_on_path_is_passed_over(tmp_path: Path, nothing: dict[str, str]) -> None:
    program(tmp_path / "empty", "mongod", "db version v4.4.1")
    assert "mongod is missing: `make binaries` gets it" in find("mongod", **nothing).stderr


def test_a_new_program_on_path_is_taken(tmp_path: Path, nothing: dict[str, str]) -> None:
    here = program(tmp_path / "empty", "mongod", "db version v8.0.4")
    assert find("mongod", **nothing).stdout.strip() == str(here)
