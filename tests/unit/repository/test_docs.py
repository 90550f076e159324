"""The docs can be followed: each link leads somewhere, and each page can be reached."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.setup.paths import CHECKOUT

PAGES = [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md"), *(CHECKOUT / "bench").glob("*.md")]
WIDTH = 130
NAMES = [str(page.relative_to(CHECKOUT)) for page in PAGES]


def prose(page: Path) -> str:
    """The page without what stands in fences."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """What the page links to in this repository: a file, and a heading of it or ""."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        assert path.exists(), path
        assert not anchor or anchor in anchors(path), f"{path.name}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_line_is_longer_than_130_characters_unless_it_is_one_link(page: Path) -> None:
    lines = [line for line in prose(page).splitlines() if not re.fullmatch(r" *\[[^\]]+\]\([^)]+\)", line)]
    assert [line for line in lines if len(line) > WIDTH] == []


def test_every_page_can_be_found_from_another() -> None:
    linked = {path for page in PAGES for path, _ in links(page) if path != page}
    folders = {CHECKOUT / "docs" / "adr"}
    found = linked | {path / "README.md" for path in folders & linked}
    assert {page for page in PAGES if page not in found} <= {CHECKOUT / "README.md", CHECKOUT / "CHANGELOG.md"}


def test_a_process_that_is_killed_is_that_of_the_checkout_and_not_of_another_stack() -> None:
    lines = [line for page in PAGES for line in page.read_text().splitlines()]
    found = [line for line in lines if re.search(r"\b(pgrep|pkill|killall)\b", line)]
    assert found
    assert [line for line in found if "$PWD/" not in line] == []
