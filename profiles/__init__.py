"""One folder per agent: `profile.toml` (what is known) and `adapter.py` (how it speaks)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from supervisor.errors import UsageError
from supervisor.ports import Profile


@cache
def all_profiles() -> tuple[Profile, ...]:
    """Every profile; `generic`, which matches any program, is last."""
    from profiles.acp.adapter import Acp
    from profiles.chatgpt.adapter import ChatGpt
    from profiles.claude_code.adapter import ClaudeCode
    from profiles.codex.adapter import Codex
    from profiles.copilot.adapter import Copilot
    from profiles.cursor.adapter import Cursor
    from profiles.demo.adapter import Demo
    from profiles.gemini.adapter import GeminiCli
    from profiles.generic.adapter import Generic
    from profiles.mcp_gateway.adapter import McpGateway
    from profiles.openclaw.adapter import OpenClaw
    from profiles.opencode.adapter import OpenCode
    from profiles.pi.adapter import Pi
    from profiles.qwen.adapter import QwenCode
    from profiles.sandbox.adapter import Sandbox

    return (
        ClaudeCode(), Codex(), Cursor(), OpenCode(), Copilot(), GeminiCli(), OpenClaw(), Pi(),
        QwenCode(), Acp(), Demo(), McpGateway(), ChatGpt(), Sandbox(), Generic(),
    )  # fmt: skip


def find(argv: Sequence[str], name: str = "") -> Profile:
    """The profile called `name`, or without a name the first that recognises `argv`.

    Raises:
        UsageError: no profile has that name.
    """
    profiles = all_profiles()
    if name:
        for profile in profiles:
            if profile.name == name:
                return profile
        known = ", ".join(profile.name for profile in profiles)
        raise UsageError(f"There is no profile {name!r}.", hint=f"Known profiles: {known}.")
    return next(profile for profile in profiles if profile.matches(argv))
