"""What profiles owe whose agents load a plugin of ours: answers in our words, inputs in theirs."""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from pathlib import Path
from typing import Any

import pytest

from profiles.openclaw.adapter import OpenClaw
from profiles.pi.adapter import Pi
from supervisor.errors import UsageError
from supervisor.model import CallIdentity, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchRequest
from tests.contract.profile_contract import ProfileContract, request
from tests.support.native import native


class PluginContract(ProfileContract):
    """For profiles whose plugin posts from inside the agent's own process."""

    words: tuple[str, ...]  # of a command line that it accepts, behind the program

    @abstractmethod
    def call(self, tool: str, arguments: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """The input that announces this call."""

    @abstractmethod
    def shell(self, command: str, **more: Any) -> tuple[str, dict[str, Any]]:
        """Its shell tool and the arguments for this command."""

    def pre(self, **changes: Any) -> dict[str, Any]:
        return self.call(*self.shell("ls")) | changes

    def launch(self, tmp_path: Path, *words: str) -> LaunchRequest:
        return request(tmp_path, (self.executable, *self.words, *words))

    @pytest.fixture(autouse=True)
    def node(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Node lies somewhere; where is not what these tests are about."""
        monkeypatch.setattr("profiles.nodejs.runtime", lambda environ, title: "/usr/bin/node")

    def test_the_arguments_arrive(self, tmp_path: Path) -> None:
        plan = self.profile.prepare(self.launch(tmp_path, "do", "this"))
        assert plan.argv[-2:] == ("do", "this")

    def test_the_environment_holds_no_credential_of_the_person(self, tmp_path: Path) -> None:
        plan = self.profile.prepare(self.launch(tmp_path))
        assert not [name for name, value in plan.env.items() if "secret" in value]

    def test_generated_files_are_private_and_only_in_the_task_directory(
        self, tmp_path: Path
    ) -> None:
        asked = self.launch(tmp_path)
        self.profile.prepare(asked)
        assert os.listdir(asked.home) == []
        assert os.listdir(asked.cwd) == []
        for path in Path(asked.task_dir).rglob("*"):
            assert path.stat().st_mode & 0o077 == 0, path

    def test_a_planted_file_is_not_written_through(self, tmp_path: Path) -> None:
        asked = self.launch(tmp_path)
        self.profile.prepare(asked)
        with pytest.raises(Exception, match="exists"):
            self.profile.prepare(asked)

    def test_the_plugin_is_told_where_to_post_and_for_how_long(self, tmp_path: Path) -> None:
        asked = self.launch(tmp_path)
        self.profile.prepare(asked)
        (told,) = Path(asked.task_dir).rglob("told.json")
        assert json.loads(told.read_text())["url"] == asked.hook_url
        assert json.loads(told.read_text())["timeout"] == asked.hook_timeout
        assert told.with_name("announce.mjs").exists()

    def test_its_calls_have_an_identity(self) -> None:
        assert self.profile.call_identity is CallIdentity.CALL

    def test_a_shell_call_is_told_verbatim(self) -> None:
        command = "make test  # with 'quotes' and ünïcode"
        event = self.profile.parse_hook(self.call(*self.shell(command)))
        assert event.phase == "pre"
        assert event.call is not None
        assert event.call.kind is ToolKind.SHELL
        assert event.call.command == command
        assert event.call.agent_call_id == "call-1"
        assert event.call.cwd == "/work"

    @pytest.mark.parametrize(
        "damage",
        [{"toolCallId": ""}, {"toolName": None}, {"cwd": "relative"}, {"cwd": None},
         {"hook_event_name": "unheard"}],
    )  # fmt: skip
    def test_a_call_that_cannot_be_judged_is_malformed(self, damage: dict[str, Any]) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - any wording will do
            self.profile.parse_hook(self.pre(**damage))

    def test_a_rewrite_is_handed_over_with_an_allowance(self) -> None:
        event = self.profile.parse_hook(self.pre())
        body = self.profile.render_answer(event, HookAnswer(True, "", {"command": "new"}))
        assert json.loads(body) == {"granted": True, "input": {"command": "new"}}

    def test_a_denial_carries_its_reason(self) -> None:
        body = self.profile.render_answer(HookEvent("pre"), HookAnswer(False, "because"))
        assert json.loads(body) == {"granted": False, "reason": "because"}

    def test_the_end_of_a_turn_is_told(self) -> None:
        event = self.profile.parse_hook(self.pre(hook_event_name="agent_end"))
        assert (event.phase, event.call) == ("turn_end", None)

    def test_options_that_drop_the_plugin_are_refused(self, tmp_path: Path) -> None:
        refused = self.profile.manifest.refuse  # type: ignore[attr-defined]
        assert refused
        for number, option in enumerate(refused):
            asked = self.launch(tmp_path / str(number), option)
            with pytest.raises(UsageError, match=option):
                self.profile.prepare(asked)
            assert os.listdir(asked.task_dir) == []


class TestPi(PluginContract):
    profile = Pi()
    executable = "/opt/bin/pi"
    words = ()

    def call(self, tool: str, arguments: dict[str, Any], **changes: Any) -> dict[str, Any]:
        return {
            "hook_event_name": "tool_call", "session_id": "s", "cwd": "/work", "toolName": tool,
            "toolCallId": "call-1", "input": arguments,
        } | changes  # fmt: skip

    def shell(self, command: str, **more: Any) -> tuple[str, dict[str, Any]]:
        return "bash", {"command": command, **more}

    @pytest.mark.parametrize(
        ("name", "file"),
        [("note.txt", "/work/note.txt"), ("/etc/passwd", "/etc/passwd"), ("@/etc/x", "/etc/x"),
         ("a\u00a0b", "/work/a b"), ("../x", "/x")],
    )  # fmt: skip
    def test_a_file_is_the_one_that_pi_opens(self, name: str, file: str) -> None:
        call = self.profile.parse_hook(self.call("read", {"path": name})).call
        assert call is not None
        assert (call.kind, call.paths) == (ToolKind.READ, (file,))

    def test_the_home_is_the_persons(self) -> None:
        call = self.profile.parse_hook(self.call("write", {"path": "~/x", "content": ""})).call
        assert call is not None
        assert call.paths == (os.path.expanduser("~/x"),)

    def test_the_persons_own_extensions_come_after_ours_and_a_projects_not_at_all(
        self, tmp_path: Path
    ) -> None:
        asked = self.launch(tmp_path)
        own = Path(asked.home, ".pi/agent/extensions")
        own.mkdir(parents=True)
        own.joinpath("mine.ts").touch()
        own.joinpath("notes.md").touch()
        Path(asked.cwd, ".pi/extensions").mkdir(parents=True)
        Path(asked.cwd, ".pi/extensions/theirs.ts").touch()
        plan = self.profile.prepare(asked)
        named = [path for option, path in zip(plan.argv, plan.argv[1:], strict=False)
                 if option == "--extension"]  # fmt: skip
        assert named == [f"{asked.task_dir}/pi-extension/extension.mjs", str(own / "mine.ts")]
        assert "--no-extensions" in plan.argv

    def test_the_hosts_of_the_persons_models_are_let_in(self, tmp_path: Path) -> None:
        asked = self.launch(tmp_path)
        folder = Path(asked.home, ".pi/agent")
        folder.mkdir(parents=True)
        folder.joinpath("models.json").write_text(
            '{"providers": {"own": {"baseUrl": "http://127.0.0.1:11434/v1"}, "odd": 7}}'
        )
        assert "127.0.0.1:11434" not in self.profile.prepare(asked).model_hosts  # it is not JSON's
        folder.joinpath("models.json").write_text(
            '{"providers": {"own": {"baseUrl": "http://127.0.0.1:11434/v1"}}}'
        )
        again = self.launch(tmp_path / "again")
        Path(again.home, ".pi").symlink_to(folder.parent)
        assert "127.0.0.1:11434" in self.profile.prepare(again).model_hosts


class TestOpenClaw(PluginContract):
    profile = OpenClaw()
    executable = "/opt/bin/openclaw"
    words = ("agent", "--local", "--message")

    def call(self, tool: str, arguments: dict[str, Any], **changes: Any) -> dict[str, Any]:
        return {
            "hook_event_name": "before_tool_call", "session_id": "s", "cwd": "/work",
            "session_key": "agent:main:main", "toolName": tool, "toolCallId": "call-1",
            "params": arguments,
        } | changes  # fmt: skip

    def shell(self, command: str, **more: Any) -> tuple[str, dict[str, Any]]:
        return "exec", {"command": command, "workdir": "/work", **more}

    def test_variables_of_a_call_are_judged_with_it_and_the_rewrite_does_not_say_them_twice(
        self,
    ) -> None:
        tool, arguments = self.shell("git push", env={"GIT_SSH_COMMAND": "sh -c 'x y'"})
        call = self.profile.parse_hook(self.call(tool, arguments)).call
        assert call is not None
        assert call.command == "export GIT_SSH_COMMAND='sh -c '\"'\"'x y'\"'\"''\ngit push"
        assert self.profile.with_prefix(call, "bind; ")["command"] == "bind; git push"

    @pytest.mark.parametrize(
        ("more", "extra"),
        [({"host": "node"}, {}), ({"host": "sandbox"}, {}), ({"node": "mac"}, {}),
         ({}, {"toolKind": "code_mode_exec"})],
    )  # fmt: skip
    def test_what_runs_elsewhere_is_no_command_here(
        self, more: dict[str, Any], extra: dict[str, Any]
    ) -> None:
        call = self.profile.parse_hook(self.call(*self.shell("ls", **more), **extra)).call
        assert call is not None
        assert call.kind is ToolKind.OTHER

    @pytest.mark.parametrize("path", [None, "relative.txt", 7])
    def test_a_place_that_is_not_written_out_is_malformed(self, path: Any) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - any wording will do
            self.profile.parse_hook(self.call("read", {"path": path}))

    def test_tools_of_mcp_servers_and_subagents_are_known(self) -> None:
        call = self.profile.parse_hook(self.call("notes__get_note", {"name": "one"})).call
        assert call is not None
        assert (call.kind, call.tool) == (ToolKind.MCP, "mcp__notes__get_note")
        inside = self.pre(session_key="agent:main:subagent:4711")
        spoke = self.profile.parse_hook(inside).call
        assert spoke is not None
        assert spoke.subagent == "4711"

    @pytest.mark.parametrize(
        "words",
        [("agent", "--message", "x"), ("gateway",), (), ("agent", "exec", "x"),
         ("agent", "exec", "--local", "x"), ("tui", "--local"), ("chat",)],
    )  # fmt: skip
    def test_what_works_elsewhere_or_without_its_plugin_is_refused(
        self, tmp_path: Path, words: tuple[str, ...]
    ) -> None:
        asked = request(tmp_path, (self.executable, *words))
        with pytest.raises(UsageError, match="openclaw"):
            self.profile.prepare(asked)
        assert os.listdir(asked.task_dir) == []

    def test_the_persons_configuration_is_included_and_ours_laid_over_it(
        self, tmp_path: Path
    ) -> None:
        asked = self.launch(tmp_path)
        own = Path(asked.home, ".openclaw/openclaw.json")
        own.parent.mkdir()
        own.write_text('{"plugins": {"allow": ["browser"]}, "models": {"providers": {"own": '
                       '{"baseUrl": "http://127.0.0.1:9/v1"}}}}')  # fmt: skip
        plan = self.profile.prepare(asked)
        config = json.loads(Path(plan.env["OPENCLAW_CONFIG_PATH"]).read_text())
        assert config["$include"] == [str(own)]
        assert config["plugins"]["allow"] == ["taskpass"]
        assert config["agents"]["defaults"]["workspace"] == asked.cwd
        timeouts = config["plugins"]["entries"]["taskpass"]["hooks"]["timeouts"]
        assert timeouts == {"before_tool_call": asked.hook_timeout * 1000}
        assert "127.0.0.1:9" in plan.model_hosts

    def test_plugins_that_the_person_has_switched_off_stay_so(self, tmp_path: Path) -> None:
        asked = self.launch(tmp_path)
        own = Path(asked.home, ".openclaw/openclaw.json")
        own.parent.mkdir()
        own.write_text('{"plugins": {"enabled": false, "load": {"paths": ["/x"]}}}')
        plan = self.profile.prepare(asked)
        config = json.loads(Path(plan.env["OPENCLAW_CONFIG_PATH"]).read_text())
        assert (config["plugins"]["enabled"], config["plugins"]["allow"]) == (True, ["taskpass"])


@pytest.mark.parametrize(
    ("agent", "name", "kind"),
    [
        ("pi", "tool_call-bash", ToolKind.SHELL),
        ("pi", "tool_call-read", ToolKind.READ),
        ("pi", "tool_call-write", ToolKind.WRITE),
        ("pi", "tool_call-edit", ToolKind.WRITE),
        ("openclaw", "before_tool_call-exec", ToolKind.SHELL),
        ("openclaw", "before_tool_call-read", ToolKind.READ),
        ("openclaw", "before_tool_call-write", ToolKind.WRITE),
        ("openclaw", "before_tool_call-edit", ToolKind.WRITE),
        ("openclaw", "before_tool_call-apply_patch", ToolKind.WRITE),
        ("openclaw", "before_tool_call-web_fetch", ToolKind.FETCH),
        ("openclaw", "before_tool_call-mcp", ToolKind.MCP),
        ("openclaw", "before_tool_call-sessions_spawn", ToolKind.AGENT),
    ],
)
def test_what_the_real_agents_posted_is_understood(agent: str, name: str, kind: ToolKind) -> None:
    profile = {"pi": Pi, "openclaw": OpenClaw}[agent]()
    event = profile.parse_hook(native(agent, name).fields())
    assert event.call is not None
    assert event.call.kind is kind
    assert event.call.cwd == "/work"
