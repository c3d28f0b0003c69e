"""opencode's profile beyond the contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from profiles.opencode.adapter import OpenCode
from profiles.opencode.config import missing
from supervisor.errors import ConfigError, UsageError
from supervisor.model import ToolCall, ToolKind
from supervisor.ports import LaunchPlan
from tests.contract.profile_contract import request


def plan(tmp_path: Path, settings: str = "", **environ: str) -> LaunchPlan:
    """A launch by somebody with these settings."""
    asked = request(tmp_path, ("/opt/bin/opencode", "run", "x"), environ={"PATH": "/bin"} | environ)
    if settings:
        folder = Path(asked.home, ".config/opencode")
        folder.mkdir(parents=True)
        (folder / "opencode.json").write_text(settings)
    return OpenCode().prepare(asked)


def called(tool: str, arguments: dict[str, object], **more: object) -> ToolCall:
    call = OpenCode().parse_hook({
        "hook_event_name": "tool.execute.before", "session_id": "s", "cwd": "/work",
        "tool_name": tool, "tool_input": arguments, "tool_use_id": "1", **more,
    }).call  # fmt: skip
    assert call is not None
    return call


def test_our_plugin_comes_after_all_others(tmp_path: Path) -> None:
    made = plan(tmp_path, OPENCODE_CONFIG_CONTENT='{"plugin": ["theirs"], "model": "a/b"}')
    told = json.loads(made.env["OPENCODE_CONFIG_CONTENT"])
    assert told["model"] == "a/b"
    assert told["plugin"][0] == "theirs"
    ours = Path(told["plugin"][-1].removeprefix("file://"))
    assert "http://127.0.0.1:4000/token" in ours.read_text()


@pytest.mark.parametrize("content", ["{", "[]", '{"plugin": "x"}'])
def test_settings_that_cannot_be_joined_are_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(ConfigError, match="OPENCODE_CONFIG_CONTENT"):
        plan(tmp_path, OPENCODE_CONFIG_CONTENT=content)


def test_its_models_hosts_and_keys_are_those_of_the_person(tmp_path: Path) -> None:
    settings = (
        '{"provider": {"own": {"options": {"baseURL": "http://models.example:8080/v1",'
        ' "apiKey": "{env:OWN_MODELS_KEY}"}}}}'
    )
    made = plan(tmp_path, settings, OWN_MODELS_KEY="k", OTHER_KEY="o", OPENCODE_PURE="1")
    assert made.model_hosts[0] == "models.example:8080"
    assert made.env["OWN_MODELS_KEY"] == "k"
    assert "OTHER_KEY" not in made.env
    assert "OPENCODE_PURE" not in made.env
    (plugin,) = json.loads(made.env["OPENCODE_CONFIG_CONTENT"])["plugin"]
    text = Path(plugin.removeprefix("file://")).read_text()
    assert '"OWN_MODELS_KEY": ""' in text  # its tools do not get it


def test_what_it_may_write_is_private_but_for_its_log_in(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made = plan(tmp_path, '{"autoupdate": false}')
    writable = [mount.path for mount in made.mounts if mount.writable]
    assert all(path.startswith(str(tmp_path / "task")) for path in writable)
    copy = Path(made.env["XDG_CONFIG_HOME"], "opencode/opencode.json")
    assert not copy.is_symlink()
    assert copy.read_text() == (home / ".config/opencode/opencode.json").read_text()


def test_what_it_would_write_into_the_projects_settings_is_guarded(tmp_path: Path) -> None:
    settings = tmp_path / ".opencode"
    assert missing(str(tmp_path)) == ()
    settings.mkdir()
    assert missing(str(tmp_path)) == (str(settings / ".gitignore"),)
    (settings / ".gitignore").write_text("node_modules\n")
    assert missing(str(tmp_path)) == ()


def test_a_project_names_no_model_host(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/opencode.json").write_text('{"x": {"baseURL": "http://evil.example"}}')
    asked = request(tmp_path / "inner", ("/opt/bin/opencode",), cwd=str(tmp_path / "work"))
    assert all("evil" not in host for host in OpenCode().prepare(asked).model_hosts)


@pytest.mark.parametrize("words", [("--port=1",), ("run", "--attach", "http://x"), ("serve",)])
def test_a_server_that_takes_orders_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        OpenCode().prepare(request(tmp_path, ("/opt/bin/opencode", *words)))


def test_tools_name_their_files() -> None:
    assert called("read", {"filePath": "a"}).paths == ("/work/a",)
    assert called("grep", {"pattern": "x"}).paths == ("/work",)
    patch = "*** Begin Patch\n*** Add File: b\n+x\n*** End Patch"
    assert called("apply_patch", {"patchText": patch}).paths == ("/work/b",)
    assert called("bash", {"command": "ls", "workdir": "sub"}).cwd == "/work/sub"
    assert called("webfetch", {"url": "https://x"}).url == "https://x"


def test_a_server_whose_name_begins_anothers_is_told_from_it() -> None:
    servers = ["notes", "notes_old"]
    assert called("notes_old_get", {}, mcp_servers=servers).tool == "mcp__notes_old__get"
    assert called("notes_get", {}, mcp_servers=servers).kind is ToolKind.MCP
    assert called("notes_get", {}).kind is ToolKind.OTHER
