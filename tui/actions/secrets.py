"""Secrets that wait for a passphrase."""

from __future__ import annotations

from textual import work

from tui.screens.unlock import UnlockScreen
from tui.trunk import Trunk


class Secrets(Trunk):
    """That they are locked is told at the bottom of the workspace; nothing pops up by itself."""

    @work(group="unlock", exclusive=True)
    async def action_unlock(self) -> None:
        if not self.world.locked:
            self.say("No secret is locked.")
        elif await self.push_screen_wait(UnlockScreen(self.client)):
            self.say("The secrets are unlocked.")
