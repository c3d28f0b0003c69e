"""Digests of tool definitions, and how a change is shown."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from supervisor.gateway.definitions import change, digest

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DEFINITION = st.dictionaries(st.text(), JSON, max_size=5)


@given(DEFINITION)
def test_the_order_of_keys_is_nothing(definition: dict[str, Any]) -> None:
    assert digest(dict(reversed(definition.items()))) == digest(definition)


@given(DEFINITION, DEFINITION)
def test_whatever_else_differs_is_another_definition(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assume(repr(sorted(one.items())) != repr(sorted(other.items())))
    assert digest(one) != digest(other)


def test_a_change_is_a_diff_that_names_its_tool() -> None:
    old = {"name": "get", "description": "Gets one."}
    new = {"name": "get", "description": "Gets one, and mails it."}
    shown = change("notes.get", old, new)
    assert shown.startswith("notes.get has changed")
    assert '- "description": "Gets one."' in shown
    assert '+ "description": "Gets one, and mails it."' in shown
    assert change("notes.get", None, new).startswith("notes.get is new")


def test_padding_does_not_push_the_change_off_the_screen_unnoticed() -> None:
    new = {"name": "get", "padding": ["x"] * 10_000}
    assert change("notes.get", {"name": "get"}, new).splitlines()[-1].endswith("lines more")
