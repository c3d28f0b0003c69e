"""The history, and what tasks left to be reviewed."""

from __future__ import annotations

from textual import work

from supervisor.errors import TaskpassError
from supervisor.protocol import wire
from tui.screens.changes import ChangesScreen
from tui.screens.history import HistoryScreen
from tui.text import plural
from tui.trunk import Trunk


class Reviewing(Trunk):
    """What has been done, looked at afterwards."""

    def action_history(self) -> None:
        self.push_screen(HistoryScreen(self.client, self.view()))

    @work(group="changes", exclusive=True)
    async def action_changes(self) -> None:
        """Show what a task left in its overlay: the focused one's, else the oldest."""
        task = self.view().task
        try:
            sets = [each for each in await self.client.changes() if not each.running]
            if not sets:
                self.say("There are no changes to review.")
                return
            chosen = next((s for s in sets if task is not None and s.task == task.id), sets[0])
            found = await self.client.change_set(chosen.task, diff=True)
            self.say(await self._review(found))
        except TaskpassError as error:
            self.say(str(error), bad=True)

    async def _review(self, found: wire.ChangeSetView) -> str:
        """Let the person decide; what came of it, in words."""
        decided = await self.push_screen_wait(ChangesScreen(found))
        if decided is None:
            return "The changes wait."
        if decided == "drop":
            await self.client.drop_changes(found.task)
            return "The changes are dropped."
        safe = tuple(c.path for c in found.changes if not c.risk and not c.conflict)
        if decided == "safe" and not safe:
            return "Every change wants a second look: apply them all, or by name."
        wanted = (
            wire.ApplyChanges(paths=safe) if decided == "safe" else wire.ApplyChanges(risky=True)
        )
        done = await self.client.apply_changes(found.task, wanted)
        left = f", {done.left} left" if done.left else ""
        return f"{plural(done.applied, 'change')} applied{left}."
