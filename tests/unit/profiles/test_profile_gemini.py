"""Gemini CLI's profile beyond the contract."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from profiles import nodejs
from profiles.gemini import config
from profiles.gemini.adapter import GeminiCli
from supervisor.errors import ConfigError, LaunchFailed
from supervisor.model import ToolCall, ToolKind
from supervisor.ports import LaunchPlan
from tests.contract.profile_contract import request


@pytest.fixture(autouse=True)
def node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodejs, "runtime", lambda environ, title: "/opt/node/bin/node")


def plan(tmp_path: Path, *words: str, settings: str = "", project: str = "") -> LaunchPlan:
    """A launch by somebody with these settings, in a project with those."""
    asked = request(tmp_path, ("/opt/bin/gemini", *words), environ={"PATH": "/bin"})
    for folder, text in ((asked.home, settings), (asked.cwd, project)):
        if text:
            Path(folder, ".gemini").mkdir()
            Path(folder, ".gemini/settings.json").write_text(text)
    return GeminiCli().prepare(asked)


def called(tool: str, arguments: dict[str, object], **more: object) -> ToolCall:
    call = GeminiCli().parse_hook({
        "hook_event_name": "BeforeTool", "session_id": "s", "cwd": "/work",
        "tool_name": tool, "tool_input": arguments, **more,
    }).call  # fmt: skip
    assert call is not None
    return call


def test_the_persons_settings_have_our_hooks_in_the_place_of_theirs(tmp_path: Path) -> None:
    theirs = '// mine\n{"hooks": {"BeforeTool": []}, "hooksConfig": {"enabled": false}, "ui": {}}'
    made = plan(tmp_path, settings=theirs)
    own = Path(made.env["GEMINI_CLI_HOME"], ".gemini/settings.json")
    told = json.loads(own.read_text())
    assert told["ui"] == {}
    assert told["hooksConfig"] == {"enabled": True}
    (hook,) = told["hooks"]["BeforeTool"][0]["hooks"]
    assert "http://127.0.0.1:4000/token/BeforeTool" in hook["command"]
    assert hook["timeout"] == 600_000
    assert " 595" in hook["command"]  # it ends before that
    assert str(own) in {mount.path for mount in made.mounts if not mount.writable}


@pytest.mark.parametrize("project", ['{"hooksConfig": {"enabled": false}}'])
def test_a_project_that_switches_hooks_off_is_not_started(tmp_path: Path, project: str) -> None:
    with pytest.raises(LaunchFailed, match="switches hooks off"):
        plan(tmp_path, project=project)


def test_settings_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"settings\.json"):
        plan(tmp_path, settings="[")


def test_our_hook_decides_unless_the_person_says_how_it_asks(tmp_path: Path) -> None:
    assert "--approval-mode=yolo" in plan(tmp_path / "a", "x").argv
    made = plan(tmp_path / "b", "--approval-mode", "plan")
    assert made.argv[-2:] == ("--approval-mode", "plan")
    assert "--approval-mode=yolo" not in made.argv


def test_a_page_named_in_words_is_a_fetch() -> None:
    one = called("web_fetch", {"prompt": "Read https://example.com/a for me."})
    assert (one.kind, one.url) == (ToolKind.FETCH, "https://example.com/a")
    two = called("web_fetch", {"prompt": "https://a.example and https://b.example"})
    assert two.kind is ToolKind.OTHER
    assert called("web_fetch", {"prompt": "see ftp://a.example"}).kind is ToolKind.OTHER
    assert called("web_fetch", {}).kind is ToolKind.OTHER


def test_tools_name_their_files_and_servers() -> None:
    assert called("read_file", {"file_path": "a"}).paths == ("/work/a",)
    assert called("glob", {"pattern": "*"}).paths == ("/work",)
    shell = called("run_shell_command", {"command": "ls", "dir_path": "sub"})
    assert (shell.kind, shell.cwd) == (ToolKind.SHELL, "/work/sub")
    of_server = {"server_name": "my_notes", "tool_name": "get_note"}
    mcp = called("mcp_my_notes_get_note", {}, mcp_context=of_server)
    assert (mcp.kind, mcp.tool) == (ToolKind.MCP, "mcp__my_notes__get_note")


def test_its_tools_have_git_as_the_task_says_and_no_key_of_the_model(tmp_path: Path) -> None:
    file = tmp_path / "tools.sh"
    file.write_text(config.tools_environment(["MODEL_KEY"]))
    # The agent is the shell's parent: what it runs with is what counts.
    inner = "env -u GIT_ASKPASS GIT_CONFIG_COUNT=0 MODEL_KEY=k bash -c env; true"
    told = subprocess.run(
        ["bash", "-c", inner],
        env={"PATH": "/usr/bin:/bin", "GIT_CONFIG_COUNT": "3", "GIT_ASKPASS": "x y"}
        | {"BASH_ENV": "", "MODEL_KEY": "k", "TOOLS": str(file)},
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert "GIT_CONFIG_COUNT=0" in told  # without it
    told = subprocess.run(
        ["bash", "-c", inner.replace("bash -c", f"BASH_ENV={file} bash -c")],
        env={"PATH": "/usr/bin:/bin", "GIT_CONFIG_COUNT": "3", "GIT_ASKPASS": "x y"},
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert {"GIT_CONFIG_COUNT=3", "GIT_ASKPASS=x y"} <= set(told)
    assert not [line for line in told if line.startswith(("MODEL_KEY", "BASH_ENV", "TASKPASS"))]
