"""The map in CONTRIBUTING.md is true: every folder of code is on it, with what it is and what it may import."""

from pathlib import Path

from dev.release import generated, rooms_doc
from dev.release.rooms_doc import OTHERS
from dev.setup.paths import CHECKOUT

ONLY_HOLD_ROOMS = {"operator", "tests"}


def _is_kept(path: Path) -> bool:
    """Neither a file, nor hidden, nor a cache, nor empty but for caches."""
    if not path.is_dir() or path.name.startswith((".", "__")):
        return False
    return any(file.is_file() and "__pycache__" not in file.parts for file in path.rglob("*"))


def test_the_map_is_fresh() -> None:
    assert generated.stale(rooms_doc.document()) == [], "run `make docs`"


def test_every_package_says_what_it_is() -> None:
    assert [folder for folder, text in rooms_doc.packages().items() if not text] == []


def test_every_folder_is_on_the_map() -> None:
    rooms = {*rooms_doc.packages(), *OTHERS}
    folders = [path for path in [*CHECKOUT.iterdir(), *(CHECKOUT / "tests").iterdir()] if _is_kept(path)]
    top = {f"{path.relative_to(CHECKOUT)}/" for path in folders if path.name not in ONLY_HOLD_ROOMS}
    assert top <= rooms
    assert all((CHECKOUT / folder).is_dir() for folder in rooms)


def test_the_map_has_what_the_contracts_say() -> None:
    assert rooms_doc.below("saga_operator.resource") == ["process", "settings"]
    assert {"kopf", "asyncio"} <= set(rooms_doc.never("saga_operator.process"))
    assert "motor" in rooms_doc.never("common.web")
