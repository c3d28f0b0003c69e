"""The effect of an MCP tool."""

from __future__ import annotations

from supervisor.model import Effect, Verb


def mcp_effect(tool: str) -> Effect:
    """`mcp__server__tool` as the resource `server.tool`, with both as attributes."""
    server, _, name = tool.removeprefix("mcp__").partition("__")
    return Effect(Verb.MCP, f"{server}.{name}", {"server": server, "tool": name})
