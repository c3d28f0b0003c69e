"""What every profile owes to the supervisor."""

from __future__ import annotations

import json
import os
import shlex
import stat
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiles import find
from profiles.manifest import FailMode, Rewrite
from supervisor.errors import TaskpassError, UsageError
from supervisor.model import CallIdentity, ToolCall, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchRequest, Profile

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PERSON = {
    "HOME": "/home/ana", "PATH": "/usr/bin:/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8",
    "GITHUB_TOKEN": "secret-1", "AWS_SECRET_ACCESS_KEY": "secret-2", "DB_PASSWORD": "secret-3",
    "DATABASE_URL": "postgres://ana:secret-4@db/x", "SSH_AUTH_SOCK": "/run/secret-5",
    "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/secret-6", "TMUX": "/tmp/secret-7",
    "LD_PRELOAD": "/tmp/secret-8.so", "NPM_TOKEN": "secret-9", "TASKPASS_SOCKET": "secret-10",
}  # fmt: skip

# The profiles have no state, so that several classes run one method does no harm. How fast a busy
# machine draws is not what these are about.
shared = settings(
    suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow], deadline=None
)


def request(tmp_path: Path, argv: tuple[str, ...], **changes: Any) -> LaunchRequest:
    """A launch in a fresh private directory."""
    task_dir = tmp_path / "task"
    task_dir.mkdir(mode=0o700, parents=True)
    home, cwd = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    cwd.mkdir()
    fields: dict[str, Any] = {
        "task": "t-1", "argv": argv, "cwd": str(cwd), "home": str(home), "environ": PERSON,
        "task_dir": str(task_dir), "hook_url": "http://127.0.0.1:4000/token",
        "hook_timeout": 600, "contained": True, "interactive": False,
    }  # fmt: skip
    return LaunchRequest(**(fields | changes))


class ProfileContract:
    """Inherited by the tests of each profile."""

    profile: Profile
    executable: str

    @abstractmethod
    def pre(self, **changes: Any) -> dict[str, Any]:
        """A valid hook input that announces a call; {} where there are no hooks."""

    def test_it_is_found_by_its_name_and_its_program(self) -> None:
        assert find(["anything"], self.profile.name).name == self.profile.name
        assert find([self.executable]).name == self.profile.name

    def test_its_manifest_says_what_becomes_of_a_call_whose_hook_fails(self) -> None:
        known = self.profile.manifest  # type: ignore[attr-defined]
        assert known.fail_detail.endswith(".")
        assert (known.fail_mode is FailMode.NONE) == (not known.hooked)
        assert known.hooked or known.rewrite is Rewrite.NONE
        assert known.bypasses

    def test_the_environment_holds_no_credential_of_the_person(self, tmp_path: Path) -> None:
        plan = self.profile.prepare(request(tmp_path, (self.executable, "x")))
        assert not [name for name, value in plan.env.items() if "secret" in value]
        assert plan.env["PATH"].endswith("/usr/bin:/bin")
        assert plan.env["TERM"] == PERSON["TERM"]

    def test_the_arguments_arrive(self, tmp_path: Path) -> None:
        plan = self.profile.prepare(request(tmp_path, (self.executable, "do", "this")))
        assert plan.argv[-2:] == ("do", "this")

    def test_generated_files_are_private_and_only_in_the_task_directory(
        self, tmp_path: Path
    ) -> None:
        asked = request(tmp_path, (self.executable, "x"))
        self.profile.prepare(asked)
        assert os.listdir(asked.home) == []
        assert os.listdir(asked.cwd) == []
        for path in Path(asked.task_dir).rglob("*"):
            if not path.is_symlink():
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path

    def test_a_planted_file_is_not_written_through(self, tmp_path: Path) -> None:
        asked = request(tmp_path, (self.executable, "x"))
        self.profile.prepare(asked)
        if os.listdir(asked.task_dir):
            with pytest.raises(TaskpassError):
                self.profile.prepare(asked)

    @shared
    @given(event=st.dictionaries(st.text(), JSON, max_size=6))
    def test_a_strange_input_is_a_value_error(self, event: Mapping[str, Any]) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - any wording will do
            self.profile.parse_hook(event)

    @shared
    @given(data=st.data())
    def test_a_damaged_input_is_a_value_error_or_an_event(self, data: st.DataObject) -> None:
        event = self.pre()
        if event:
            key = data.draw(st.sampled_from(sorted(event)))
            event[key] = data.draw(JSON)
        try:
            parsed = self.profile.parse_hook(event)
        except ValueError:
            return
        assert parsed.phase != "pre" or parsed.call is not None

    def test_a_denial_is_never_silent(self) -> None:
        event = HookEvent("pre")
        denial = self.profile.render_answer(event, HookAnswer(False, "Use the preview instead."))
        assert denial
        assert b"allow" not in denial
        assert self.profile.render_answer(event, HookAnswer(False, ""))

    def test_a_denial_ignores_a_rewrite(self) -> None:
        rewritten = {"command": "something else"}
        answer = HookAnswer(False, "no", rewritten)
        assert b"something else" not in self.profile.render_answer(HookEvent("pre"), answer)

    @shared
    @given(command=st.text(), prefix=st.text(max_size=20))
    def test_a_prefix_stands_before_the_whole_command(self, command: str, prefix: str) -> None:
        arguments = {"command": command, "timeout": 7}
        call = ToolCall("c", "Bash", ToolKind.SHELL, arguments, "/", command=command)
        rewritten = dict(self.profile.with_prefix(call, prefix))
        whole = str(rewritten.pop("command"))
        if whole != prefix + command:  # it may have to be put into bash, as it is
            assert shlex.split(whole) == ["exec", "/bin/bash", "-c", prefix + command]
        assert rewritten == {"timeout": 7}
        assert arguments == {"command": command, "timeout": 7}


