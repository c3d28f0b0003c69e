"""What agents tell of their subagents: who brought one, and that its part is done. As recorded."""

from __future__ import annotations

from typing import Any

import pytest

from profiles.claude_code.adapter import ClaudeCode
from profiles.codex.adapter import Codex
from supervisor.ports import HookEvent, Profile

_CODEX_ID = "01a2090e-d19e-7193-a404-94fa6038d7b6"


def told(profile: Profile, name: str, **more: Any) -> HookEvent:
    return profile.parse_hook({"hook_event_name": name, "session_id": "s", "cwd": "/work", **more})


def spawned(profile: Profile, tool: str, response: Any) -> HookEvent:
    return told(
        profile, "PostToolUse", tool_name=tool, tool_input={}, tool_use_id="t-1",
        tool_response=response,
    )  # fmt: skip


@pytest.mark.parametrize("status", ["async_launched", "completed"])
def test_claude_code_names_whom_a_call_brought(status: str) -> None:
    event = spawned(ClaudeCode(), "Agent", {"status": status, "agentId": "a15b65340a7f42f85"})
    assert event.spawned == "a15b65340a7f42f85"


def test_codex_names_whom_a_call_brought() -> None:
    answer = f'{{"agent_id":"{_CODEX_ID}","nickname":"Bernoulli"}}'
    assert spawned(Codex(), "spawn_agent", answer).spawned == _CODEX_ID


@pytest.mark.parametrize("response", [None, "", "no", "[]", '{"agent_id": 1}', {"agentId": 1}, []])
@pytest.mark.parametrize(("profile", "tool"), [(ClaudeCode(), "Agent"), (Codex(), "spawn_agent")])
def test_an_answer_that_names_nobody_brings_nobody(
    profile: Profile, tool: str, response: Any
) -> None:
    assert spawned(profile, tool, response).spawned == ""


@pytest.mark.parametrize("profile", [ClaudeCode(), Codex()])
def test_its_end_is_its_own(profile: Profile) -> None:
    ends = told(profile, "SubagentStop", agent_id="a1")
    assert (ends.phase, ends.subagent) == ("turn_end", "a1")
    assert told(profile, "SubagentStop").phase == "notice"  # whose? not the agent's own
    assert told(profile, "Stop").subagent == ""


def test_what_codex_asks_its_subagent_is_not_the_persons_prompt() -> None:
    assert told(Codex(), "UserPromptSubmit", prompt="go").phase == "prompt"
    assert told(Codex(), "UserPromptSubmit", prompt="go", agent_id="a1").phase == "notice"
