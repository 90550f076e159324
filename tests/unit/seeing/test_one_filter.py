"""The terminal and the page have one filter: what both are told in the same words, both find, sort and group alike."""

import argparse
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from dev.setup.paths import CHECKOUT
from ordersaga.phases import Phase
from ordersaga.saga.facts import NOT_BEGUN, Facts, Found
from ordersaga.saga.participants import waiting_for
from ordersaga.saga.record import Record, participant_of
from ordersaga.saga.selection import SORTS, Selection, add_filter, grouped, selection_of, sorted_by
from ordersaga.saga.sentence import UNSEEN_SECONDS, sentence_of
from ordersaga.saga.ui.app import Filter
from ordersaga.saga.ui.rows import Row, View, listed
from saga_operator.resource.times import to_wire
from tests.unit.process.builders import CREATED, STEPS, done, lost, never_undone, paused, refused, seen, undone
from tests.unit.seeing.resources import LATER, record, unseen

SAGAS = (
    unseen(0)[0],
    record(),
    record(*done("order")),
    record(*done(*STEPS)),
    record(*done("order"), lost("inventory")),
    record(*done("order", "inventory"), paused("payment")),
    record(seen("Suspended")),
    record(*done("order"), refused("inventory", "OutOfStock")),
    record(*done("order", "inventory"), refused("payment", "CardDeclined"), *undone(*STEPS[:5])),
    record(
        *done("order", "inventory"),
        refused("payment"),
        *undone("confirmation"),
        lost("inventory", undo=True),
        lost("inventory", undo=True),
    ),
    record(
        *done("order", "inventory", "payment"),
        refused("shipping", "NotServiceable"),
        *undone("confirmation"),
        *never_undone("payment"),
        *undone("inventory"),
    ),
)
OPTIONS = {"phase": "--phase", "step": "--step", "reason": "--reason", "customer": "--customer", "q": "--id"}
TIMES = {"older": "--older", "newer": "--newer"}
FLAGS = {"needs_person": "--needs-person", "finished": "--all"}
ALL = OPTIONS | TIMES | FLAGS


@st.composite
def sagas(draw: st.DrawFn) -> list[Record]:
    """A few of every kind, of several customers and ages."""
    made = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(SAGAS), max_size=12))):
        age = draw(st.sampled_from((0.0, 14.0, 15.0, 16.0, 120.0, 5000.0)))
        metadata = {**kind.item["metadata"], "name": f"o-{number}", "creationTimestamp": to_wire(LATER - age)}
        spec = {**kind.item["spec"], "customerID": draw(st.sampled_from(("c-1", "c-17")))}
        made.append(Record({**kind.item, "metadata": metadata, "spec": spec}))
    return made


TROUBLES = sorted({Facts.of(saga).trouble_at(LATER + 60) for saga in SAGAS} - {""})
REASONS = sorted({reason for saga in SAGAS for reason in Facts.of(saga).reasons})


def several(known: list[str]) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(known), min_size=1, max_size=3).map(",".join)


words = st.fixed_dictionaries(
    {},
    optional={
        "phase": several([*Phase, *(phase.lower() for phase in Phase)]),
        "step": several(list(STEPS)),
        "reason": several([*TROUBLES, *REASONS, "NeverHeardOf"]),
        "customer": st.sampled_from(("c-1", "c-17")),
        "q": st.sampled_from(("o-", "1", "o-1")),
        "older": st.sampled_from(("15s", "2m", "1h")),
        "newer": st.sampled_from(("15s", "2m", "1h")),
        "needs_person": st.just("1"),
        "finished": st.just("1"),
    },
)


def on_the_page(said: Mapping[str, str]) -> Selection:
    """As the page's URL says it."""
    return Filter(**dict(parse_qsl(urlencode(said)))).selection()  # type: ignore[arg-type]


def in_the_terminal(said: Mapping[str, str]) -> Selection:
    parser = argparse.ArgumentParser()
    add_filter(parser)
    given_ = [[ALL[name]] if name in FLAGS else [ALL[name], text] for name, text in said.items()]
    return selection_of(parser.parse_args([word for each in given_ for word in each]))


@given(said=words)
def test_the_same_words_mean_the_same(said: dict[str, str]) -> None:
    assert on_the_page(said) == in_the_terminal(said)


@pytest.mark.parametrize("said", [{"phase": "Broken"}, {"step": "packing"}, {"phase": "Failed,Broken"}])
def test_both_refuse_the_same_with_the_words_that_there_are(said: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="there is no ") as refusal:
        in_the_terminal(said)
    with pytest.raises(HTTPException) as problem:
        on_the_page(said)
    assert (problem.value.status_code, problem.value.detail) == (422, str(refusal.value))


