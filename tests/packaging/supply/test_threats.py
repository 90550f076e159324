"""The threat model names tests that there are, and a control without one isn't in it."""

import ast
import re

import pytest

from dev.setup.paths import CHECKOUT

DOCUMENT = CHECKOUT / "docs" / "threats.md"
TEXT = DOCUMENT.read_text()
THREATS = dict(re.findall(r"^### (.+)\n\n((?:(?!^##).*\n)+)", TEXT, re.MULTILINE))


def test_every_threat_is_read() -> None:
    assert len(THREATS) == TEXT.count("\n### ")
    assert len(THREATS) > 15


@pytest.mark.parametrize("threat", THREATS)
def test_a_threat_has_its_letters_its_control_and_its_test(threat: str) -> None:
    assert re.search(r" \([STRIDE](, [STRIDE])*\)$", threat)
    parts = re.findall(r"^- \*\*(.+?)\*\*:\s", THREATS[threat], re.MULTILINE)
    assert parts in (["Control", "Test"], ["Control", "Test", "Not covered"])


@pytest.mark.parametrize("threat", THREATS)
def test_the_tests_of_a_threat_are_there(threat: str) -> None:
    named = re.findall(r"\[`(\w+)`\]\(([^)]+)\)", THREATS[threat])
    assert named
    assert THREATS[threat].count(".py)") == len(named), "each is written as [`test_name`](path)"
    for test, link in named:
        path = (DOCUMENT.parent / link).resolve()
        assert path.is_file(), link
        defined = {
            node.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert test in defined, f"{link} has no {test}"


def test_other_documents_lead_here() -> None:
    for name in ("docs/security.md", "SECURITY.md", "README.md"):
        assert "threats.md" in (CHECKOUT / name).read_text(), name
    for name in ("README.md", "docs/security.md"):
        assert "SECURITY.md" in (CHECKOUT / name).read_text(), name
