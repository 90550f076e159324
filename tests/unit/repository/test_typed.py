"""Each command of the documents is typed somewhere by `make docs-test`, or says why it isn't."""

import re
from pathlib import Path

import pytest

from dev.release.typed import documents, rules
from dev.release.typed.places import Place
from dev.setup.paths import CHECKOUT

PAGE = """\
# A page

Type this, `helm install shop ./helm`, but `helm install` is a word:

    ./run-local.sh      # "starts"
    KEY=x
    curl -s http://127.0.0.1:8000/ -d '{
      "a": 1}'

A picture, an answer and a file hold none:

    order ──▶ payment
    {"phase": "Completed"}

- In a list:

  ```console
  $ kubectl get ordersagas \\
      -o wide
  NAME   PHASE
  $ kubectl get pods
  ```

```yaml
kubectl: no command
```
"""


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """What is found in that page: line and command."""
    monkeypatch.setattr(documents, "CHECKOUT", tmp_path)
    (tmp_path / "page.md").write_text(PAGE)
    return [(command.line, command.text) for command in documents.commands(tmp_path / "page.md")]


def test_commands_are_found_in_blocks_after_prompts_and_in_sentences(found: list[tuple[int, str]]) -> None:
    assert found == [
        (3, "helm install shop ./helm"),
        (5, './run-local.sh      # "starts"'),
        (6, "KEY=x"),
        (7, "curl -s http://127.0.0.1:8000/ -d '{\n  \"a\": 1}'"),
        (18, "kubectl get ordersagas \\\n    -o wide"),
        (21, "kubectl get pods"),
    ]


def test_somebody_has_said_of_each_command_where_it_is_typed() -> None:
    assert [str(command) for command in documents.every() if rules.rule_of(command) is None] == []


def test_what_is_not_typed_says_why() -> None:
    assert [rule for rule in rules.RULES if (rule.place == Place.NOWHERE) != bool(rule.why)] == []


def test_each_rule_is_about_a_command_that_is_there() -> None:
    used = {id(rules.rule_of(command)) for command in documents.every()}
    assert [f"{rule.page} {rule.text}" for rule in rules.RULES if id(rule) not in used] == []


@pytest.mark.parametrize("place", [place for place in Place if place != Place.NOWHERE])
def test_what_is_typed_leaves_nothing_for_a_reader_to_put_in(place: Place) -> None:
    session = [each for page in rules.pages(place) for each in rules.of(CHECKOUT / page, place)]
    assert session
    assert [text for command, rule in session if re.search(r"…|\bNS\b|\bORDER\b", text := rule.typed(command))] == []
