"""Freezing, thawing and revoking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from textual import work

from supervisor.errors import TaskpassError
from supervisor.model import TaskState
from supervisor.protocol import wire
from tui.reckoning import Reckoning
from tui.screens.grants import GrantsDialog
from tui.screens.revoked import RevokedScreen
from tui.text import plural, task_state
from tui.trunk import Trunk
from tui.world import is_gone


class Access(Trunk):
    """What takes access away, or holds it where it is."""

    def action_grants(self) -> None:
        self.push_screen(GrantsDialog(self.view()))

    def action_freeze(self) -> None:
        task = self.view().task
        if task is None:
            self.say("There is no task to freeze.")
        elif is_gone(task):
            self.say(f"Task {task.called} is {task.state}: there is nothing to freeze.")
        else:
            self._freeze(task)

    def action_revoke(self) -> None:
        task = self.view().task
        if task is None:
            self.say("There is no task to revoke.")
        else:
            self._revoke(task)

    @work(group="freeze")
    async def _freeze(self, task: wire.TaskView) -> None:
        thaw = task_state(task.state) is TaskState.FROZEN
        try:
            if thaw:
                await self.client.thaw_task(task.id)
            else:
                await self.client.freeze_task(task.id)
        except TaskpassError as error:
            self.say(str(error), bad=True)
        else:
            self.say(f"Task {task.called} " + ("goes on." if thaw else "is frozen."))

    def _revoke(self, task: wire.TaskView) -> None:
        self._revoke_tasks(f"task {task.called}", [task], lambda: self.client.revoke_task(task.id))

    def revoke_all(self) -> None:
        live = [task for task in self.world.agents() if not is_gone(task)]
        self._revoke_tasks("every task", live, self.client.revoke_all)

    @work(group="revoke")
    async def _revoke_tasks(
        self,
        what: str,
        tasks: Sequence[wire.TaskView],
        ask: Callable[[], Awaitable[wire.RevokedView]],
    ) -> None:
        """Take it away, and show what is confirmed dead and what is not yet."""
        reckoning = Reckoning(self.world, tasks)
        self.push_screen(RevokedScreen(what, reckoning, self.view()))
        try:
            reckoning.answer = await ask()
        except TaskpassError as error:
            reckoning.problem = str(error)
        self.draw()

    @work(group="revoke")
    async def on_grants_dialog_revoke(self, message: GrantsDialog.Revoke) -> None:
        """Say that it goes on, and then in its place what it came to."""
        self.say(f"revoking {message.credential}…")
        try:
            outcome = _revoked(await self.client.revoke_grant(message.grant))
        except TaskpassError as error:
            self.clear_notifications()
            self.say(str(error), bad=True)
        else:
            self.clear_notifications()
            self.say(outcome)


def _revoked(view: wire.RevokedView) -> str:
    sentence = f"revoked: {plural(view.leases_dead, 'lease')} dead in {view.took_ms:.0f} ms"
    if view.leases_unconfirmed:
        sentence += f", {view.leases_unconfirmed} unconfirmed"
    if view.connections_cut:
        sentence += f", {plural(view.connections_cut, 'connection')} cut"
    return sentence