@given(found=sagas(), said=words, sort=st.sampled_from(SORTS), reverse=st.booleans())
def test_both_show_the_same_sagas_in_the_same_order_with_the_same_trouble(
    found: list[Record], said: dict[str, str], sort: str, *, reverse: bool
) -> None:
    page = listed(map(Row.of, found), View(on_the_page(said), sort=sort, reverse=reverse), LATER)
    chosen = [each for each in map(Found.of, found) if in_the_terminal(said).takes(each, LATER)]
    ordered = sorted_by(chosen, sort, reverse=reverse)
    assert [each["name"] for each in page["items"]] == [each.name for each in ordered]
    assert [each["sentence"] for each in page["items"] if each["phase"] not in ("Completed", "Compensated")] == [
        str(sentence_of(each.saga, LATER)) for each in ordered if not each.saga.is_finished
    ]
    groups = [(each["trouble"], each["step"], each["number"], each["example"]) for each in page["groups"]]
    assert groups == [(each.trouble, each.step, each.number, each.example) for each in grouped(ordered, LATER)]


@given(found=sagas(), said=words)
def test_the_api_server_never_leaves_out_what_is_meant(found: list[Record], said: dict[str, str]) -> None:
    selection = on_the_page(said)
    selector = selection.parameters().get("fieldSelector", "")
    for saga in found:
        if selection.takes(Facts.of(saga), LATER):
            assert selects(selector, saga.item)


def selects(selector: str, item: Mapping[str, Any]) -> bool:
    """As the API server does it; a field that is missing is empty."""
    for part in filter(None, selector.split(",")):
        path, differs, wanted = re.fullmatch(r"([\w.]+?)(!?)=(.*)", part).groups()  # type: ignore[union-attr]
        first, second = path.split(".")
        if ((item.get(first) or {}).get(second, "") == wanted) == bool(differs):
            return False
    return True


@given(found=sagas())
def test_the_word_of_a_group_finds_all_of_it(found: list[Record]) -> None:
    facts = [Facts.of(saga) for saga in found]
    for group in grouped(facts, LATER):
        selection = Selection.said(reason=[group.trouble], step=[group.step])
        chosen = [saga for saga in facts if selection.takes(saga, LATER)]
        of_it = [saga for saga in facts if (saga.trouble_at(LATER), saga.step) == (group.trouble, group.step)]
        assert len(of_it) == group.number
        assert {saga.name for saga in of_it} <= {saga.name for saga in chosen}


@given(found=sagas())
def test_whoever_waits_for_a_participant_is_found_by_the_words_of_its_link(found: list[Record]) -> None:
    facts = [Facts.of(saga) for saga in found]
    steps: dict[str, list[str]] = {}
    for step in STEPS:
        steps.setdefault(participant_of(step), []).append(step)
    for participant, number in waiting_for(facts).items():
        link = Filter(reason="WaitingForDownstream,ParticipantPaused", step=",".join(steps[participant])).selection()
        assert sum(link.takes(saga, LATER) for saga in facts) >= number


@given(found=sagas(), later=st.floats(0, 100))
def test_whether_a_person_has_to_act_is_what_the_sentence_says_at_any_time(found: list[Record], later: float) -> None:
    moment = LATER + later
    assert [Facts.of(saga).needs_person(moment) for saga in found] == [
        sentence_of(saga, moment).needs_person for saga in found
    ]


def test_a_saga_that_nobody_begins_becomes_trouble_by_itself() -> None:
    saga, _ = unseen(0)
    row = Row.of(saga)
    assert row.trouble_at(CREATED + UNSEEN_SECONDS - 1) == ""
    assert row.trouble_at(CREATED + UNSEEN_SECONDS) == NOT_BEGUN


def test_a_row_holds_each_word_once() -> None:
    """A hundred thousand rows are in the page's memory."""
    saga = SAGAS[3]
    one, other = (Row.of(Record({**saga.item, "status": {**saga.item["status"]}})) for _ in range(2))
    assert one.reasons is other.reasons
    assert one.packed is None


def test_the_docs_have_every_word_of_both() -> None:
    parser = argparse.ArgumentParser()
    add_filter(parser)
    options = {option for action in parser._actions for option in action.option_strings if option.startswith("--")}
    text = (CHECKOUT / "docs" / "kubectl-saga.md").read_text()
    table = dict(re.findall(r"^\| `(?:-l, )?(--[\w-]+)[^`]*` \| (.+?) \|", text, re.MULTILINE))
    assert set(table) == options - {"--help"}
    in_the_url = {name.strip("`") for cell in table.values() for name in re.findall(r"`\w+`", cell)}
    assert in_the_url == set(ALL) == set(Filter.model_fields) - {"sort", "reverse", "limit", "skip"}
    assert {option: f"`{name}`" for name, option in ALL.items()} == {
        option: cell for option, cell in table.items() if cell.startswith("`")
    }
