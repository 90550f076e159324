"""The committed page of `kubectl saga ui` is the one that ui/ builds, is in the wheel, and is small. Node is needed
for one of these tests only."""

import gzip
import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from dev.setup.paths import CHECKOUT

UI = CHECKOUT / "ui"
PAGE = CHECKOUT / "operator" / "ordersaga" / "saga" / "ui" / "page"
BUILT_FROM, LICENSES = "built-from.json", "licenses.txt"
SOURCES = ("index.html", "package-lock.json", "public", "src", "svelte.config.js", "tsconfig.json", "vite.config.ts")
"""What a build reads. The same list stands in ui/scripts/built-from.mjs."""
MOST = 60 * 1024
"""Bytes, compressed: what a browser fetches before it shows the first saga."""


def sources() -> list[Path]:
    """Every file of them, as ui/scripts/built-from.mjs sorts them."""
    found = [path for name in SOURCES for path in ([UI / name] if "." in name else (UI / name).rglob("*"))]
    return sorted((path for path in found if path.is_file()), key=lambda path: path.relative_to(UI).as_posix())


def built() -> list[Path]:
    """What is served."""
    return [path for path in sorted(PAGE.rglob("*")) if path.is_file() and path.name != BUILT_FROM]


def test_the_page_is_built_from_the_sources_that_are_here() -> None:
    digest = hashlib.sha256()
    for path in sources():
        digest.update(f"{path.relative_to(UI).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    said = json.loads((PAGE / BUILT_FROM).read_text())
    assert said == {"sources": digest.hexdigest(), "files": len(sources())}, "run `make ui`"


@pytest.mark.slow
@pytest.mark.skipif(not (UI / "node_modules").is_dir(), reason="its packages aren't installed: `make ui` installs them")
def test_a_build_gives_the_committed_page() -> None:
    made = subprocess.run(["npm", "run", "--silent", "fresh"], check=False, cwd=UI, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr


def test_each_file_is_named_in_the_page_so_that_none_is_left_from_an_earlier_build() -> None:
    index = (PAGE / "index.html").read_text()
    named = {name.removeprefix("./") for name in re.findall(r'(?:src|href)="([^"]+)"', index)}
    assert named == {path.relative_to(PAGE).as_posix() for path in built()} - {"index.html", LICENSES}


def test_the_page_keeps_its_policy_no_script_or_style_stands_in_it() -> None:
    index = (PAGE / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*src=)|<style|style=|\son\w+=", index) == []


def test_the_page_names_no_other_host() -> None:
    """Namespaces of XML, and Svelte's links to what explains its errors, are texts and never asked."""
    files = [path for path in built() if path.name != LICENSES]
    named = {host for path in files for host in re.findall(r"https?://([\w.-]+)", path.read_text())}
    assert named <= {"www.w3.org", "svelte.dev"}


def test_the_page_is_small() -> None:
    assert sum(len(gzip.compress(path.read_bytes())) for path in built()) <= MOST


def test_the_wheel_has_the_page() -> None:
    files = {Path(each.distribution_path) for each in WheelBuilder(str(CHECKOUT)).recurse_included_files()}
    assert {Path("ordersaga/saga/ui/page") / path.relative_to(PAGE) for path in built()} <= files


def test_the_lock_file_names_no_registry() -> None:
    """Who installs takes the packages from their own; what they are is in the hashes."""
    lock = json.loads((UI / "package-lock.json").read_text())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert [name for name, each in packages.items() if "resolved" in each or "integrity" not in each] == []


def test_every_package_that_builds_the_page_is_pinned() -> None:
    package = json.loads((UI / "package.json").read_text())
    assert [
        version for version in package["devDependencies"].values() if not re.fullmatch(r"\d+\.\d+\.\d+", version)
    ] == []
    assert "dependencies" not in package


def test_the_licenses_of_what_is_in_the_page_go_along_with_it() -> None:
    lock = json.loads((UI / "package-lock.json").read_text())["packages"]
    text = (PAGE / LICENSES).read_text()
    assert f"svelte {lock['node_modules/svelte']['version']}\n" in text
    assert text.count("Permission is hereby granted") == len(re.findall(r"^\S+ \d+\.\d+\.\d+$", text, re.MULTILINE))
