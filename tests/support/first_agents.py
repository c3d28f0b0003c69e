"""Claude Code and Codex: how tests set up and start each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from profiles.codex.adapter import native_binary
from tests.support.agents import CLAUDE, CODEX, RealAgent
from tests.support.scripted_model import call
from tests.support.way import MODEL_KEY, NO_SERVERS, Servers, Setting, Way, by_command

_PATCH = "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: {}\n+hello\n*** End Patch\nEOF"


class ClaudeWay(Way):
    package, program = CLAUDE, "claude"
    headless, in_terminal = ("-p",), ()
    files = ("Write", "Edit", "Read")
    before, further = "PreToolUse", ("PostToolUse", "Stop")
    state = (".claude.json", ".claude/", ".cache/", ".config/", ".local/")

    def settle(self, at: Setting, servers: Servers = NO_SERVERS) -> None:
        """Somebody who has answered its first questions, and trusts the folder."""
        (at.home / ".claude").mkdir(exist_ok=True)
        trusted = {
            "hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True,
            "allowedTools": [],
        }  # fmt: skip
        state = {
            "hasCompletedOnboarding": True, "theme": "dark",
            "projects": {str(at.work): trusted}, "mcpServers": by_command(servers),
        }  # fmt: skip
        (at.home / ".claude.json").write_text(json.dumps(state))

    def environ(self, at: Setting) -> dict[str, str]:
        return {
            "ANTHROPIC_BASE_URL": at.model,
            "ANTHROPIC_AUTH_TOKEN": MODEL_KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }

    def shell(self, command: str) -> dict[str, Any]:
        return call("Bash", command=command, description="as told")

    def tools(self, folder: Path) -> Mapping[str, dict[str, Any]]:
        note = f"{folder}/note.txt"
        return {
            "Bash": self.shell("echo hello"),
            "Read": call("Read", file_path=note),
            "Write": call("Write", file_path=note, content="hello"),
            "Edit": call("Edit", file_path=note, old_string="hello", new_string="bye"),
            "WebFetch": call("WebFetch", url="https://example.com/page", prompt="what it says"),
            "Agent": call("Agent", description="look", prompt="look",
                          subagent_type="general-purpose"),
            "mcp": call("mcp__notes__get_note", name="one"),
        }  # fmt: skip


class CodexWay(Way):
    package, program = CODEX, "codex"
    headless, in_terminal = ("exec", "--skip-git-repo-check"), ()
    before, further = "PreToolUse", ("PostToolUse", "Stop")
    hook_dies_open = True
    state = (".cache/", ".config/", ".local/")

    def root(self, agent: RealAgent) -> tuple[str, ...]:
        return (native_binary(agent.argv[0]),)

    def settle(self, at: Setting, servers: Servers = NO_SERVERS) -> None:
        tables = [
            f'[mcp_servers.{name}]\ncommand = "{command}"\nargs = {json.dumps(words)}\n'
            for name, (command, *words) in servers.items()
        ]
        (at.home / ".codex").mkdir(exist_ok=True)
        (at.home / ".codex/config.toml").write_text(
            'model = "scripted"\nmodel_provider = "scripted"\n'
            "[model_providers.scripted]\n"
            'name = "scripted"\nwire_api = "responses"\nenv_key = "SCRIPTED_KEY"\n'
            f'base_url = "{at.model}/v1"\nrequest_max_retries = 0\n'
            # Both would look for their maker's servers; these tests stay on loopback.
            "[features]\nplugins = false\napps = false\n"
            f'[projects."{at.work}"]\ntrust_level = "trusted"\n' + "".join(tables)
        )
        (at.home / ".codex/auth.json").write_text("{}")

    def environ(self, at: Setting) -> dict[str, str]:
        return {"SCRIPTED_KEY": MODEL_KEY}

    def shell(self, command: str) -> dict[str, Any]:
        return call("exec_command", cmd=command, yield_time_ms=30_000)

    def tools(self, folder: Path) -> Mapping[str, dict[str, Any]]:
        return {
            "Bash": self.shell("echo hello"),
            "apply_patch": self.shell(_PATCH.format(f"{folder}/note.txt")),
            "view_image": call("view_image", path=f"{folder}/picture.png"),
            "spawn_agent": call("multi_agent_v1.spawn_agent", message="look"),
            "mcp": call("mcp__notes.get_note", name="one"),
        }
