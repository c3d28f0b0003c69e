"""What a policy can see of an MCP call's arguments."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from supervisor.effects import effects_of
from supervisor.effects.files import Place
from supervisor.model import Effect, ToolCall, ToolKind


def effect(arguments: dict[str, Any], tool: str = "mcp__tracker__get_issue") -> Effect:
    return effects_of(ToolCall("", tool, ToolKind.MCP, arguments, "/work"), Place.of("/work"))[0]


def test_each_argument_is_a_line() -> None:
    told = effect({"owner": "acme", "number": 7, "labels": ["bug"], "at": {"draft": True}})
    assert told.attributes["arguments"] == "\nowner=acme\nnumber=7\nlabels.0=bug\nat.draft=true\n"
    assert effect({}).attributes["arguments"] == "\n"


@given(st.text(), st.text())
def test_no_name_or_value_passes_as_another_argument(name: str, value: str) -> None:
    text = str(effect({"owner": "acme", name + "_": value}).attributes["arguments"])
    assert text.split("\n")[1] == "owner=acme"
    assert len(text.split("\n")) == 4
    inner = str(effect({name + "owner=evil": value}).attributes["arguments"])
    assert "owner=evil" not in inner


def test_a_call_with_more_than_can_be_told_is_not_one_that_only_reads() -> None:
    much = effect({"owner": "acme", "padding": "x" * 10_000})
    assert much.attributes["arguments"] == "\n…\n"
    assert effect({"owner": "acme"}).attributes["reads"] is True
    assert much.attributes["reads"] is False
