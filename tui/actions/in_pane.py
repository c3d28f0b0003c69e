"""What is done inside the focused pane: reading back, searching, copying."""

from __future__ import annotations

from tui.text import clip
from tui.trunk import Trunk


class InPane(Trunk):
    """Commands that the focused pane carries out."""

    def action_copy_mode(self) -> None:
        self.main.panes.copy_mode(find=False)

    def action_find(self) -> None:
        self.main.panes.copy_mode(find=True)

    def action_clipboard(self) -> None:
        if not self.main.panes.answer_wish():
            self.say("No agent asks for your clipboard.")

    def action_link(self) -> None:
        """Show where a link leads; of several, the one that is chosen."""
        found = self.main.panes.links()
        if not found:
            self.say("The agent shows no link.")
        elif len(found) == 1:
            found[0][2]()
        else:
            self.search_commands(
                [(clip(text, 60), show, clip(target, 100)) for text, target, show in found],
                placeholder="Find a link…",
            )
