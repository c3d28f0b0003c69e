"""Rules about MCP tools by server, tool and arguments."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.effects import effects_of
from supervisor.effects.files import Place
from supervisor.model import Outcome, ToolCall, ToolKind
from supervisor.policy.engine import CedarEngine
from supervisor.policy.files import preset_sources
from supervisor.policy.source import Layer, PolicySource
from tests.support.judging import situation

MINE = PolicySource(
    "mine.cedar",
    '@id("mine/owner") forbid (principal, action == Action::"mcp", resource)'
    ' when { context.server == "tracker" }'
    ' unless { context.arguments like "*\\nowner=acme\\n*" };'
    '@id("mine/comment") permit (principal, action == Action::"mcp",'
    ' resource == Tool::"tracker.add_comment");',
    Layer.USER,
)


@pytest.mark.parametrize(
    ("tool", "arguments", "outcome"),
    [
        ("get_issue", {"owner": "acme"}, Outcome.ALLOW),
        ("get_issue", {"owner": "evil"}, Outcome.DENY),
        ("get_issue", {"owner": "evil", "note": "x\nowner=acme\n"}, Outcome.DENY),
        ("get_issue", {"owner": "evil", "at": {"owner": "acme"}}, Outcome.DENY),
        ("get_issue", {"owner": "acme", "pad": "x" * 9000}, Outcome.DENY),
        ("add_comment", {"owner": "acme"}, Outcome.ALLOW),
        ("delete_issue", {"owner": "acme"}, Outcome.ASK),
    ],
)
def test_a_rule_can_name_an_argument(
    tool: str, arguments: dict[str, Any], outcome: Outcome
) -> None:
    engine = CedarEngine([*preset_sources("standard"), MINE])
    call = ToolCall("", f"mcp__tracker__{tool}", ToolKind.MCP, arguments, "/w")
    assert engine.decide(effects_of(call, Place.of("/w")), situation("/w")).outcome is outcome
