"""Codex's profile: configuration, trust, options, patches."""

from __future__ import annotations

import os
import pwd
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from profiles.codex import requirements
from profiles.codex.adapter import Codex, native_binary
from profiles.codex.config import trusted_hash
from profiles.files import hook_command
from supervisor.errors import ConfigError, LaunchFailed, UsageError
from supervisor.model import ToolCall, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest, Mount


def launch(
    tmp_path: Path, *arguments: str, config: str = "", contained: bool = True, **environ: str
) -> LaunchPlan:
    for name in ("task", "home/.codex", "work", "package/bin"):
        (tmp_path / name).mkdir(exist_ok=True, parents=True)
    (tmp_path / "package/codex-package.json").write_text('{"version": "0.169.0"}')
    (tmp_path / "package/bin/codex").touch()
    if config:
        (tmp_path / "home/.codex/config.toml").write_text(config)
    return Codex().prepare(
        LaunchRequest(
            task="t", argv=(str(tmp_path / "package/bin/codex"), *arguments),
            cwd=str(tmp_path / "work"), home=str(tmp_path / "home"),
            environ={"PATH": "/bin", **environ}, task_dir=str(tmp_path / "task"),
            hook_url="http://127.0.0.1:1/t", hook_timeout=600, contained=contained,
            interactive=False,
        )
    )  # fmt: skip


def configuration(plan: LaunchPlan) -> dict[str, Any]:
    return tomllib.loads(Path(plan.env["CODEX_HOME"], "config.toml").read_text())


def test_trust_is_what_codex_computes() -> None:
    """Recorded from 0.169.0: app-server, hooks/list, currentHash."""
    command = "/bin/sh /opt/hook.sh http://h/é 12"
    assert trusted_hash("pre_tool_use", ".*", command, 600) == (
        "sha256:6c0baca5766c872b937169dc05ea634e4142ed7ea0ed1d4ff2bf50946210c155"
    )
    assert trusted_hash("stop", "", command, 15) == (
        "sha256:0bcc36966ca1cca82e6d90e536bb9c858a52e88147d45c0e1d2cb24c34c077fb"
    )


def test_our_hooks_replace_what_would_take_them_away(tmp_path: Path) -> None:
    own = (
        'model = "big"\napproval_policy = "on-request"\n[features]\nhooks = false\nweb = true\n'
        '[[hooks.PreToolUse]]\n[[hooks.PreToolUse.hooks]]\ntype = "command"\ncommand = "mine"\n'
        '[shell_environment_policy]\nexclude = ["MINE"]\n'
        '[model_providers.p]\nenv_key = "P_KEY"\n'
    )
    config = configuration(launch(tmp_path, "exec", "x", config=own))
    assert config["model"] == "big"
    assert config["approval_policy"] == "never"
    assert config["features"] == {"hooks": True, "web": True, "daemon_auto_start": False}
    (group,) = config["hooks"]["PreToolUse"]
    assert "http://127.0.0.1:1/t/PreToolUse" in group["hooks"][0]["command"]
    assert {"MINE", "P_KEY", "OPENAI_API_KEY"} <= set(config["shell_environment_policy"]["exclude"])
    assert (tmp_path / "home/.codex/config.toml").read_text() == own


def test_the_hook_gives_up_before_codex_does(tmp_path: Path) -> None:
    hook = configuration(launch(tmp_path))["hooks"]["PreToolUse"][0]["hooks"][0]
    assert int(hook["command"].split()[-1]) < hook["timeout"] == 600


def held_by(plan: LaunchPlan) -> tuple[str, str]:
    """Codex's own sandbox, and its network switch, as the command line settles them."""
    words = plan.argv
    said = [words[at + 1] for at, word in enumerate(words) if word == "-c"]
    switches = dict(word.split("=", 1) for word in said)
    return (
        switches["sandbox_mode"].strip('"'),
        switches["sandbox_workspace_write.network_access"],
    )


def test_contained_ours_holds_and_its_own_is_off_whatever_is_configured(tmp_path: Path) -> None:
    for at, config in enumerate((
        "", 'sandbox_mode = "read-only"', 'default_permissions = ":workspace"',
    )):  # fmt: skip
        plan = launch(tmp_path / str(at), "exec", "x", config=config)
        assert held_by(plan)[0] == "danger-full-access"
        assert configuration(plan)["sandbox_mode"] == "danger-full-access"
        assert plan.agent_sandbox == "off (nested not possible)"
        assert plan.tools_online


@pytest.mark.parametrize(
    "words", [("--sandbox", "workspace-write"), ("-sread-only",), ("--sandbox=read-only",),
              ("-c", 'sandbox_mode = "read-only"'), ("--config=default_permissions=:workspace",),
              ("--approve-for-me",)],
)  # fmt: skip
def test_contained_a_sandbox_on_the_command_line_is_refused(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match="cannot start inside a contained task"):
        launch(tmp_path, "exec", *words, "x")


