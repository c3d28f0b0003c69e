"""Claude Code's profile: settings, files, tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from profiles.claude_code.adapter import ClaudeCode
from supervisor.errors import ConfigError, LaunchFailed, UsageError
from supervisor.model import ToolKind
from supervisor.ports import LaunchPlan, LaunchRequest, Mount


def launch(
    tmp_path: Path,
    *arguments: str,
    environ: dict[str, str] | None = None,
    contained: bool = True,
) -> LaunchPlan:
    for name in ("task", "home", "work"):
        (tmp_path / name).mkdir(exist_ok=True, parents=True)
    return ClaudeCode().prepare(
        LaunchRequest(
            task="t", argv=("/opt/claude/bin/claude", *arguments), cwd=str(tmp_path / "work"),
            home=str(tmp_path / "home"), environ=environ or {"PATH": "/bin"},
            task_dir=str(tmp_path / "task"), hook_url="http://127.0.0.1:1/t", hook_timeout=99,
            contained=contained, interactive=False,
        )
    )  # fmt: skip


def settings(plan: LaunchPlan) -> dict[str, Any]:
    at = plan.argv.index("--settings")
    loaded: dict[str, Any] = json.loads(Path(plan.argv[at + 1]).read_text())
    return loaded


def test_calls_are_blocked_when_the_hook_fails(tmp_path: Path) -> None:
    ours = settings(launch(tmp_path))
    assert ours["disableAllHooks"] is False
    (pre,) = ours["hooks"]["PreToolUse"]
    assert pre["matcher"] == "*"
    (hook,) = pre["hooks"]
    assert hook["url"] == "http://127.0.0.1:1/t/PreToolUse"
    assert (hook["type"], hook["onFailure"], hook["timeout"]) == ("http", "block", 99)


@pytest.mark.parametrize("form", ["two words", "one word"])
def test_the_persons_own_settings_are_merged_into_the_only_file(tmp_path: Path, form: str) -> None:
    own = '{"model": "big", "env": {"A": "1", "CLAUDE_CODE_SHELL_PREFIX": "/evil"}}'
    arguments = ("--settings", own) if form == "two words" else (f"--settings={own}",)
    plan = launch(tmp_path, "-p", *arguments, "hello")
    assert plan.argv.count("--settings") == 1
    assert plan.argv[-2:] == ("-p", "hello")
    merged = settings(plan)
    assert merged["model"] == "big"
    assert merged["env"]["A"] == "1"
    assert merged["env"]["CLAUDE_CODE_SHELL_PREFIX"].startswith(str(tmp_path / "task"))


@pytest.mark.parametrize(
    "own",
    ['{"hooks": {}}', '{"disableAllHooks": true}', '{"permissions": 5}', '{"model": 5}',
     '{"permissions": {"defaultMode": "bypassPermissions"}}', '{"anything": 1}',
     '{"env": {"A": 1}}'],
)  # fmt: skip
def test_settings_that_could_discard_our_hooks_are_refused(tmp_path: Path, own: str) -> None:
    with pytest.raises(ConfigError, match="cannot be merged"):
        launch(tmp_path, "--settings", own)


def test_a_malformed_settings_file_is_named_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/mine.json").write_text('{\n  "model": ,\n}')
    with pytest.raises(ConfigError, match=r"mine\.json, line 2, column 12"):
        launch(tmp_path, "--settings", "mine.json")
    with pytest.raises(ConfigError, match="Cannot read"):
        launch(tmp_path, "--settings", "absent.json")
    with pytest.raises(UsageError, match="needs a value"):
        launch(tmp_path, "--settings")


def test_variables_that_drop_the_hooks_stay_outside(tmp_path: Path) -> None:
    environ = {
        "CLAUDE_CODE_SIMPLE": "1", "CLAUDE_CODE_SAFE_MODE": "1", "NODE_OPTIONS": "--require x",
        "CLAUDE_CODE_SHELL_PREFIX": "/evil", "CLAUDECODE": "1", "ANTHROPIC_API_KEY": "model-key",
    }  # fmt: skip
    env = launch(tmp_path, environ=environ).env
    assert not {"CLAUDE_CODE_SIMPLE", "CLAUDE_CODE_SAFE_MODE", "NODE_OPTIONS", "CLAUDECODE"} & set(
        env
    )
    assert env["CLAUDE_CODE_SHELL_PREFIX"] != "/evil"
    assert env["ANTHROPIC_API_KEY"] == "model-key"  # model access stays the agent's


def test_the_model_is_where_the_person_said(tmp_path: Path) -> None:
    assert "api.anthropic.com:443" in launch(tmp_path / "a").model_hosts
    environ = {"ANTHROPIC_BASE_URL": "http://127.0.0.1:8080/x"}
    assert launch(tmp_path / "b", environ=environ).model_hosts == ("127.0.0.1:8080",)
    own = '{"env": {"ANTHROPIC_BASE_URL": "https://gateway.example"}}'
    plan = launch(tmp_path / "c", "--settings", own)
    assert plan.model_hosts == ("gateway.example:443",)


def test_what_the_next_session_would_run_stays_missing(tmp_path: Path) -> None:
    config = tmp_path / "config"
    for state in (tmp_path / "home/.claude", config):
        state.mkdir(parents=True)
        (state / "commands").mkdir()
    plan = launch(tmp_path, environ={"PATH": "/bin", "CLAUDE_CONFIG_DIR": str(config)})
    for state in (tmp_path / "home/.claude", config):
        assert {f"{state}/settings.json", f"{state}/hooks"} <= set(plan.guarded)
        assert f"{state}/commands" not in plan.guarded
        assert Mount(f"{state}/commands") in plan.mounts
    assert plan.folders == (str(tmp_path / "work/.claude/worktrees"),)


def test_what_the_next_session_would_run_is_mounted_read_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".claude/commands").mkdir(parents=True)
    (home / ".claude/settings.json").write_text("{}")
    mounts = launch(tmp_path).mounts
    state = mounts.index(Mount(str(home / ".claude"), writable=True))
    for name in ("settings.json", "commands"):
        assert mounts.index(Mount(str(home / ".claude" / name))) > state
    assert all(Path(mount.source or mount.path).exists() for mount in mounts[1:])


def test_an_old_version_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "node_modules/@anthropic-ai/claude-code"
    (package / "bin").mkdir(parents=True)
    executable = package / "bin/claude.exe"
    executable.touch()
    (package / "package.json").write_text('{"version": "2.1.294"}')
    asked = LaunchRequest(
        task="t", argv=(str(executable),), cwd="/", home="/", environ={}, task_dir=str(tmp_path),
        hook_url="http://x", hook_timeout=9, contained=True, interactive=False,
    )  # fmt: skip
    with pytest.raises(LaunchFailed, match=r"2\.1\.294.*cannot be supervised"):
        ClaudeCode().prepare(asked)
    assert ClaudeCode().version("/home/x/.local/share/claude/versions/2.1.330") == "2.1.330"


@pytest.mark.parametrize(
    ("tool", "arguments", "kind", "paths"),
    [
        ("Read", {"file_path": "/etc/../etc/hosts"}, ToolKind.READ, ("/etc/hosts",)),
        ("Write", {"file_path": "a/b", "content": ""}, ToolKind.WRITE, ("/work/a/b",)),
        ("NotebookEdit", {"notebook_path": "n.ipynb"}, ToolKind.WRITE, ("/work/n.ipynb",)),
        ("Grep", {"pattern": "x"}, ToolKind.READ, ("/work",)),
        ("Agent", {"prompt": "go", "description": "d"}, ToolKind.AGENT, ()),
        ("Task", {"prompt": "go"}, ToolKind.AGENT, ()),
        ("Monitor", {"command": "tail -f x", "description": "d"}, ToolKind.SHELL, ()),
        ("TodoWrite", {"todos": []}, ToolKind.OTHER, ()),
    ],
)
def test_tools_are_told_apart(
    tool: str, arguments: dict[str, Any], kind: ToolKind, paths: tuple[str, ...]
) -> None:
    event = {
        "hook_event_name": "PreToolUse", "cwd": "/work", "tool_name": tool,
        "tool_input": arguments, "tool_use_id": "1",
    }  # fmt: skip
    call = ClaudeCode().parse_hook(event).call
    assert call is not None
    assert (call.kind, call.paths) == (kind, paths)


def test_an_absolute_glob_looks_where_it_looks() -> None:
    event = {
        "hook_event_name": "PreToolUse", "cwd": "/work", "tool_name": "Glob",
        "tool_input": {"pattern": "/home/ana/.ssh/*"}, "tool_use_id": "1",
    }  # fmt: skip
    call = ClaudeCode().parse_hook(event).call
    assert call is not None
    assert "/home/ana/.ssh" in call.paths


def test_contained_its_own_sandbox_is_off(tmp_path: Path) -> None:
    plan = launch(tmp_path)
    assert settings(plan)["sandbox"] == {"enabled": False}
    assert plan.agent_sandbox == "off (nested not possible)"


SWITCHED_ON = '{"sandbox": {"enabled": true}}'


@pytest.mark.parametrize(
    "file", ["home/.claude/settings.json", "work/.claude/settings.json",
             "work/.claude/settings.local.json"],
)  # fmt: skip
def test_uncontained_with_its_own_sandbox_it_is_not_started_deaf(tmp_path: Path, file: str) -> None:
    """It would send the hooks through that sandbox's proxy, and every call would be blocked."""
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(SWITCHED_ON)
    with pytest.raises(LaunchFailed) as refused:
        launch(tmp_path, contained=False)
    assert str(tmp_path / file) in refused.value.message
    assert "sandbox.enabled" in refused.value.hint


def test_the_nearer_settings_file_decides_about_its_own_sandbox(tmp_path: Path) -> None:
    for file, text in (
        ("home/.claude/settings.json", SWITCHED_ON),
        ("work/.claude/settings.local.json", '{"sandbox": {"enabled": false}}'),
    ):
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text(text)
    plan = launch(tmp_path, contained=False)
    assert "sandbox" not in settings(plan)
    assert plan.agent_sandbox == "off, as you have it"
