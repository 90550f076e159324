"""`make docs-test` notices what doesn't do what the page says, and goes on."""

import os

import pytest

from dev.release.typed import __main__ as typing
from dev.release.typed.documents import Command
from dev.release.typed.places import Place, Rule

ANY = Rule("page.md", "", Place.MACHINE)


def typed(*texts: str, rule: Rule = ANY) -> list[str]:
    """What is said to be wrong when these are the commands of a page."""
    commands = [(Command("page.md", line, text), rule) for line, text in enumerate(texts, 1)]
    return typing.type_page("page.md", commands, dict(os.environ))


def test_a_variable_and_an_alias_of_one_command_are_those_of_the_next() -> None:
    assert typed("KEY='a b'", 'test "$KEY" = "a b"', "alias really=true", "really") == []
    assert typed("KEY=value", "env | grep -qx KEY=value") == []


def test_a_command_that_fails_is_named_and_the_next_one_is_typed() -> None:
    assert typed("true", "false || (exit 3)", "true") == ["page.md:2: false || (exit 3): exit status 3"]


def test_a_page_is_typed_in_the_checkout_wherever_a_command_goes() -> None:
    assert typed("cd services/order && test -f main.py", "test -d services/order") == []


def test_a_command_that_stays_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typing, "LOOKED_AT_SECONDS", 0.2)
    assert typed("sleep 60", rule=Rule("page.md", "", Place.MACHINE, stays=True)) == []
    assert typed("exit 5", rule=Rule("page.md", "", Place.MACHINE, stays=True)) == ["page.md:1: exit 5: exit status 5"]


def test_a_command_that_wants_a_terminal_gets_one() -> None:
    rule = Rule("page.md", "", Place.MACHINE, terminal=True)
    assert typed("test -t 0 && test -t 1", rule=rule) == []
    assert typed("exit 5", rule=rule) == ["page.md:1: exit 5: exit status 5"]


def test_what_a_command_has_to_bring_about_is_looked_at() -> None:
    wrong = typed("true", rule=Rule("page.md", "", Place.MACHINE, after="test -e nothing"))
    assert wrong == ["page.md:1: true: it succeeded, but what the page says is not so"]


def test_what_a_page_takes_for_granted_is_there_before() -> None:
    rule = Rule("page.md", "", Place.MACHINE, before="echo ready > $TYPED_LOG.made")
    assert typed("grep -q ready $TYPED_LOG.made", rule=rule) == []
    missing = typed("true", rule=Rule("page.md", "", Place.MACHINE, before="false"))
    assert missing == ["page.md:1: true: what the page takes for granted could not be had"]
