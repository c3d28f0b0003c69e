"""Questions of the MCP gateway that are about no call, and who answers its reports."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from supervisor.grants.book import TaskEntry
from supervisor.intake import reports
from supervisor.intake.reports import Report
from supervisor.model import Call, Decision, ToolCall, ToolKind, new_id

if TYPE_CHECKING:
    from supervisor.core import Engine


def gateway_reports(engine: Engine, file: Path) -> Mapping[str, Report]:
    """What answers them, by phase. `file` keeps the pins."""
    from supervisor.calls.definitions import ToolDefinitions
    from supervisor.calls.visitors import Visitors

    return {
        "definitions": reports.definitions(ToolDefinitions.of(engine, file)),
        "visitor": reports.visitors(Visitors(engine)),
    }


def question(entry: TaskEntry, tool: str, words: str, decision: Decision, now: float) -> Call:
    """What a question is about where no call is open for it, and none will be."""
    resource = decision.about[0].resource
    bound = hashlib.sha256(f"{tool}\0{resource}\0{words}".encode()).hexdigest()
    return Call(
        id=new_id("c"),
        task=entry.task.id,
        epoch=entry.epoch,
        tool_call=ToolCall("", tool, ToolKind.MCP, {}, entry.task.cwd, command=words),
        call_hash=f"sha256:{bound}",
        effects=decision.about,
        decision=decision,
        opened=now,
        identity=entry.task.agent.call_identity,
    )
