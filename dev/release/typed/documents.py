"""The commands that the documents tell people to type, read out of the pages.

A command stands in a fence (`$ ` before it, what it prints below it), in an indented block, or in a sentence or table
as code, if it is one that deploys something.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.setup.paths import CHECKOUT

SKETCH = CHECKOUT / "dev" / "release" / "typed" / "sketch.md"
PAGES = (
    *CHECKOUT.glob("*.md"),
    *(CHECKOUT / "docs").glob("*.md"),
    *(CHECKOUT / "docs" / "runbooks").glob("*.md"),
    SKETCH,
)
SHELL_FENCES = ("", "console", "bash", "sh", "shell")
PROMPT = "$ "
# What a line begins with that is typed: a program, a script, a variable that gets a value. A block whose first line
# isn't one shows something else: an answer, a picture, a file.
TYPED = re.compile(
    r"(?:[A-Z_]+=\S+ )*(?:kubectl|oc|helm|docker|docker-compose|make|curl|pip|pipx|kind|export|alias|cd|git|python|"
    r"ordersaga|cosign|gh|oras|jq|cat|mkdir|echo|printf|open|kill|pytest|uvicorn|npm|operator-sdk|\.{1,2}/\S+|\.ordersaga/\S+)"
    r"(?= |$)|[A-Za-z_]+=(?!\[)\S"
)
IN_PROSE = re.compile(
    r"(?:helm (?:install|upgrade|uninstall|rollback|test)|kubectl (?:apply|scale|autoscale)|oc (?:apply|adm)|"
    r"docker-compose|docker compose|docker build)(?: \S.*)|\./[\w-]+\.sh(?: .*)?"
)


@dataclass(frozen=True, slots=True)
class Command:
    """One command; of several lines where it is written so."""

    page: str
    """Below the checkout."""
    line: int
    text: str
    in_prose: bool = False

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def commands(page: Path) -> list[Command]:
    """All commands of a page, in its order."""
    name = str(page.relative_to(CHECKOUT))
    found = [
        Command(name, line + offset, text)
        for line, block in _blocks(page.read_text())
        for offset, text in _typed(block)
    ]
    found += [Command(name, line, text, in_prose=True) for line, text in _in_prose(page.read_text())]
    return sorted(found, key=lambda command: command.line)


def every() -> list[Command]:
    """The commands of all pages."""
    return [command for page in sorted(PAGES) for command in commands(page)]


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """What isn't prose: the number of each block's first line, and its lines without their indentation."""
    block: list[str] = []
    first, fence = 0, None
    for number, line in enumerate([*text.splitlines(), ""], 1):
        marker = re.fullmatch(r"\s*```(\w*).*", line)
        if marker and fence is None:
            if block:
                yield first, _level(block)
            block, first, fence = [], number + 1, marker[1]
        elif marker:
            if fence in SHELL_FENCES:
                yield first, _level(block)
            block, fence = [], None
        elif fence is not None:
            block.append(line)
        elif re.match(r" {4,}\S", line) and (block or not text.splitlines()[number - 2].strip()):
            first = first if block else number
            block.append(line)
        elif block and (line.strip() or not _goes_on(text.splitlines()[number:])):
            yield first, _level(block)
            block = []
        elif block:
            block.append("")


def _goes_on(following: list[str]) -> bool:
    return bool(following) and following[0].startswith("    ")


def _level(block: list[str]) -> list[str]:
    return textwrap.dedent("\n".join(block)).splitlines()


def _typed(block: list[str]) -> Iterator[tuple[int, str]]:
    """The commands of a block, each with the number of lines before it."""
    lines = [line for line in block if line.strip()]
    prompted = any(line.startswith(PROMPT) for line in lines)
    if not prompted and (not lines or not TYPED.match(lines[0])):
        return
    number = 0
    while number < len(block):
        begin, text = number, block[number].removeprefix(PROMPT)
        wanted = block[number].startswith(PROMPT) if prompted else bool(text.strip())
        number += 1
        while wanted and number < len(block) and _unfinished(text):
            text += "\n" + block[number]
            number += 1
        if wanted:
            yield begin, text.rstrip()


def _unfinished(text: str) -> bool:
    """Whether the shell would ask for more: a backslash at the end, a quote that is open."""
    bare = re.sub(r"(?<!\S)#.*$", "", text, flags=re.MULTILINE)
    quotes = re.sub(r"""'[^']*'|"(?:\\.|[^"\\])*\"""", "", bare)
    return text.endswith("\\") or "'" in quotes or '"' in quotes


def _in_prose(text: str) -> Iterator[tuple[int, str]]:
    """Deployment commands in sentences, lists and tables."""
    fenced = re.compile(r"^ *```.*?^ *```|^ {4,}\S.*?$", re.MULTILINE | re.DOTALL)
    bare = fenced.sub(lambda match: "\n" * match[0].count("\n"), text)
    for code in re.finditer(r"`([^`]+)`", bare):
        words = " ".join(code[1].split())
        if IN_PROSE.fullmatch(words):
            yield bare.count("\n", 0, code.start()) + 1, words
