"""What every good terminal program has: a palette, help, a way out."""

from __future__ import annotations

from collections.abc import Callable

from tui.keymap import COMMANDS
from tui.screens.dialog import HelpPage, IdentityPage
from tui.text import plural
from tui.trunk import Trunk
from tui.world import is_gone


class Habits(Trunk):
    """Pages that tell, and leaving."""

    def action_identity(self) -> None:
        task = self.view().task
        if task is not None:
            self.push_screen(IdentityPage(task))

    def action_palette(self) -> None:
        self.search_commands(
            [
                (command.title, self._runner(command.name), command.help)
                for command in COMMANDS
                if command.name != "palette"
            ],
            placeholder="Find a command…",
        )

    def _runner(self, name: str) -> Callable[[], object]:
        return lambda: self.run_action(name)

    def action_help(self) -> None:
        self.push_screen(HelpPage())

    def action_detach(self) -> None:
        running = sum(1 for task in self.world.tasks.values() if not is_gone(task))
        goes_on = "goes on" if running == 1 else "go on"
        self.leave(
            None, f"{plural(running, 'task')} {goes_on}. `taskpass` returns." if running else ""
        )
