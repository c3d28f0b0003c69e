"""Every profile keeps the contract of its kind (`profile_contract`)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

import pytest

import profiles
from profiles import all_profiles, find, nodejs
from profiles.acp.adapter import Acp
from profiles.chatgpt.adapter import ChatGpt
from profiles.claude_code.adapter import ClaudeCode
from profiles.codex.adapter import Codex
from profiles.copilot.adapter import Copilot
from profiles.demo.adapter import Demo
from profiles.gemini.adapter import GeminiCli
from profiles.generic.adapter import Generic
from profiles.mcp_gateway.adapter import McpGateway
from profiles.opencode.adapter import OpenCode
from profiles.qwen.adapter import QwenCode
from profiles.sandbox.adapter import Sandbox
from supervisor.errors import UsageError
from supervisor.gateway import servers
from supervisor.gateway.front.app import MCP_PATH
from supervisor.model import CallIdentity, ToolCall, ToolKind
from supervisor.ports import HookAnswer
from tests.contract.profile_contract import HookedContract, ProfileContract, request
from tests.support.native import native


class TestClaudeCode(HookedContract):
    profile = ClaudeCode()
    executable = "/opt/bin/claude"

    def pre(self, **changes: Any) -> dict[str, Any]:
        event = {
            "session_id": "s", "transcript_path": "/x.jsonl", "cwd": "/work",
            "permission_mode": "default", "hook_event_name": "PreToolUse", "tool_name": "Bash",
            "tool_input": {"command": "ls", "description": "list"}, "tool_use_id": "call-1",
        }  # fmt: skip
        return event | changes


class TestCodex(HookedContract):
    profile = Codex()
    executable = "/opt/bin/codex"

    def pre(self, **changes: Any) -> dict[str, Any]:
        event = {
            "session_id": "s", "turn_id": "t", "transcript_path": "/x.jsonl", "cwd": "/work",
            "hook_event_name": "PreToolUse", "model": "m", "permission_mode": "default",
            "tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "call-1",
        }  # fmt: skip
        return event | changes


class TestOpenCode(HookedContract):
    profile = OpenCode()
    executable = "/opt/bin/opencode"
    of_mcp: ClassVar = {
        "tool_name": "files_read", "tool_input": {}, "mcp_servers": ["fi", "files"],
    }  # fmt: skip
    of_turn_end: ClassVar = {"hook_event_name": "session.idle"}

    def pre(self, **changes: Any) -> dict[str, Any]:
        event = {
            "hook_event_name": "tool.execute.before", "session_id": "s", "cwd": "/work",
            "tool_name": "bash", "tool_input": {"command": "ls"}, "tool_use_id": "call-1",
        }  # fmt: skip
        return event | changes

    def told(self, answer: HookAnswer) -> tuple[str, str, Any]:
        event = self.profile.parse_hook(self.pre())
        output = json.loads(self.profile.render_answer(event, answer))
        return output["decision"], output["reason"], output.get("tool_input")


class TestGemini(HookedContract):
    profile = GeminiCli()
    executable = "/opt/bin/gemini"
    identity = CallIdentity.PROCESS
    names_calls = False
    names_subagents = False
    of_mcp: ClassVar = {
        "tool_name": "mcp_files_read", "tool_input": {},
        "mcp_context": {"server_name": "files", "tool_name": "read"},
    }  # fmt: skip
    of_turn_end: ClassVar = {"hook_event_name": "AfterAgent"}

    @pytest.fixture(autouse=True)
    def node(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(nodejs, "runtime", lambda environ, title: "/opt/node/bin/node")

    def pre(self, **changes: Any) -> dict[str, Any]:
        event = {
            "session_id": "s", "transcript_path": "/x.jsonl", "cwd": "/work",
            "hook_event_name": "BeforeTool", "timestamp": "2026-01-01T00:00:00.000Z",
            "tool_name": "run_shell_command", "tool_input": {"command": "ls"},
        }  # fmt: skip
        return event | changes

    def told(self, answer: HookAnswer) -> tuple[str, str, Any]:
        event = self.profile.parse_hook(self.pre())
        output = json.loads(self.profile.render_answer(event, answer))
        further = output.get("hookSpecificOutput", {})
        return output["decision"], output.get("reason", ""), further.get("tool_input")


class TestQwen(HookedContract):
    profile = QwenCode()
    executable = "/opt/bin/qwen"

    @pytest.fixture(autouse=True)
    def node(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(nodejs, "runtime", lambda environ, title: "/opt/node/bin/node")

    def pre(self, **changes: Any) -> dict[str, Any]:
        event = {
            "session_id": "s", "transcript_path": "/x.jsonl", "cwd": "/work",
            "hook_event_name": "PreToolUse", "permission_mode": "yolo",
            "tool_name": "run_shell_command", "tool_input": {"command": "ls"},
            "tool_use_id": "call-1",
        }  # fmt: skip
        return event | changes

    def test_a_rewrite_is_handed_over_with_an_allowance(self) -> None:
        """It would be ignored, so none is handed over."""
        decision, _, arguments = self.told(HookAnswer(True, "", {"command": "new"}))
        assert (decision, arguments) == ("allow", None)


class TestCopilot(HookedContract):
    profile = Copilot()
    executable = "/opt/bin/copilot"
    identity = CallIdentity.PROCESS
    names_calls = False
    of_mcp: ClassVar = {"tool_name": "files-read", "tool_input": {}}

    def pre(self, **changes: Any) -> dict[str, Any]:
        event = {
            "hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/work",
            "timestamp": "2026-01-01T00:00:00.000Z", "tool_name": "Bash",
            "tool_input": {"command": "ls"},
        }  # fmt: skip
        return event | changes

    def told(self, answer: HookAnswer) -> tuple[str, str, Any]:
        event = self.profile.parse_hook(self.pre())
        output = json.loads(self.profile.render_answer(event, answer))
        reason = output["permissionDecisionReason"]
        return output["permissionDecision"], reason, output.get("modifiedArgs")


class TestDemo(HookedContract):
    profile = Demo()
    executable = "/opt/bin/taskpass-demo-agent"

    def pre(self, **changes: Any) -> dict[str, Any]:
        event = {
            "session_id": "demo", "cwd": "/work", "hook_event_name": "PreToolUse",
            "tool_name": "Bash", "tool_input": {"command": "ls"}, "tool_use_id": "call-1",
        }  # fmt: skip
        return event | changes


class TestMcpGateway(ProfileContract):
    profile = McpGateway()
    executable = "/opt/bin/taskpass-mcp"

    @pytest.fixture(autouse=True)
    def listed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(servers, "find", lambda path, name: servers.Server(name, "server"))

    def pre(self, **changes: Any) -> dict[str, Any]:
        event = {
            "hook_event_name": "call", "id": "1", "tool": "mcp__notes__get", "cwd": "/work",
            "arguments": {"name": "x"}, "definition": "sha256:1", "url": "",
        }  # fmt: skip
        return event | changes

    def test_the_arguments_arrive(self, tmp_path: Path) -> None:
        plan = self.profile.prepare(request(tmp_path, (self.executable, "notes")))
        told = json.loads(Path(plan.argv[-1]).read_text())
        assert told["server"]["name"] == "notes"
        with pytest.raises(UsageError, match="one MCP server"):
            self.profile.prepare(request(tmp_path / "again", (self.executable, "a", "{}", "c")))

    def test_a_call_is_of_a_tool_with_a_definition(self) -> None:
        call = self.profile.parse_hook(self.pre()).call
        assert call is not None
        assert (call.tool, call.kind, call.definition, call.alone) == (
            "mcp__notes__get", ToolKind.MCP, "sha256:1", True,
        )  # fmt: skip
        without = self.profile.parse_hook(self.pre(definition="")).call
        assert without is not None
        assert without.definition  # so that it is compared, and found to be none
        with pytest.raises(ValueError, match="MCP"):
            self.profile.parse_hook(self.pre(tool="Bash"))


class TestAcp(ProfileContract):
    profile = Acp()
    executable = "/opt/bin/some-agent"

    def pre(self, **changes: Any) -> dict[str, Any]:
        return native("acp", "request_permission-execute").fields() | changes

    def call(self, **told: Any) -> ToolCall:
        event = self.pre(toolCall={"toolCallId": "c", **told})
        found = self.profile.parse_hook(event).call
        assert found is not None
        return found

    def test_it_is_found_by_its_name_and_its_program(self) -> None:
        assert find(["anything"], "acp").name == "acp"
        assert not self.profile.matches([self.executable])

    def test_the_arguments_arrive(self, tmp_path: Path) -> None:
        plan = self.profile.prepare(request(tmp_path, (self.executable, "do", "this")))
        told = json.loads(Path(plan.argv[-1]).read_text())
        assert told["argv"] == [self.executable, "do", "this"]

    @pytest.mark.parametrize(
        ("name", "kind"),
        [("execute", ToolKind.SHELL), ("read", ToolKind.READ), ("edit", ToolKind.WRITE),
         ("fetch", ToolKind.FETCH)],
    )  # fmt: skip
    def test_what_it_asks_for_is_understood(self, name: str, kind: ToolKind) -> None:
        event = self.profile.parse_hook(native("acp", f"request_permission-{name}").fields())
        assert event.call is not None
        assert (event.call.kind, event.call.cwd) == (kind, "/work")

    def test_what_it_does_not_say_plainly_is_a_tool_nobody_knows(self) -> None:
        for told in ({}, {"kind": "execute"}, {"kind": "edit"}, {"kind": "think"},
                     {"kind": "execute", "title": "`ls`"},
                     {"kind": "fetch", "rawInput": "x"}):  # fmt: skip
            assert self.call(**told).kind is ToolKind.OTHER

    @pytest.mark.parametrize(
        ("given", "command"),
        [({"command": "ls -l"}, "ls -l"), ({"command": ["ls", "a b"]}, "ls 'a b'"),
         ({"command": "git", "args": ["commit", "-m", "x y"]}, "git commit -m 'x y'")],
    )  # fmt: skip
    def test_a_command_is_told_in_several_ways(self, given: Any, command: str) -> None:
        assert self.call(kind="execute", rawInput=given).command == command

    def test_every_file_that_it_names_counts(self) -> None:
        call = self.call(
            kind="move", rawInput={"path": "a"}, locations=[{"path": "/b"}, {"line": 3}],
            content=[{"type": "diff", "path": "c", "newText": "x"}],
        )  # fmt: skip
        assert call.paths == ("/work/c", "/b", "/work/a")


class TestChatGpt:
    profile = ChatGpt()

    def test_it_is_known_by_its_name_and_by_no_program(self, tmp_path: Path) -> None:
        assert find([], "chatgpt").name == "chatgpt"
        assert not self.profile.matches(["chatgpt"])
        with pytest.raises(UsageError, match="does not run here"):
            self.profile.prepare(request(tmp_path, ("/opt/bin/chatgpt",)))

    def test_its_calls_are_the_gateways(self) -> None:
        event = self.profile.parse_hook(native("chatgpt", "call-mcp").fields())
        assert event.call is not None
        assert (event.call.kind, event.call.tool) == (ToolKind.MCP, "mcp__notes__get_note")
        assert 0 < event.hold < 60  # it gives a call up after a minute

    def test_how_it_is_connected_is_told_with_commands_that_there_are(self) -> None:
        steps = " ".join(self.profile.manifest.connect)
        for command in ("taskpass mcp add", "taskpass mcp gateway"):
            assert command in steps
        assert MCP_PATH in steps


class TestGeneric(ProfileContract):
    profile = Generic()
    executable = "/opt/bin/any-program"

    def pre(self, **changes: Any) -> dict[str, Any]:
        return {}

    def test_its_uses_belong_to_a_process(self) -> None:
        assert self.profile.call_identity is CallIdentity.PROCESS


class TestSandbox(ProfileContract):
    profile = Sandbox()
    executable = "/opt/bin/taskpass-sandbox"

    def pre(self, **changes: Any) -> dict[str, Any]:
        return {}

    def test_its_uses_belong_to_a_session_of_an_agent_elsewhere(self, tmp_path: Path) -> None:
        assert self.profile.call_identity is CallIdentity.SESSION
        assert self.profile.prepare(request(tmp_path, (self.executable, "x"))).elsewhere


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    known = ", ".join(profile.name for profile in all_profiles())
    with pytest.raises(UsageError, match=re.escape(known)):
        find(["x"], "nonsense")


def test_every_folder_is_a_profile_and_generic_comes_last() -> None:
    folders = {path.parent.name for path in Path(profiles.__file__).parent.glob("*/profile.toml")}
    modules = [type(profile).__module__.split(".")[1] for profile in all_profiles()]
    assert sorted(modules) == sorted(folders)
    assert modules[-1] == "generic"
