"""Effects of tools that are not a shell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.effects import effects_of
from supervisor.effects.files import Place
from supervisor.model import ToolCall, ToolKind, Verb


def test_a_file_tool_names_the_real_file(tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    (work / "link").symlink_to("/etc")
    for path, real, inside in [
        (str(work / "a"), str(work / "a"), True),
        (str(work / "sub/../../b"), str(tmp_path / "b"), False),
        (str(work / "link/passwd"), "/etc/passwd", False),
    ]:
        call = ToolCall("", "Edit", ToolKind.WRITE, {}, str(work), paths=(path,))
        effect = effects_of(call, Place.of(str(work)))[0]
        assert (effect.verb, effect.resource) == (Verb.WRITE, real)
        assert effect.attributes["inside"] is inside


def test_a_workspace_reached_by_a_link_is_still_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    work = str(tmp_path / "link")
    call = ToolCall("", "Read", ToolKind.READ, {}, work, paths=(os.path.join(work, "a"),))
    (effect,) = effects_of(call, Place.of(work))
    assert effect.resource == str(tmp_path / "real" / "a")
    assert effect.attributes["inside"] is True


def test_a_link_that_takes_the_workspaces_place_moves_nothing_into_it(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    place = Place.of(str(work))
    work.rename(tmp_path / "aside")
    work.symlink_to("/etc")
    call = ToolCall("", "Edit", ToolKind.WRITE, {}, str(work), paths=(str(work / "passwd"),))
    (effect,) = effects_of(call, place)
    assert (effect.resource, effect.attributes["inside"]) == ("/etc/passwd", False)


@pytest.mark.parametrize(
    ("url", "resource", "path"),
    [
        ("https://Docs.Example.com/a?b=c", "docs.example.com", "/a"),
        ("http://localhost:5173/x", "localhost:5173", "/x"),
        ("example.com", "example.com", "/"),
        ("http://[::1]:80/", "[::1]", "/"),
        ("https://user@evil.test@good.test/", "good.test", "/"),
        ("https://h:notaport/", "", ""),
        ("", "", "/"),
    ],
)
def test_a_fetch_is_a_get(url: str, resource: str, path: str, tmp_path: Path) -> None:
    call = ToolCall("", "WebFetch", ToolKind.FETCH, {}, str(tmp_path), url=url)
    (effect,) = effects_of(call, Place.of(str(tmp_path)))
    assert (effect.resource, effect.attributes["method"]) == (resource, "GET")
    assert effect.attributes["path"] == path


def test_other_kinds(tmp_path: Path) -> None:
    work = str(tmp_path)
    mcp = ToolCall("", "mcp__github__create_issue", ToolKind.MCP, {}, work)
    assert effects_of(mcp, Place.of(work))[0].resource == "github.create_issue"
    agent = ToolCall("", "Task", ToolKind.AGENT, {}, work, subagent="explore")
    (spawn,) = effects_of(agent, Place.of(work))
    assert (spawn.verb, spawn.resource) == (Verb.SPAWN, "explore")
    nowhere = ToolCall("", "Write", ToolKind.WRITE, {}, work)
    assert effects_of(nowhere, Place.of(work))[0].verb is Verb.OTHER
