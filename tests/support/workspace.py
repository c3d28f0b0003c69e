"""What a person does in the workspace, key by key."""

from __future__ import annotations

from tests.support.terminal import Terminal

LEADER = "ctrl+backslash"
LIVE = "(● working|○ idle)"  # as a tile tells it; a shell that waits is idle soon


async def start(screen: Terminal, command: str, purpose: str) -> None:
    """Start a task with the workspace's dialog."""
    screen.press(LEADER, "n")
    await screen.shows("Agent or command")
    screen.type(command)
    screen.press("tab")
    screen.type(purpose)
    screen.press("enter")
    await screen.shows(rf"\d \S+ · {LIVE} · {purpose}")
