"""Copilot CLI's profile beyond the contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from profiles.copilot import config
from profiles.copilot.adapter import Copilot, native_binary, packages_platform
from supervisor.errors import ConfigError, LaunchFailed
from supervisor.model import ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan
from tests.contract.profile_contract import request


def plan(tmp_path: Path, files: dict[str, str]) -> LaunchPlan:
    """A launch by somebody with these files in `~/.copilot`."""
    environ = {"PATH": "/bin", "COPILOT_ALLOW_ALL": "true", "COPILOT_PROVIDER_API_KEY": "k"}
    asked = request(tmp_path, ("/opt/bin/copilot", "-p", "x"), environ=environ)
    for name, text in files.items():
        file = Path(asked.home, ".copilot", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Copilot().prepare(asked)


def test_what_would_take_the_hooks_away_is_left_out_of_the_copies(tmp_path: Path) -> None:
    theirs = '{"disableAllHooks": true, "hooks": {"preToolUse": []}, "model": "m"}'
    made = plan(tmp_path, {
        "settings.json": theirs, "config.json": f"// By the program.\n{theirs}",
        "hooks/own.json": theirs, "agents/one.md": "x",
    })  # fmt: skip
    home = Path(made.env["COPILOT_HOME"])
    assert json.loads((home / "settings.json").read_text()) == {"model": "m"}
    assert json.loads((home / "config.json").read_text()) == {"model": "m"}
    assert [file.name for file in (home / "hooks").iterdir()] == ["taskpass.json"]
    assert (home / "agents/one.md").read_text() == "x"
    read_only = {mount.path for mount in made.mounts if not mount.writable}
    assert str(home / "hooks") in read_only
    assert "COPILOT_ALLOW_ALL" not in made.env  # it would trust a project's hooks


def test_settings_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"settings\.json"):
        plan(tmp_path, {"settings.json": "{"})


def test_its_tools_do_not_get_the_models_key(tmp_path: Path) -> None:
    made = plan(tmp_path, {})
    assert made.env["COPILOT_PROVIDER_API_KEY"] == "k"
    (kept,) = [word for word in made.argv if word.startswith("--secret-env-vars=")]
    assert "COPILOT_PROVIDER_API_KEY" in kept


def test_the_program_behind_its_loader_is_what_runs(tmp_path: Path) -> None:
    packages = tmp_path / "node_modules/@github"
    for name in ("copilot", f"copilot-{packages_platform()}"):
        (packages / name).mkdir(parents=True)
        (packages / name / "package.json").write_text('{"version": "1.0.102"}')
    loader = packages / "copilot/npm-loader.js"
    loader.touch()
    with pytest.raises(LaunchFailed, match="no binary"):
        native_binary(str(loader))
    binary = packages / f"copilot-{packages_platform()}/copilot"
    binary.touch()
    assert native_binary(str(loader)) == str(binary)
    assert Copilot().version(str(loader)) == "1.0.102"
    with pytest.raises(LaunchFailed, match="has not unpacked itself"):
        Copilot().prepare(request(tmp_path / "launch", (str(loader),)))


def test_what_it_unpacked_is_found_where_it_looks_itself(tmp_path: Path) -> None:
    complete = tmp_path / ".cache/copilot/pkg/linux-x64/1.0.102/.extraction-complete"
    complete.parent.mkdir(parents=True)
    complete.touch()
    found = config.unpacked({}, str(tmp_path), "1.0.102", "linux-x64")
    assert found == tmp_path / ".cache/copilot"
    with pytest.raises(LaunchFailed):
        config.unpacked({}, str(tmp_path), "1.0.103", "linux-x64")


def test_tools_of_mcp_servers_and_its_own_are_told_apart() -> None:
    def kind(tool: str) -> tuple[ToolKind, str]:
        call = Copilot().parse_hook({
            "hook_event_name": "PreToolUse", "cwd": "/work", "tool_name": tool, "tool_input": {},
        }).call  # fmt: skip
        assert call is not None
        return call.kind, call.tool

    github = (ToolKind.MCP, "mcp__github-mcp-server__list_issues")
    assert kind("github-mcp-server-list_issues") == github
    assert kind("read_bash") == (ToolKind.OTHER, "read_bash")
    assert kind("-x")[0] is ToolKind.OTHER


def test_what_a_call_was_refused_on_the_way_is_told_at_its_end() -> None:
    said = Copilot().render_answer(HookEvent("post"), HookAnswer(True, "No SSH here."))
    assert json.loads(said) == {"additionalContext": "No SSH here."}
