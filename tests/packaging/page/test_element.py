"""<saga-timeline> as one file: what is committed is what ui/src/timeline builds, and needs nothing else."""

import gzip
import hashlib
import json
import re

from dev.setup.paths import CHECKOUT

UI = CHECKOUT / "ui"
ELEMENT = UI / "element" / "saga-timeline.js"
PLUGIN = UI / "headlamp"
FILES = ("model.ts", "saga-timeline.ts", "style.ts", "words.ts")
"""As in ui/element.config.ts."""
MOST = 8 * 1024
"""Bytes, compressed: a picture in somebody else's page."""


def test_it_is_built_from_the_sources_that_are_here() -> None:
    folder = UI / "src" / "timeline"
    assert sorted(path.name for path in folder.iterdir()) == list(FILES)
    digest = hashlib.sha256(b"".join(f"{name}\0".encode() + (folder / name).read_bytes() + b"\0" for name in FILES))
    first = ELEMENT.read_text().partition("\n")[0]
    assert digest.hexdigest() in first, "run `make ui`"


def test_it_needs_no_other_file_and_names_no_other_host() -> None:
    text = ELEMENT.read_text()
    assert re.findall(r"\bimport\b|\brequire\(|\beval\(|new Function", text) == []
    assert set(re.findall(r"https?://([\w.-]+)", text)) <= {"www.w3.org"}


def test_it_is_small() -> None:
    assert len(gzip.compress(ELEMENT.read_bytes())) <= MOST


def test_the_plugin_shows_it_of_our_kind_alone_and_its_tools_are_pinned() -> None:
    source = (PLUGIN / "src" / "index.tsx").read_text()
    assert "from '../../element/saga-timeline.js'" in source
    assert "saga?.kind !== 'OrderSaga' || !saga.apiVersion?.startsWith(GROUP)" in source
    package = json.loads((PLUGIN / "package.json").read_text())
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package["devDependencies"].values())
    assert "dependencies" not in package
