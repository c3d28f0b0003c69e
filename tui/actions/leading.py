"""The leader: keys that are taken before any widget sees them, and what they start."""

from __future__ import annotations

import time

from textual import events, work

from supervisor.errors import TaskpassError
from tui import lines
from tui.actions.access import Access
from tui.keymap import PANIC_SECONDS
from tui.screens.leader import LeaderDialog
from tui.trunk import Trunk


class Leading(Access, Trunk):
    """Decides before any widget sees a key, so that a chord typed in one burst never ends half
    in a pane.
    """

    _leading = False
    _panic_until = 0.0

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and not event.is_forwarded:
            if not self.app_focus:
                # The terminal had lost the focus and did not say that it is back.
                self.main.dock.rearm()
            top = self.screen
            if isinstance(top, LeaderDialog) and top.captures(event.key):
                return
            if await self._lead(event.key):
                return
        await super().on_event(event)

    async def _lead(self, key: str) -> bool:
        """Whether a key is the leader, or follows it, and has been dealt with here."""
        if not self._leading:
            if not self.settings.keys.leads(key):
                return await self._at_rest(key)
            self._leading = True
            self._show_leader_keys()
            return True
        keys = self.settings.keys
        command = keys.follows(key)
        panicking = time.monotonic() < self._panic_until
        self._stop_leading()
        if panicking:
            # Whatever else is pressed now was not meant for a pane, nor as a command.
            if command is not None and command.name == "panic":
                self.revoke_all()
            elif keys.leads(key):
                self._leading = True
                self._show_leader_keys()
        elif keys.leads(key):
            self.main.panes.press(keys.leader)
        elif key.isdecimal():
            self._show_number(int(key))
        elif command is not None:
            await self.run_action(command.name)
        return True

    async def _at_rest(self, key: str) -> bool:
        """Whether a key was a command by itself: where no task is, nobody else wants keys."""
        command = self.settings.keys.follows(key)
        busy = self.world.tasks or self.shape != "workspace" or self.screen is not self.main
        if busy or command is None or not self._known:
            return False
        await self.run_action(command.name)
        return True

    def _show_leader_keys(self) -> None:
        self.to_main()
        self.main.show_keys(lines.which_key(self.settings.keys, self.size.width))

    def _stop_leading(self) -> None:
        self._leading = False
        self._panic_until = 0.0
        self.main.show_keys(None)

    def _show_number(self, number: int) -> None:
        task = self.world.numbered(number)
        if task is None:
            self.say(f"There is no task {number}.")
        elif self.shape == "workspace":
            self.show_task(task.id)

    def action_panic(self) -> None:
        """Freeze everything, and listen for a second X."""
        self._leading = True
        self._panic_until = time.monotonic() + PANIC_SECONDS
        self.to_main()
        self._show_panic()
        self.set_timer(PANIC_SECONDS, self._calm)
        self._freeze_all()

    def draw(self) -> None:
        super().draw()
        if self._panic_until:
            self._show_panic()

    def _show_panic(self) -> None:
        """Which tasks stand still by now, and how long a second X counts."""
        left = max(0.0, self._panic_until - time.monotonic())
        self.main.show_keys(lines.panic_keys(self.view(), left, self.size.width))

    def _calm(self) -> None:
        if self._panic_until and time.monotonic() >= self._panic_until:
            self._stop_leading()

    @work(group="freeze")
    async def _freeze_all(self) -> None:
        try:
            await self.client.freeze_all()
        except TaskpassError as error:
            self.say(str(error), bad=True)
        else:
            self.say("Every task is frozen.")