class HookedContract(ProfileContract):
    """For profiles whose agents announce their calls."""

    identity = CallIdentity.CALL
    names_calls = True  # whether its hooks carry an id of the call
    names_subagents = True
    of_mcp: ClassVar[Mapping[str, Any]] = {"tool_name": "mcp__files__read", "tool_input": {}}
    of_turn_end: ClassVar[Mapping[str, Any]] = {"hook_event_name": "Stop"}

    def told(self, answer: HookAnswer) -> tuple[str, str, Any]:
        """How the agent reads an answer: its decision, the reason, and the new arguments."""
        event = self.profile.parse_hook(self.pre())
        output = json.loads(self.profile.render_answer(event, answer))["hookSpecificOutput"]
        reason = output.get("permissionDecisionReason", "")
        return output["permissionDecision"], reason, output.get("updatedInput")

    def test_its_calls_have_an_identity(self) -> None:
        assert self.profile.call_identity is self.identity

    def test_a_shell_call_is_told_verbatim(self) -> None:
        command = "make test  # with 'quotes' and ünïcode"
        event = self.profile.parse_hook(self.pre(tool_input={"command": command}))
        assert event.phase == "pre"
        assert event.call is not None
        assert event.call.kind is ToolKind.SHELL
        assert event.call.command == command
        assert (event.call.agent_call_id == "call-1") is self.names_calls
        assert event.call.agent_call_id
        assert event.call.cwd == "/work"

    @pytest.mark.parametrize(
        "damage",
        [{"tool_use_id": ""}, {"tool_name": None}, {"tool_input": "ls"}, {"cwd": "relative"},
         {"tool_input": {}}, {"tool_input": {"command": 7}}, {"hook_event_name": "Unheard"}],
    )  # fmt: skip
    def test_a_call_that_cannot_be_judged_is_malformed(self, damage: dict[str, Any]) -> None:
        if not damage.keys() <= self.pre().keys():
            assert not self.names_calls
            return
        with pytest.raises(ValueError):  # noqa: PT011 - any wording will do
            self.profile.parse_hook(self.pre(**damage))

    def test_a_subagent_is_a_claim(self) -> None:
        event = self.profile.parse_hook(self.pre(agent_id="sub-1"))
        assert event.call is not None
        assert event.call.subagent == ("sub-1" if self.names_subagents else "")

    def test_mcp_calls_are_known(self) -> None:
        event = self.profile.parse_hook(self.pre(**self.of_mcp))
        assert event.call is not None
        assert event.call.kind is ToolKind.MCP
        assert event.call.tool == "mcp__files__read"

    def test_a_rewrite_is_handed_over_with_an_allowance(self) -> None:
        decision, _, arguments = self.told(HookAnswer(True, "", {"command": "new"}))
        assert decision == "allow"
        assert arguments == {"command": "new"}

    def test_a_denial_carries_its_reason(self) -> None:
        decision, reason, _ = self.told(HookAnswer(False, "because"))
        assert (decision, reason) == ("deny", "because")

    def test_the_end_of_a_turn_is_told(self) -> None:
        event = self.profile.parse_hook(self.pre(**self.of_turn_end))
        assert (event.phase, event.call) == ("turn_end", None)

    def test_options_that_drop_the_hooks_are_refused(self, tmp_path: Path) -> None:
        refused = self.profile.manifest.refuse  # type: ignore[attr-defined]
        assert refused
        asked = request(tmp_path, (self.executable,))
        for option in refused:
            argv = (self.executable, option)
            with pytest.raises(UsageError, match=option):
                self.profile.prepare(
                    LaunchRequest(
                        **{f: getattr(asked, f) for f in asked.__slots__} | {"argv": argv}
                    )
                )
        assert os.listdir(asked.task_dir) == []
