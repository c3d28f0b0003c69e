"""What every good terminal program has: a palette, help, themes, its keys; a way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from textual import events, work
from textual.keys import key_to_character

from supervisor.errors import TaskpassError
from tui import settings, themes
from tui.keymap import PRESETS, shown
from tui.screens.dialog import IdentityPage
from tui.screens.help import HelpPage
from tui.screens.leader import LeaderDialog
from tui.text import one_line, plural
from tui.trunk import Trunk
from tui.widgets.jump import JumpOverlay
from tui.world import is_gone

Entry = tuple[str, Callable[[], object], str]  # name, what it does, more about it


class Habits(Trunk):
    """Pages that tell, choices that are kept, and leaving."""

    def action_identity(self) -> None:
        task = self.view().task
        if task is not None:
            family = self.world.family(task.id) - {task.id}
            below = [one for one in self.world.in_order() if one.id in family]
            self.push_screen(IdentityPage(task, below))

    def action_help(self) -> None:
        self.push_screen(HelpPage(self.settings.keys))

    def action_detach(self) -> None:
        running = sum(1 for task in self.world.agents() if not is_gone(task))
        goes_on = "goes on" if running == 1 else "go on"
        self.leave(
            None, f"{plural(running, 'task')} {goes_on}. `taskpass` returns." if running else ""
        )

    # ── The palette ─────────────────────────────────────────────────────────────────────

    def action_palette(self) -> None:
        self.search_commands(list(self._entries()), placeholder="Find a command…")

    def _entries(self) -> Iterator[Entry]:
        """Everything that can be done from here, the keys' commands first."""
        keys = self.settings.keys
        for command in keys.commands:
            if command.name != "palette":
                about = f"{keys.chord(command.name)}  {command.help}"
                yield command.title, self._runner(command.name), about
        for task in self.world.in_order():
            name = f"Show task {task.called}: {one_line(task.purpose) or 'no purpose given'}"
            about = f"{keys.leader_shown} {task.called}" if 0 < task.number < 10 else "its pane"
            yield name, self._runner(f"show('{task.id}')"), f"{about}  {task.state}"
        for name, look in themes.LOOKS.items():
            now = "in force: " if name == self.theme else ""
            yield f"Theme: {name}", self._runner(f"theme('{name}')"), now + look.about
        for name, preset in PRESETS.items():
            yield f"Keymap: {name}", self._runner(f"keymap('{name}')"), preset.about
        yield (
            "Leader: press another key",
            self._runner("leader"),
            f"now {keys.leader_shown}; F12 is always one too",
        )

    def _runner(self, name: str) -> Callable[[], object]:
        return lambda: self.run_action(name)

    def action_show(self, task: str) -> None:
        if self.shape == "workspace" and task in self.world.tasks:
            self.show_task(task)

    # ── What is kept ────────────────────────────────────────────────────────────────────

    def action_theme(self, name: str) -> None:
        self.dress(name)
        self._choose(f"The theme is {name}.", theme=name)

    def action_keymap(self, name: str) -> None:
        # The leader belongs to the keymap: one that was captured before goes with the old one.
        self._choose(f"The keymap is {name}.", keymap=name, leader="")

    @work(group="leader", exclusive=True)
    async def action_leader(self) -> None:
        key = await self.push_screen_wait(LeaderDialog(self.settings.keys))
        if key is not None:
            self._choose(f"The leader is {shown(key)}.", leader=key)

    def _choose(self, said: str, **chosen: str) -> None:
        """Put a choice in force and write it down; it holds even where it cannot be written."""
        try:
            self.settings = settings.changed(self.settings, **chosen)
            self.say(said)
            if self.settings.path is not None:
                settings.keep(self.settings.path, **chosen)
        except TaskpassError as error:
            self.say(str(error), bad=True)
        self.draw()

    # ── The mouse, and the keyboard instead of it ───────────────────────────────────────

    def action_press(self, key: str) -> None:
        """What a click on the name of a key does: that key, as if it had been typed."""
        typed = events.Key(key, key_to_character(key))
        typed.set_sender(self)  # as the driver does: sent by what was clicked, it goes up to that
        self.post_message(typed)

    def action_jump(self) -> None:
        self.push_screen(JumpOverlay())
