"""All agents that run for real in tests, and which of them always do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from tests.support.first_agents import ClaudeWay, CodexWay
from tests.support.further_agents import CopilotWay, GeminiWay, OpenCodeWay, QwenWay
from tests.support.plugin_agents import OpenClawWay, PiWay
from tests.support.way import NO_SERVERS, Servers, Setting, Way

_ALL = (
    ClaudeWay(), CodexWay(), OpenCodeWay(), CopilotWay(), GeminiWay(), QwenWay(), PiWay(),
    OpenClawWay(),
)  # fmt: skip
WAYS: Mapping[str, Way] = {way.package.label: way for way in _ALL}
ALWAYS = ("claude-code", "codex")
FURTHER = tuple(label for label in WAYS if label not in ALWAYS)


def agents(labels: Iterable[str] = tuple(WAYS)) -> list[Any]:
    """Their labels as parameters of a test: those that do not always run in the long form."""
    return [pytest.param(label, marks=marks(label)) for label in labels]


def marks(label: str) -> list[pytest.MarkDecorator]:
    """What is said of a test with this agent."""
    if label in ALWAYS:
        return []
    # One turn of it takes most of a minute.
    return [pytest.mark.full, pytest.mark.timeout(400 if label == "openclaw" else 180)]


def settle(label: str, at: Setting, servers: Servers = NO_SERVERS) -> None:
    """Write its person's settings. Whoever has Claude Code or Codex here has both."""
    for each in ALWAYS if label in ALWAYS else (label,):
        WAYS[each].settle(at, servers if each == label else NO_SERVERS)
