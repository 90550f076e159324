"""The map of the code in CONTRIBUTING.md: from the packages' docstrings, and from import-linter's contracts.

python -m dev.release.rooms_doc            write it (`make docs`)
python -m dev.release.rooms_doc --check    exit status 1 if it isn't what it would be
"""

import ast
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from dev.release import generated
from dev.setup.paths import CHECKOUT

DOCUMENT: Final = CHECKOUT / "CONTRIBUTING.md"
BEGIN, END = "<!-- rooms: written by `make docs` -->\n", "<!-- end of rooms -->\n"
WIDTH: Final = 120

ROOTS: Final = ("operator/saga_operator", "operator/ordersaga", "common", "services", "dev")

OTHERS: Final = {
    "crds/": "The resource definition. It is the source: the chart's copy is checked against it.",
    "helm/": "The chart, from which `make manifests` writes the YAML files that are installed without Helm.",
    "manifests/": "Roles, sample orders, kustomize overlays, GitOps, OLM and the OpenShift console.",
    "images/": "What only the images need: the health check.",
    "ui/": "The page of `kubectl saga ui`, and `<saga-timeline>`, which draws one saga: TypeScript, Svelte. `make ui` "
    "builds what is served, `make ui-test` tries it, and `make ui-stories` tries it on the real stack.",
    "scripts/": "What a person runs beside the local stack.",
    "bench/": "What sagas cost: measurements to run by hand.",
    "docs/": "For users: one page for each subject. `docs/adr/` has the decisions that are hard to take back.",
    "tests/unit/": "Pure rules. A test that listens or starts a process fails.",
    "tests/model/": "Every history of a saga within bounds, and long ones at random.",
    "tests/contract/": "The services on real parts: what each participant promises, its routes under any request, the "
    "answers of others, and what backs it: the database and the API server's client.",
    "tests/crd/": "The rules of the resource, on a real API server: what each refuses, and what it must not.",
    "tests/operator/": "The operator on a real API server, with participants whose answers the tests choose: what it "
    "makes of answers, of people's requests, of lost resources, of its own end and of the API server's troubles.",
    "tests/cli/": "The command, and the rules of the audit.",
    "tests/e2e/": "Orders through all real parts, with crashes.",
    "tests/mutation/": "The code without one remedy, and the test that must notice (`make mutate`).",
    "tests/packaging/": "What is shipped: the chart, GitOps, the images, the page.",
    "tests/dev/": "The tools.",
    "tests/support/": "What tests of several folders share: the sample order, the client of a service.",
}
"""Folder without a docstring of its own → what it is."""


def packages() -> dict[str, str]:
    """Folder → the first paragraph of its package's docstring; the services' own tests aren't packages."""
    found = {}
    for root in ROOTS:
        for path in sorted((CHECKOUT / root).rglob("__init__.py")):
            docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
            found[f"{path.parent.relative_to(CHECKOUT)}/"] = " ".join(docstring.partition("\n\n")[0].split())
    return found


def contracts() -> list[dict[str, Any]]:
    """Import-linter's contracts, as they stand in pyproject.toml."""
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    return list(settings["tool"]["importlinter"]["contracts"])


def below(module: str) -> list[str]:
    """What the layers of its folder let a package import there; [] if its folder has no layers."""
    folder, _, name = module.rpartition(".")
    for contract in contracts():
        if contract["type"] == "layers" and folder in contract["containers"]:
            layers = [re.findall(r"\w+", layer) for layer in contract["layers"]]
            place = next(number for number, layer in enumerate(layers) if name in layer)
            return [each for layer in layers[place + 1 :] for each in layer]
    return []


def never(module: str) -> list[str]:
    """What contracts forbid this package to import, besides what they forbid the whole folder that it lies in."""
    folder = module.rpartition(".")[0]
    found = {
        name
        for contract in contracts()
        if contract["type"] == "forbidden"
        for source in contract["source_modules"]
        if f"{module}.".startswith(f"{source}.") and not f"{folder}.".startswith(f"{source}.")
        for name in contract["forbidden_modules"]
    }
    return sorted(found)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def entry(folder: str, text: str) -> str:
    """A folder, what it is, and what it may import."""
    module = folder.rstrip("/").removeprefix("operator/").replace("/", ".")
    allowed, forbidden = (below(module), never(module)) if folder not in OTHERS else ([], [])
    notes = [f"Of its neighbours it may import {_names(allowed)}."] if allowed else []
    notes += [f"It never imports {_names(forbidden)}."] if forbidden else []
    paragraphs = [f"- **`{folder}`** {text}", *(f"  {note}" for note in notes)]
    lines = [
        textwrap.wrap(paragraph, WIDTH - 1, subsequent_indent="  ", break_on_hyphens=False) for paragraph in paragraphs
    ]
    return "\\\n".join("\n".join(paragraph) for paragraph in lines)


def rooms() -> str:
    """The map, without its markers."""
    found = packages()
    product = {folder: text for folder, text in found.items() if not folder.startswith("dev/")}
    groups = {
        "The product": product,
        "The tools": {folder: text for folder, text in found.items() if folder not in product},
        "Everything else": OTHERS,
    }
    return "\n\n".join(
        "\n".join([f"### {title}\n", *(entry(folder, text) for folder, text in group.items())])
        for title, group in groups.items()
    )


def document() -> dict[Path, str]:
    """CONTRIBUTING.md with the map as it should be."""
    head, rest = DOCUMENT.read_text().split(BEGIN)
    _, tail = rest.split(END)
    return {DOCUMENT: f"{head}{BEGIN}\n{rooms()}\n\n{END}{tail}"}


if __name__ == "__main__":
    sys.exit(generated.main("python -m dev.release.rooms_doc", document, sys.argv[1:]))
