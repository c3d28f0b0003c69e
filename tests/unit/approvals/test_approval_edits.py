"""What a person is shown of a call beside its title."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from supervisor.approvals.edits import arguments_of, current, diff_of
from supervisor.model import ToolCall, ToolKind

FILE = b"one\ntwo\nthree\n"


def call(tool: str = "Edit", kind: ToolKind = ToolKind.WRITE, **arguments: Any) -> ToolCall:
    return ToolCall("1", tool, kind, arguments, "/w", paths=("/w/a.txt",))


def lines(call_: ToolCall, content: bytes | None = FILE) -> list[str]:
    """The changed lines."""
    shown = diff_of(call_, lambda path: content).splitlines()
    return [line for line in shown if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def test_a_whole_file() -> None:
    assert lines(call("Write", content="one\n2\nthree\n")) == ["-two", "+2"]
    assert lines(call("Write", content="new\n"), None) == ["+new"]
    assert "--- /dev/null" in diff_of(call("Write", content="new\n"), lambda path: None)


def test_replaced_text() -> None:
    assert lines(call(old_string="two", new_string="2")) == ["-two", "+2"]
    assert lines(call(oldString="two", newString="2")) == ["-two", "+2"]
    twice = call(old_string="e", new_string="E", replace_all=True)

    assert "+thrEE" in lines(twice)
    assert "-three" not in lines(call(old_string="e", new_string="E"))


def test_several_edits_build_on_each_other() -> None:
    edits = [{"old_string": "two", "new_string": "2"}, {"old_string": "2\n", "new_string": ""}]
    assert lines(call("MultiEdit", edits=edits)) == ["-two"]


def test_text_that_is_not_in_the_file_is_shown_and_said_to_be_missing() -> None:
    shown = diff_of(call(old_string="nowhere", new_string="rm -rf"), lambda path: FILE)
    assert "not in the file" in shown
    assert "-nowhere" in shown
    assert "+rm -rf" in shown


def test_a_patch_is_its_own_diff() -> None:
    patch = "*** Begin Patch\n*** Update File: a.txt\n-two\n+2\n*** End Patch"
    assert diff_of(call("apply_patch", command=patch)) == patch


@pytest.mark.parametrize(
    "other",
    [call("Write"), call("Write", content=3), call(edits=[None, 3]), call(kind=ToolKind.MCP)],
    ids=str,
)
def test_what_is_not_known_has_none(other: ToolCall) -> None:
    assert diff_of(other, lambda path: FILE) == ""


def test_only_regular_files_are_read_and_only_so_far(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 2_000_000)
    os.mkfifo(tmp_path / "pipe")
    read = current(str(tmp_path / "a"))
    assert read is not None
    assert len(read) < 1_000_000
    for name in ("pipe", "none", ".", "a\0b"):
        assert current(str(tmp_path / name)) is None


def test_a_tool_without_a_command_is_shown_with_all_it_is_given() -> None:
    given = call("mcp__mail__send", ToolKind.MCP, to="all@example.com", body="hi\x1b[2J")
    assert '"to": "all@example.com"' in arguments_of(given)
    assert "all@example.com" in arguments_of(given)
    shell = ToolCall("1", "Bash", ToolKind.SHELL, {"command": "ls"}, "/w", command="ls")
    assert arguments_of(shell) == ""
