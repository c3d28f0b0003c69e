"""What is done inside the focused pane: reading back, searching, copying."""

from __future__ import annotations

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
