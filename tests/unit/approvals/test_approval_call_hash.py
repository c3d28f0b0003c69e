"""What an approval is bound to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.approvals.call_hash import call_hash
from supervisor.errors import Denied
from supervisor.model import ToolCall, ToolKind
from tests.support.judging import shell


def digest(call: ToolCall, **bound: Any) -> str:
    return call_hash(call, profile=bound.pop("profile", "claude-code"), **bound)


CALL = ToolCall(
    "toolu_1",
    "Bash",
    ToolKind.SHELL,
    {"command": "make x", "timeout": 5, "description": "Build"},
    "/",
    command="make x",
)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: replace(c, tool="Shell"),
        lambda c: replace(c, kind=ToolKind.OTHER),
        lambda c: replace(c, arguments={**c.arguments, "command": "make y"}),
        lambda c: replace(c, arguments={**c.arguments, "timeout": 6}),
        lambda c: replace(c, arguments={**c.arguments, "more": None}),
        lambda c: replace(c, command="make y"),
        lambda c: replace(c, cwd="/usr"),
        lambda c: replace(c, paths=("/a",)),
        lambda c: replace(c, url="https://a"),
    ],
)
def test_each_bound_field_changes_it(change: Callable[[ToolCall], ToolCall]) -> None:
    assert digest(change(CALL)) != digest(CALL)


def test_what_is_bound_beside_the_call_changes_it() -> None:
    plain = digest(CALL)
    others = {
        digest(CALL, profile="codex"),
        digest(CALL, executable="sha256:1"),
        digest(CALL, snapshot="sha256:1"),
        digest(CALL, definition="sha256:1"),
        digest(CALL, files={"/a": "sha256:1"}),
    }
    assert len(others | {plain}) == 6


def test_words_and_handles_do_not_change_it() -> None:
    for other in (
        replace(CALL, agent_call_id="toolu_2"),
        replace(CALL, note="please"),
        replace(CALL, subagent="sub-1"),
        replace(CALL, arguments={**CALL.arguments, "description": "Harmless"}),
        replace(CALL, arguments={"timeout": 5, "command": "make x"}),
    ):
        assert digest(other) == digest(CALL)


def test_an_mcp_tools_description_is_an_argument() -> None:
    def issue(text: str) -> ToolCall:
        return ToolCall("", "mcp__l__create", ToolKind.MCP, {"description": text}, "/")

    assert digest(issue("a")) != digest(issue("b"))


@pytest.mark.parametrize(
    "command",
    ["./run.sh", "bash run.sh", "sh -c './run.sh now'", "X=1 ./run.sh; true", "cat<run.sh"],
)
def test_a_script_that_changes_changes_it(command: str, tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text("echo 1")
    call = shell(command, str(tmp_path))
    before = digest(call)
    assert digest(call) == before
    script.write_text("echo 2")
    assert digest(call) != before


def test_a_big_file_is_bound_too(tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(b"x" * (2 << 20))
    before = digest(shell("run big", str(tmp_path)))
    big.write_bytes(b"y" * (2 << 20))
    assert digest(shell("run big", str(tmp_path))) != before


def test_a_named_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert digest(shell("cat pipe", str(tmp_path))).startswith("sha256:")


def test_the_working_directory_is_the_real_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert digest(shell("ls", str(tmp_path / "link"))) == digest(
        shell("ls", str(tmp_path / "real"))
    )


@pytest.mark.parametrize("value", [2**60, float("nan"), "\ud800", {1: 2}])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(Denied, match="no canonical form"):
        digest(replace(CALL, arguments={"command": value}))


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


@given(_JSON, _JSON)
def test_arguments_differ_exactly_when_hashes_do(one: object, other: object) -> None:
    def hashed(value: object) -> str:
        return digest(ToolCall("", "t", ToolKind.OTHER, {"a": value}, "/"))

    assert (hashed(one) == hashed(other)) == (repr(one_sorted(one)) == repr(one_sorted(other)))


def one_sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: one_sorted(value[key]) for key in sorted(value)}
    return [one_sorted(item) for item in value] if isinstance(value, list) else value
