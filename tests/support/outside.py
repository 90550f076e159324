"""What strangers send: text and JSON that no well-meaning program writes."""

from typing import Any

from hypothesis import strategies as st

NASTY = (
    "\ud83d",  # half an emoji
    "\udc80",
    "\x00",
    "\n",
    "\r\nX-Forged: yes",
    "\x1b]0;title\x07\x1b[2J",
    "\x9b31m",
    "\u202e",  # from here on right to left
    "\u2066",
    "\u2028",
    "\ufeff",
    "\uffff",
    "\ue000",
    "ü",
    "東",
    "😀",
    "{0}",
    "%s",
    "../",
    "$where",
    ".",
    "'\"<>&",
)


def texts(*, long: bool = True) -> st.SearchStrategy[str]:
    """Any text: surrogates, NUL, marks of direction, halves of emoji; and up to 200,000 characters of it."""
    character = st.characters(codec=None, exclude_categories=())
    parts = st.lists(st.one_of(st.sampled_from(NASTY), st.text(character, max_size=8)), max_size=6).map("".join)
    if not long:
        return parts
    repeated = st.builds(lambda part, times: (part * times)[:200_000], parts, st.sampled_from((1, 300, 200_000)))
    return st.one_of(parts, repeated)


def anything(*, long: bool = False) -> st.SearchStrategy[Any]:
    """Any value that Python's JSON reader may give: NaN, Infinity, integers of any size, any text, any nesting."""
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from((2**31, 2**53, 2**63, 2**64, -(2**63) - 1, 10**30, 10**4000)),
        st.floats(),
        texts(long=long),
    )
    return st.recursive(
        scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts(long=False), inner, max_size=4)),
        max_leaves=8,
    )


def nested(depth: int) -> str:
    """A JSON document of so many lists in each other."""
    return "[" * depth + "]" * depth
