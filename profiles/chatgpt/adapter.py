"""ChatGPT, and any other remote MCP client: connected by the gateway, never started here.

Its tasks are the gateway's (`profiles.mcp_gateway`), one for each client that a person lets in.
"""

from __future__ import annotations

from collections.abc import Sequence

from profiles.manifest import load
from profiles.mcp_gateway.adapter import McpGateway
from supervisor.errors import UsageError
from supervisor.ports import LaunchPlan, LaunchRequest


class ChatGpt(McpGateway):
    """What it does is announced by the gateway; there is nothing of it to start."""

    name = "chatgpt"

    def __init__(self) -> None:
        self.manifest = load("chatgpt")

    def matches(self, argv: Sequence[str]) -> bool:
        return False

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        raise UsageError(
            "ChatGPT does not run here, so it cannot be started as a task.",
            hint="`taskpass agents chatgpt` tells how it is connected.",
        )
