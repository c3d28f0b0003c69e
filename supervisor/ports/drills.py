"""How the doctor has an agent try what must be refused, its model played by the doctor itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Path(StrEnum):
    """The ways by which an agent's calls happen."""

    SHELL = "shell"
    FILE = "file"
    MCP = "MCP"
    BACKGROUND = "background"
    SUBAGENT = "subagent"


@dataclass(frozen=True, slots=True)
class DrillRequest:
    """What a profile is given to say how its agent is drilled.

    Attributes:
        model: base URL of the model that the doctor plays, without a slash at its end.
        project: where the agent will work; its owner trusts it.
        environ: of the person, whose settings it leads to.
        server: command of an MCP server over stdio with the one tool `mark`.
        marks: for each path the file that its call would make.
        prompt, errand: what the agent and what its subagent is told to do.
    """

    model: str
    project: str
    environ: Mapping[str, str]
    server: tuple[str, ...]
    marks: Mapping[Path, str]
    prompt: str
    errand: str


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call that the played model answers with."""

    tool: str
    input: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Drill:
    """How one agent is drilled.

    Attributes:
        api: how it speaks to its model: "anthropic" (Messages), "openai" (Responses), "chat"
            (Chat Completions) or "gemini" (generateContent).
        arguments: after its program, for one turn without a screen.
        environ: variables that lead it to that model.
        files: below a home of its own, relative path → content.
        uses: for each path the call that makes its mark; a subagent's is its own.
        spawn: the call that starts the subagent; None where the agent has none.
        suspects: what to look at when a path is open, as a next step.
        untried: why each of the paths that `uses` leaves out is not tried.
        names_subagents: whether its hooks tell a subagent's calls from its own.
    """

    api: str
    arguments: tuple[str, ...]
    environ: Mapping[str, str]
    uses: Mapping[Path, ToolUse]
    spawn: ToolUse | None
    suspects: str
    files: Mapping[str, str] = field(default_factory=dict)
    untried: Mapping[Path, str] = field(default_factory=dict)
    names_subagents: bool = True
