"""Cursor's profile: what its makers document, since its program cannot run in tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from profiles.cursor.adapter import MANAGED, Cursor
from supervisor.errors import LaunchFailed, UsageError
from supervisor.model import ToolKind
from supervisor.ports import HookAnswer, Mount
from tests.contract.profile_contract import ProfileContract, request
from tests.support.native import native


class TestCursor(ProfileContract):
    profile = Cursor()
    executable = "/opt/bin/cursor-agent"

    def pre(self, **changes: Any) -> dict[str, Any]:
        return native("cursor", "preToolUse-Shell").fields() | changes

    @pytest.mark.parametrize(
        ("name", "kind", "told"),
        [
            ("preToolUse-Shell", ToolKind.SHELL, "echo hello"),
            ("beforeShellExecution", ToolKind.SHELL, "echo hello"),
            ("preToolUse-Read", ToolKind.READ, ("/work/note.txt",)),
            ("beforeReadFile", ToolKind.READ, ("/work/note.txt",)),
            ("preToolUse-Grep", ToolKind.READ, ("/work",)),
            ("preToolUse-Write", ToolKind.WRITE, ("/work/note.txt",)),
            ("preToolUse-StrReplace", ToolKind.WRITE, ("/work/note.txt",)),
            ("preToolUse-Delete", ToolKind.WRITE, ("/work/note.txt",)),
            ("preToolUse-Fetch", ToolKind.FETCH, "https://example.com/page"),
            ("beforeMCPExecution-mcp", ToolKind.MCP, "mcp__notes__get_note"),
            ("subagentStart-Task", ToolKind.AGENT, "Task"),
        ],
    )
    def test_its_documented_inputs_are_understood(
        self, name: str, kind: ToolKind, told: object
    ) -> None:
        event = self.profile.parse_hook(native("cursor", name).fields())
        call = event.call
        assert call is not None
        assert (event.phase, call.kind, call.cwd) == ("pre", kind, "/work")
        assert told in (call.command, call.paths, call.url, call.tool)
        assert call.agent_call_id

    @pytest.mark.parametrize(
        "damage",
        [{"tool_use_id": ""}, {"tool_name": None}, {"tool_input": "ls"}, {"tool_input": {}},
         {"tool_input": {"command": 7}}, {"hook_event_name": "unheard"},
         {"workspace_roots": [], "cwd": "relative", "tool_input": {"command": "ls"}},
         {"workspace_roots": "/work"}],
    )  # fmt: skip
    def test_a_call_that_cannot_be_judged_is_malformed(self, damage: dict[str, Any]) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - any wording will do
            self.profile.parse_hook(self.pre(**damage))

    def test_a_call_without_a_folder_of_its_own_works_in_the_workspace(self) -> None:
        event = self.pre(cwd="", tool_input={"command": "ls", "cwd": ""})
        call = self.profile.parse_hook(event).call
        assert call is not None
        assert call.cwd == "/work"
        inside = self.pre(tool_input={"command": "ls", "cwd": "lib"})
        moved = self.profile.parse_hook(inside).call
        assert moved is not None
        assert moved.cwd == "/work/lib"

    def test_a_call_of_mcp_is_the_same_before_and_after_and_another_the_next_time(self) -> None:
        before = native("cursor", "beforeMCPExecution-mcp").fields()
        after = native("cursor", "afterMCPExecution").fields()
        opened, ended = self.profile.parse_hook(before), self.profile.parse_hook(after)
        assert ended.phase == "post"
        assert opened.call is not None
        assert ended.call is not None
        assert opened.call.agent_call_id == ended.call.agent_call_id
        later = self.profile.parse_hook(before | {"generation_id": "another"}).call
        assert later is not None
        assert later.agent_call_id != opened.call.agent_call_id

    @pytest.mark.parametrize(
        ("changes", "tool"),
        [({"mcp_server_name": "", "url": "https://mcp.example.com/x"}, "mcp__mcp_example_com__t"),
         ({"mcp_server_name": "", "command": "/opt/notes --x"}, "mcp__notes__t"),
         ({"mcp_server_name": "a b"}, "mcp__a_b__t")],
    )  # fmt: skip
    def test_a_server_has_a_name(self, changes: dict[str, Any], tool: str) -> None:
        event = native("cursor", "beforeMCPExecution-mcp").fields() | {"tool_name": "t"} | changes
        call = self.profile.parse_hook(event).call
        assert call is not None
        assert call.tool == tool

    def test_answers_are_cursors_own(self) -> None:
        event = self.profile.parse_hook(self.pre())
        allowed = self.profile.render_answer(event, HookAnswer(True, "", {"command": "new"}))
        assert json.loads(allowed) == {
            "permission": "allow", "updated_input": {"command": "new"},
        }  # fmt: skip
        denied = json.loads(self.profile.render_answer(event, HookAnswer(False, "because")))
        assert denied["permission"] == "deny"
        assert denied["user_message"] == denied["agent_message"] == "because"
        ended = self.profile.parse_hook(native("cursor", "stop").fields())
        assert (ended.phase, json.loads(self.profile.render_answer(ended, HookAnswer(True)))) == (
            "turn_end", {},
        )  # fmt: skip

    def test_its_managed_configuration_is_ours_in_the_container_alone(self, tmp_path: Path) -> None:
        asked = request(tmp_path, (self.executable,))
        plan = self.profile.prepare(asked)
        (placed,) = (mount for mount in plan.mounts if mount.source)
        assert placed == Mount(MANAGED, False, f"{asked.task_dir}/cursor-hooks.json")
        text = Path(placed.source).read_text()
        assert "//" not in text  # the rest of the line would be a comment
        told = json.loads(text)
        assert told["version"] == 1
        for event in ("preToolUse", "beforeMCPExecution", "subagentStart"):
            (hook,) = told["hooks"][event]
            assert hook["failClosed"] is True
            assert hook["timeout"] == asked.hook_timeout
        matcher = told["hooks"]["preToolUse"][0]["matcher"]
        asked_for = [tool for tool in ("Shell", "MCP:x", "Task", "TaskList", "Write")
                     if re.match(matcher, tool)]  # fmt: skip
        assert asked_for == ["Shell", "TaskList", "Write"]

    def test_hooks_that_the_machine_is_managed_by_stay_in_force(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        managed = tmp_path / "hooks.json"
        monkeypatch.setattr("profiles.cursor.adapter.MANAGED", str(managed))
        theirs = {"command": "post https://audit.example.com/ /* all */", "failClosed": True}
        managed.write_text(json.dumps({"version": 1, "hooks": {"preToolUse": [theirs]}}))
        plan = self.profile.prepare(request(tmp_path / "x", (self.executable,)))
        (placed,) = (mount for mount in plan.mounts if mount.source)
        text = Path(placed.source).read_text()
        # As Cursor reads it: what looks like a comment is none of it.
        stripped = re.sub(r"/\*[\s\S]*?\*/", "", re.sub(r"//.*$", "", text, flags=re.M))
        ours, kept = json.loads(stripped)["hooks"]["preToolUse"]
        assert ours["command"].startswith("exec /bin/sh")
        assert kept == theirs

    @pytest.mark.parametrize(
        "text", ["// comment\n{}", "[]", '{"version": 2}', '{"version": 1, "hooks": {"stop": 7}}']
    )
    def test_it_is_not_started_without_hooks_that_it_is_managed_by(
        self, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        managed = tmp_path / "hooks.json"
        monkeypatch.setattr("profiles.cursor.adapter.MANAGED", str(managed))
        managed.write_text(text)
        with pytest.raises(LaunchFailed, match="cannot be joined"):
            self.profile.prepare(request(tmp_path / "x", (self.executable,)))

    def test_it_is_not_started_where_its_hooks_could_not_be_shown(self, tmp_path: Path) -> None:
        asked = request(tmp_path, (self.executable,), contained=False)
        with pytest.raises(LaunchFailed, match=MANAGED):
            self.profile.prepare(asked)
        assert os.listdir(asked.task_dir) == []

    def test_an_old_version_is_not_started(self, tmp_path: Path) -> None:
        program = tmp_path / "cursor-agent/versions/2025.11.06-8fe8a63/cursor-agent"
        program.parent.mkdir(parents=True)
        program.touch()
        with pytest.raises(LaunchFailed, match=r"2025\.11\.06"):
            self.profile.prepare(request(tmp_path / "x", (str(program),)))

    def test_options_that_lead_elsewhere_are_refused(self, tmp_path: Path) -> None:
        for option in self.profile.manifest.refuse:
            asked = request(tmp_path / option, (self.executable, option))
            with pytest.raises(UsageError, match=option):
                self.profile.prepare(asked)

    @pytest.mark.parametrize("event", ["preToolUse", "stop"])
    def test_its_hook_denies_when_nobody_answers(self, tmp_path: Path, event: str) -> None:
        # Port 9 of the discard protocol: nothing listens there.
        asked = request(tmp_path, (self.executable,), hook_url="http://127.0.0.1:9/token")
        plan = self.profile.prepare(asked)
        (placed,) = (mount for mount in plan.mounts if mount.source)
        hook = json.loads(Path(placed.source).read_text())["hooks"][event][0]
        body = native("cursor", "preToolUse-Shell").body
        done = subprocess.run(
            ["bash", "-lc", f"{hook['command']} <<'CURSOR_HOOK_EOF'\n{body}\nCURSOR_HOOK_EOF"],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stdout == ""
        assert "the supervisor did not answer" in done.stderr
