"""YAML as tests read it: with libyaml, where PyYAML has it, which takes a tenth of the time."""

from collections.abc import Iterator
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """The one document in the text."""
    return yaml.load(text, LOADER)  # noqa: S506 - a safe loader


def load_all(text: str) -> Iterator[Any]:
    """Its documents; an empty one is None."""
    found: Iterator[Any] = yaml.load_all(text, LOADER)
    return found