@pytest.mark.parametrize(
    ("config", "words", "mode", "network"),
    [
        ("", (), "workspace-write", "false"),
        ("[sandbox_workspace_write]\nnetwork_access = true", (), "workspace-write", "true"),
        ('sandbox_mode = "read-only"', (), "read-only", "false"),
        ('default_permissions = ":read-only"', (), "read-only", "false"),
        ('sandbox_mode = "read-only"', ("--sandbox", "workspace-write"), "workspace-write",
         "false"),
        ("", ("-c", "sandbox_workspace_write.network_access=true"), "workspace-write", "true"),
        ("", ("--yolo",), "danger-full-access", "false"),
    ],
)  # fmt: skip
def test_uncontained_its_own_sandbox_stays_as_the_person_has_it(
    tmp_path: Path, config: str, words: tuple[str, ...], mode: str, network: str
) -> None:
    plan = launch(tmp_path, "exec", *words, "x", config=config, contained=False)
    assert held_by(plan) == (mode, network)
    # Where its commands cannot reach us, nothing is promised to them.
    online = mode == "danger-full-access" or network == "true"
    assert plan.tools_online is online
    assert ("no network" in plan.agent_sandbox) is not online


def test_a_permission_profile_of_the_persons_is_left_to_codex(tmp_path: Path) -> None:
    own = 'default_permissions = "mine"\n[permissions.mine.network]\nenabled = true\n'
    plan = launch(tmp_path, config=own, contained=False)
    assert "sandbox_mode" not in configuration(plan)
    assert not any("sandbox_mode" in word for word in plan.argv)
    assert not plan.tools_online, "what it cannot tell counts as closed"


def test_only_the_interactive_program_is_told_to_stay_out_of_the_server(tmp_path: Path) -> None:
    assert "--no-daemon" in launch(tmp_path / "a").argv
    assert "--no-daemon" in launch(tmp_path / "b", "resume", "--last").argv
    assert "--no-daemon" not in launch(tmp_path / "c", "exec", "x").argv


@pytest.mark.parametrize(
    "arguments",
    [("--disable", "hooks"), ("--disable=hooks",), ("-c", "features.hooks=false"),
     ("-cfeatures.hooks=false",), ("--config", "hooks={}"), ("--config=features={hooks=false}",),
     ("-c", ' "features" . hooks = false'), ("-c", "hooks.state={}")],
)  # fmt: skip
def test_the_command_line_cannot_take_the_hooks_away(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match="hooks changed"):
        launch(tmp_path, "exec", *arguments, "x")


def test_other_options_and_prompts_are_left_alone(tmp_path: Path) -> None:
    arguments = ("exec", "-c", "model=x", "--disable", "plugins", "--", "--disable", "hooks")
    assert launch(tmp_path, *arguments).argv[-len(arguments) :] == arguments


def test_only_state_is_writable(tmp_path: Path) -> None:
    (tmp_path / "home/.codex").mkdir(parents=True)
    (tmp_path / "home/.codex/auth.json").write_text("{}")
    plan = launch(tmp_path)
    home = plan.env["CODEX_HOME"]
    assert Mount(home, writable=True) in plan.mounts
    assert plan.mounts.index(Mount(f"{home}/config.toml")) > plan.mounts.index(
        Mount(home, writable=True)
    )
    assert Mount(str(tmp_path / "home/.codex/auth.json"), writable=True) in plan.mounts
    assert Path(home, "auth.json").readlink() == tmp_path / "home/.codex/auth.json"


def test_a_malformed_configuration_is_named_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml.*line 1"):
        launch(tmp_path, config="model = = 1\n")


def test_the_model_is_where_the_person_said(tmp_path: Path) -> None:
    assert "api.openai.com:443" in launch(tmp_path / "a").model_hosts
    own = 'model_provider = "p"\n[model_providers.p]\nbase_url = "http://localhost:9/v1"\n'
    assert launch(tmp_path / "b", config=own).model_hosts == ("localhost:9",)


def test_an_untested_version_runs_its_hooks_regardless_of_trust(tmp_path: Path) -> None:
    assert "--dangerously-bypass-hook-trust" not in launch(tmp_path).argv
    options = Codex()._options("0.170.0", ["exec"])
    assert "--dangerously-bypass-hook-trust" in options


def test_npm_without_a_binary_is_said(tmp_path: Path) -> None:
    wrapper = tmp_path / "@openai/codex/bin/codex.js"
    wrapper.parent.mkdir(parents=True)
    wrapper.touch()
    with pytest.raises(LaunchFailed, match="no binary"):
        native_binary(str(wrapper))


PATCH = (
    "*** Begin Patch\n*** Add File: new.txt\n+hi\n*** Update File: a/b.py\n*** Move to: a/c.py\n"
    "@@\n-x\n+y\n*** Delete File: /etc/passwd\n*** End Patch"
)


