"""Qwen Code's profile beyond the contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from profiles import nodejs
from profiles.qwen import config
from profiles.qwen.adapter import QwenCode
from supervisor.errors import ConfigError, LaunchFailed
from supervisor.model import ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan
from tests.contract.profile_contract import request


@pytest.fixture(autouse=True)
def node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodejs, "runtime", lambda environ, title: "/opt/node/bin/node")


def plan(tmp_path: Path, *argv: str, settings: str = "", project: str = "") -> LaunchPlan:
    """A launch by somebody with these settings, in a project with those."""
    asked = request(tmp_path, argv or ("/opt/bin/qwen",), environ={"PATH": "/bin"})
    for folder, text in ((asked.home, settings), (asked.cwd, project)):
        if text:
            Path(folder, ".qwen").mkdir()
            Path(folder, ".qwen/settings.json").write_text(text)
    return QwenCode().prepare(asked)


def test_the_persons_settings_have_our_hooks_in_the_place_of_theirs(tmp_path: Path) -> None:
    theirs = '{"hooks": {"PreToolUse": []}, "disableAllHooks": true, "ui": {}}'
    made = plan(tmp_path, settings=theirs)
    own = Path(made.env["QWEN_HOME"], "settings.json")
    told = json.loads(own.read_text())
    assert (told["ui"], told["disableAllHooks"]) == ({}, False)
    (hook,) = told["hooks"]["PreToolUse"][0]["hooks"]
    assert "http://127.0.0.1:4000/token/PreToolUse 595" in hook["command"]
    assert hook["timeout"] == 600_000
    assert str(own) in {mount.path for mount in made.mounts if not mount.writable}


def test_a_project_that_switches_hooks_off_is_not_started(tmp_path: Path) -> None:
    with pytest.raises(LaunchFailed, match="switches hooks off"):
        plan(tmp_path, project='{"disableAllHooks": true}')


def test_settings_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Qwen Code itself needs it too"):
        plan(tmp_path, settings="{")


def test_what_npms_entry_would_start_is_itself_the_root_process(tmp_path: Path) -> None:
    entry = tmp_path / "node_modules/@qwen-code/qwen-code/cli-entry.js"
    entry.parent.mkdir(parents=True)
    entry.touch()
    made = plan(tmp_path, str(entry), "-p", "x")
    servers = Path(made.env["QWEN_HOME"]).with_name("qwen-mcp.json")
    assert made.argv == (
        "/opt/node/bin/node", "--expose-gc", str(entry.with_name("cli.js")),
        "--approval-mode=yolo",
        "--allowed-mcp-server-names=taskpass", f"--mcp-config={servers}", "-p", "x",
    )  # fmt: skip


def test_what_a_call_was_refused_on_the_way_is_told_at_its_end() -> None:
    event = HookEvent("post", raw={"hook_event_name": "PostToolUse"})
    told = json.loads(QwenCode().render_answer(event, HookAnswer(True, "No SSH here.")))
    assert told["hookSpecificOutput"]["additionalContext"] == "No SSH here."


def test_a_shell_is_known_by_the_command_line_that_qwen_gives_it() -> None:
    event = QwenCode().parse_hook({
        "hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/work", "tool_use_id": "c",
        "tool_name": "run_shell_command", "tool_input": {"command": "  make 'a b' \n"},
    })  # fmt: skip
    assert event.call is not None
    assert QwenCode().started_as(event.call) == ("bash", "-c", "make 'a b'")


def test_a_command_runs_as_it_was_judged(tmp_path: Path) -> None:
    """Of its own accord it adds lines to what a commit and a pull request say."""
    theirs = '{"general": {"gitCoAuthor": {"commit": true, "pr": true}, "vimMode": true}}'
    made = plan(tmp_path, settings=theirs)
    general = json.loads(Path(made.env["QWEN_HOME"], "settings.json").read_text())["general"]
    assert general["gitCoAuthor"] == {"commit": False, "pr": False}
    assert general["vimMode"] is True


def test_in_tier_a_the_machines_settings_have_our_hooks_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = tmp_path / "machines.json"
    theirs = {"hooks": [{"type": "command", "command": "/opt/theirs"}]}
    machines.write_text(json.dumps({"hooks": {"PreToolUse": [theirs]}, "telemetry": {}}))
    monkeypatch.setattr(config, "SYSTEM", machines)
    made = plan(tmp_path / "a")
    (mount,) = [each for each in made.mounts if each.path == str(machines)]
    assert mount.optional
    assert not mount.writable
    told = json.loads(Path(mount.source).read_text())
    assert (told["telemetry"], told["disableAllHooks"]) == ({}, False)
    own = json.loads(Path(made.env["QWEN_HOME"], "settings.json").read_text())["hooks"]
    # Of what two settings say alike Qwen Code runs one.
    assert told["hooks"] == own | {"PreToolUse": [theirs, *own["PreToolUse"]]}


def test_a_machine_that_switches_hooks_off_is_not_overruled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = tmp_path / "machines.json"
    machines.write_text('{"disableAllHooks": true}')
    monkeypatch.setattr(config, "SYSTEM", machines)
    with pytest.raises(LaunchFailed, match=r"machines\.json"):
        plan(tmp_path / "a")


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("bash -c 'git' push --force", ToolKind.OTHER), ("  /bin/SH  -c x", ToolKind.OTHER),
        ("git push; bash -c 'git' push", ToolKind.SHELL), ("bash script -c x", ToolKind.SHELL),
    ],
)  # fmt: skip
def test_a_command_that_will_be_unquoted_again_is_none_to_us(command: str, kind: ToolKind) -> None:
    """It would run `'git' push --force`, where a shell runs `git` alone."""
    event = {
        "hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/work", "tool_use_id": "t",
        "tool_name": "run_shell_command", "tool_input": {"command": command},
    }  # fmt: skip
    told = QwenCode().parse_hook(event).call
    assert told is not None
    assert told.kind is kind
