"""What the generators of files share: YAML that people can read, and one command that writes or checks."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from dev.setup.errors import exit_status
from dev.setup.paths import CHECKOUT


class _Dumper(yaml.SafeDumper):
    """Text of several lines as a block, lists indented, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def yaml_text(data: Any) -> str:
    """YAML for people: in the order given, scripts as blocks."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return text


def stale(files: dict[Path, str]) -> list[Path]:
    """The files that aren't as they would be written."""
    return [path for path, text in files.items() if not path.exists() or path.read_text() != text]


def write(files: dict[Path, str]) -> list[Path]:
    """Write the files that aren't as they should be; return which."""
    old = stale(files)
    for path in old:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path])
    return old


def main(program: str, generated: Callable[[], dict[Path, str]], arguments: list[str]) -> int:
    """Write the files, or check them; the exit status."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a file is stale")
    check = parser.parse_args(arguments).check

    def work() -> int:
        old = (stale if check else write)(generated())
        for path in old:
            print(f"{'stale' if check else 'written'}: {path.relative_to(CHECKOUT)}")
        return 1 if check and old else 0

    return exit_status(work)