def parsed(tool: str, arguments: dict[str, Any]) -> ToolCall:
    call = Codex().parse_hook({
        "hook_event_name": "PreToolUse", "cwd": "/work", "tool_name": tool,
        "tool_input": arguments, "tool_use_id": "1",
    }).call  # fmt: skip
    assert call is not None
    return call


@pytest.mark.parametrize(
    ("tool", "command"), [("apply_patch", PATCH), ("Bash", f"apply_patch <<'EOF'\n{PATCH}\nEOF")]
)
def test_a_patch_names_every_file_it_touches(tool: str, command: str) -> None:
    call = parsed(tool, {"command": command})
    assert call.kind is ToolKind.WRITE
    assert set(call.paths) == {"/work/new.txt", "/work/a/b.py", "/work/a/c.py", "/etc/passwd"}


def test_a_patch_without_files_is_malformed() -> None:
    with pytest.raises(ValueError, match="without files"):
        parsed("apply_patch", {"command": "*** Begin Patch\n*** End Patch"})


def test_silence_allows() -> None:
    assert Codex().render_answer(HookEvent("pre"), HookAnswer(True)) == b""


def test_images_and_subagents() -> None:
    assert parsed("view_image", {"path": "x.png"}).paths == ("/work/x.png",)
    assert parsed("multi_agent_v1.spawn_agent", {"message": "go"}).kind is ToolKind.AGENT


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_a_hook_is_a_child_of_codex_whatever_shell_the_account_has(
    shell: str, tmp_path: Path
) -> None:
    script = tmp_path / "hook.sh"
    script.write_text("echo $PPID; :\n")
    command = hook_command(str(script), "http://127.0.0.1:1/t", "Stop", 10)
    done = subprocess.run([shell, "-c", command], capture_output=True, text=True, check=True)
    assert int(done.stdout) == os.getpid()


@pytest.mark.parametrize("shell", ["/bin/sh", "/usr/bin/zsh", "/usr/bin/fish"])
def test_a_command_runs_in_bash_whatever_shell_the_account_has(
    shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is put before it is for bash alone."""
    account = pwd.struct_passwd(("ana", "x", 1000, 1000, "", "/home/ana", shell))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: account)
    call = ToolCall(
        "1", "Bash", ToolKind.SHELL, {"command": "x"}, "/", "[[ 'a b' == a* ]] && echo $$"
    )
    rewritten = Codex().with_prefix(call, "shopt -q extglob || true\n")["command"]
    shown = subprocess.Popen(["/bin/sh", "-c", rewritten], stdout=subprocess.PIPE, text=True)
    told, _ = shown.communicate()
    assert int(told) == shown.pid  # the very process that Codex started


def required(plan: LaunchPlan) -> dict[str, Any]:
    """What Codex finds as this machine's requirements, in a container of tier A."""
    (mount,) = [each for each in plan.mounts if each.path == str(requirements.FILE)]
    assert mount.optional
    assert not mount.writable
    return tomllib.loads(Path(mount.source).read_text())


def test_our_hooks_are_required_where_we_can_show_that(tmp_path: Path) -> None:
    plan = launch(tmp_path)
    told = required(plan)
    assert told["allow_managed_hooks_only"] is True
    assert told["features"] == {"hooks": True}
    assert told["hooks"]["managed_dir"] == str(tmp_path / "task")
    own = configuration(plan)["hooks"]
    assert {event: told["hooks"][event] for event in own if event != "state"} == {
        event: own[event] for event in own if event != "state"
    }
    assert "state" not in told["hooks"]


def test_what_the_machine_requires_holds_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = tmp_path / "requirements.toml"
    monkeypatch.setattr(requirements, "FILE", machines)
    machines.write_text(
        'allowed_web_search_modes = ["cached"]\n[features]\nhooks = false\napps = false\n'
        '[hooks]\nmanaged_dir = "/opt/hooks"\n[[hooks.PreToolUse]]\nmatcher = "Bash"\n'
        '[[hooks.PreToolUse.hooks]]\ntype = "command"\ncommand = "/opt/hooks/theirs"\n'
    )
    told = required(launch(tmp_path))
    assert told["allowed_web_search_modes"] == ["cached"]
    assert told["features"] == {"hooks": True, "apps": False}
    assert told["hooks"]["managed_dir"] == "/opt/hooks"
    theirs, ours = told["hooks"]["PreToolUse"]
    assert theirs["hooks"][0]["command"] == "/opt/hooks/theirs"
    assert "codex-hook.sh" in ours["hooks"][0]["command"]


def test_requirements_that_cannot_be_read_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "FILE", tmp_path / "requirements.toml")
    requirements.FILE.write_text("[")
    with pytest.raises(ConfigError, match=r"requirements\.toml"):
        launch(tmp_path)
