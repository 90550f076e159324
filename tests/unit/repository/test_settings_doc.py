"""docs/settings.md has every setting of every program, with a reason and a unit, and nothing that isn't so."""

import re
import types
import typing

import pytest
from pydantic_settings import BaseSettings

from common.variables import PREFIX, SETTINGS, refuse_unknown
from dev.release import generated, settings_doc
from dev.release.settings_doc import CHART, PROGRAMS, UNITS, Program
from dev.setup.paths import CHECKOUT
from tests.support import yamls

TITLES = [program.title for program in PROGRAMS]


def test_the_page_is_fresh() -> None:
    assert generated.stale(settings_doc.document()) == [], "run `make docs`"


def test_every_settings_class_is_on_the_page() -> None:
    sources = [path for folder in ("operator", "common", "services") for path in (CHECKOUT / folder).rglob("*.py")]
    declared = [
        name
        for path in sources
        for name in re.findall(r"^class (\w+)\((?:\w*Settings|MongodFiles)\)", path.read_text(), re.M)
    ]
    assert sorted(declared) == sorted(program.settings.__name__ for program in PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS, ids=TITLES)
def test_every_setting_has_a_reason(program: Program) -> None:
    assert [name for name, reason in settings_doc.reasons(program.settings).items() if not reason] == []


def _is_a_number(annotation: object) -> bool:
    if isinstance(annotation, types.GenericAlias):
        return any(map(_is_a_number, typing.get_args(annotation)))
    return annotation in (int, float)


@pytest.mark.parametrize("program", PROGRAMS, ids=TITLES)
def test_every_number_has_a_unit(program: Program) -> None:
    fields = settings_doc.own_fields(program.settings).items()
    assert {name for name, field in fields if _is_a_number(field.annotation)} <= UNITS.keys()


def test_a_unit_and_a_value_of_the_chart_belong_to_a_setting() -> None:
    settings = {name for program in PROGRAMS for name in settings_doc.own_fields(program.settings)}
    assert settings >= UNITS.keys() | CHART.keys()


def test_the_values_of_the_chart_exist() -> None:
    values = yamls.load((CHECKOUT / "helm" / "values.yaml").read_text())
    values["services"]["NAME"] = values["serviceDefaults"] | {"mongodbSecret": {}, "port": 0}
    text = " ".join([*CHART.values(), *(program.env for program in PROGRAMS)])
    for path in re.findall(r"`([a-zA-Z]+(?:\.\w+)+)`", text):
        place: object = values
        for name in path.split("."):
            known = {**place, "mongodbSecret": {}, "env": []} if path.startswith("services.") else place  # type: ignore[dict-item]
            assert name in known, path  # type: ignore[operator]
            place = known[name]  # type: ignore[index]


class _Example(BaseSettings):
    described: int = 1
    """Under the
    attribute."""
    bare: int = 2


def test_a_docstring_under_the_attribute_is_its_reason() -> None:
    assert settings_doc.reasons(_Example) == {"described": "Under the attribute.", "bare": ""}


def test_a_program_refuses_no_variable_that_another_one_reads() -> None:
    fields = [item for program in PROGRAMS for item in program.settings.model_fields.items()]
    names = {name for field in fields for name in settings_doc.variables(*field)}
    assert {name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)} == SETTINGS


def test_every_variable_that_is_named_in_this_repository_is_known() -> None:
    own = {"test_variables.py"}  # it misspells some
    folders = ("common", "dev", "docs", "helm", "images", "manifests", "operator", "scripts", "services", "tests")
    within = (path for folder in folders for path in (CHECKOUT / folder).rglob("*"))
    texts = (".md", ".py", ".sh", ".tpl", ".yaml", ".yml")
    named = set[str]()
    for path in (*within, *CHECKOUT.iterdir()):
        if (
            path.is_file()
            and (path.suffix in texts or path.name in ("Dockerfile", "Makefile"))
            and path.name not in own
        ):
            named |= set(re.findall(r"\bORDERSAGA_[A-Z][A-Z0-9_]*[A-Z0-9]\b", path.read_text()))
    refuse_unknown(dict.fromkeys(named, ""))
