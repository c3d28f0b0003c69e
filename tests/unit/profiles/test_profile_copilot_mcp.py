"""Copilot joins an MCP server's name and its tool's by a dash, which both may have as well."""

from __future__ import annotations

from typing import Any

import pytest

from profiles.copilot.adapter import Copilot
from supervisor.effects import effects_of
from supervisor.effects.files import Place
from supervisor.model import Effect, ToolKind


def effect(tool: str) -> Effect:
    event: dict[str, Any] = {
        "hook_event_name": "PreToolUse", "cwd": "/work", "tool_name": tool, "tool_input": {},
    }  # fmt: skip
    call = Copilot().parse_hook(event).call
    assert call is not None
    assert call.kind is ToolKind.MCP
    (found,) = effects_of(call, Place.of("/work", "/home/ana"))
    return found


@pytest.mark.parametrize(
    ("tool", "server", "name"),
    [
        ("notes-get_note", "notes", "get_note"),
        ("github-mcp-server-list_issues", "github-mcp-server", "list_issues"),  # its own one
    ],
)
def test_a_name_with_one_reading_is_read(tool: str, server: str, name: str) -> None:
    found = effect(tool)
    assert (found.attributes["server"], found.attributes["tool"]) == (server, name)
    assert found.attributes["reads"]


@pytest.mark.parametrize("tool", ["db-delete-list", "google-search-reset", "my-get-purge"])
def test_a_name_with_several_readings_is_never_one_that_only_looks(tool: str) -> None:
    """`delete-list` of `db`, or `list` of `db-delete`?"""
    assert not effect(tool).attributes["reads"]
    assert tool in effect(tool).resource
