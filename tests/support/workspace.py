"""What a person does in the workspace, key by key."""

from __future__ import annotations

from tests.support.terminal import Terminal

LEADER = "ctrl+backslash"


async def start(screen: Terminal, command: str, purpose: str) -> None:
    """Start a task with the workspace's dialog."""
    screen.press(LEADER, "n")
    await screen.shows("Agent or command")
    screen.type(command)
    screen.press("tab")
    screen.type(purpose)
    screen.press("enter")
    await screen.shows(rf"\d \S+ · ● working · {purpose}")
