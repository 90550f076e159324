"""What the workflows may do, and what a release is made by: what their linters don't know of this project."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.release.supply.packages import IMAGES
from dev.setup.paths import CHECKOUT, VENV
from tests.support import yamls

FOLDER = CHECKOUT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
WORKFLOWS: dict[str, dict[str, Any]] = {path.stem: yamls.load(path.read_text()) for path in FILES}
RELEASE = WORKFLOWS["release"]["jobs"]


def steps(jobs: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in jobs.items():
        for step in job["steps"]:
            yield name, step


def index(job: str, part: str) -> int:
    """The place of the one step of that job whose action or script has this in it."""
    found = [i for i, step in enumerate(RELEASE[job]["steps"]) if part in f"{step.get('uses')} {step.get('run')}"]
    assert len(found) == 1, (job, part, found)
    return found[0]


def test_zizmor_has_nothing_to_say() -> None:
    result = subprocess.run(
        [VENV / "bin" / "zizmor", "--offline", "--no-progress", "--persona", "auditor", CHECKOUT / ".github"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r" # v7\.0\.1|@[0-9a-f]{40}", "@main"),
        ("persist-credentials: false", "persist-credentials: true"),
        ("permissions: {}", "permissions: write-all"),
        (r"bash \.ci/run", 'echo "${{ github.event.head_commit.message }}"'),
    ],
    ids=["an action that moves", "credentials on disk", "every right", "a stranger's words in a script"],
)
def test_zizmor_would_have(tmp_path: Path, old: str, new: str) -> None:
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    text = re.sub(old, new, (FOLDER / "ci.yml").read_text())
    (tmp_path / ".github" / "workflows" / "ci.yml").write_text(text)
    command = [VENV / "bin" / "zizmor", "--offline", "--no-progress", "--persona", "auditor", tmp_path]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_every_action_is_pinned_to_a_commit_and_says_which_version_that_is() -> None:
    pins: dict[str, set[str]] = {}
    for path in FILES:
        for line in re.findall(r"uses: *(.+)", path.read_text()):
            found = re.fullmatch(r"([\w.-]+/[\w./-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)", line)
            assert found, f"{path.name}: {line}"
            pins.setdefault(found[1], set()).add(found[2])
    assert {name: each for name, each in pins.items() if len(each) > 1} == {}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_has_no_right_and_a_job_has_its_own(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]
        assert job["timeout-minutes"] <= 120


def test_only_a_release_writes_and_only_its_page_writes_to_the_repository() -> None:
    writing = {
        (workflow, job): sorted(right for right, what in each["permissions"].items() if what == "write")
        for workflow, content in WORKFLOWS.items()
        for job, each in content["jobs"].items()
    }
    sign = ["artifact-metadata", "attestations", "id-token", "packages"]
    assert {place: rights for place, rights in writing.items() if rights} == {
        ("release", "images"): sign,
        ("release", "chart"): sign,
        ("release", "page"): ["contents"],
        ("scorecard", "scorecard"): ["id-token", "security-events"],
    }


def test_no_workflow_has_a_secret() -> None:
    for path in FILES:
        assert "secrets." not in path.read_text(), path.name


def test_ci_is_the_script_that_every_machine_runs() -> None:
    runs = [step.get("run") for _, step in steps(WORKFLOWS["ci"]["jobs"])]
    assert "bash .ci/run" in runs
    assert "make audit-packages" in runs
    assert "make ui-test" in runs


def test_a_release_is_of_a_commit_that_passes_and_of_packages_that_are_answered_for() -> None:
    runs = [step.get("run") for step in RELEASE["guard"]["steps"]]
    assert "bash .ci/run" in runs
    assert "make audit-packages" in runs
    assert (RELEASE["plan"]["needs"], RELEASE["images"]["needs"]) == ("guard", "plan")
    assert RELEASE["chart"]["needs"] == ["plan", "images"]
    assert RELEASE["page"]["needs"] == "chart"
    assert not [name for name, step in steps(RELEASE) if "continue-on-error" in step or "if" in step]


def test_a_release_has_every_image_for_both_machines() -> None:
    built = RELEASE["images"]["strategy"]["matrix"]["include"]
    assert [each["image"] for each in built] == list(IMAGES)
    stages = set(re.findall(r"^FROM \S+ AS (\w+)$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE))
    for each in built:
        assert each["target"] in stages
        assert each["image"] in (each["target"], f"{each['service']}-service")
    build = RELEASE["images"]["steps"][index("images", "docker/build-push-action")]["with"]
    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert (build["provenance"], build["sbom"]) == ("mode=max", True)
    assert "PYTHON_IMAGE=${{ needs.plan.outputs.python }}" in build["build-args"]
    assert "@$digest" in RELEASE["plan"]["steps"][index("plan", "imagetools")]["run"]


@pytest.mark.parametrize(("job", "made"), [("images", "docker/build-push-action"), ("chart", "helm push")])
def test_what_is_pushed_is_signed_and_attested_by_its_digest(job: str, made: str) -> None:
    place = index(job, made)
    digest = f"${{{{ steps.{RELEASE[job]['steps'][place]['id']}.outputs.digest }}}}"
    signed = RELEASE[job]["steps"][index(job, "cosign sign --yes")]
    assert index(job, "cosign sign --yes") > place
    assert signed["run"].strip().endswith('@$DIGEST"')
    assert signed["env"]["DIGEST"] == digest
    attested = [each["with"] for each in RELEASE[job]["steps"] if "actions/attest@" in each.get("uses", "")]
    about = [each for each in attested if each.get("subject-digest") == digest]
    assert any("sbom-path" not in each and each["push-to-registry"] for each in about)
    assert job == "chart" or any("sbom-path" in each and each["push-to-registry"] for each in about)
