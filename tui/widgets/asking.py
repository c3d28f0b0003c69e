"""What a pane asks its person about: a paste, the clipboard, a link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import work
from textual.widget import Widget

from supervisor.protocol import clipboard
from tui.clipboard import page
from tui.links import page as link_page
from tui.links import refusal
from tui.paste import cleaned, plain_lines, shown
from tui.screens.question import Question
from tui.widgets.links import Link, has_browser

if TYPE_CHECKING:
    from supervisor.client_pane import PaneConnection


class Asking(Widget):
    """The questions of a pane. Nothing is done before one key answers what is shown in full."""

    def __init__(
        self, connection: PaneConnection, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._connection = connection
        self.wish: clipboard.ClipboardAsked | None = None  # what the agent wants to copy

    @work(group="paste", exclusive=True)
    async def _ask_first(self, text: str, why: tuple[str, ...]) -> None:
        answers = {"P": "paste it"}
        if cleaned(text) != plain_lines(text):
            answers["C"] = "paste it without what is hidden"
        question = Question("Paste this?", shown(text, why), answers)
        match await self.app.push_screen_wait(question):
            case "P":
                self._connection.paste(text)
            case "C":
                self._connection.paste(cleaned(text))

    def _wishes(self, wish: clipboard.ClipboardAsked | None) -> None:
        """Keep it, and tell of it inside the pane: no agent draws anywhere else."""
        self.wish = wish
        self.refresh()

    @work(group="wish", exclusive=True)
    async def answer_wish(self) -> None:
        """Show what the agent wants on the person's clipboard, and have it answered."""
        asked = self.wish
        if asked is None:
            return
        answers = {"C": "copy it", "d": "refuse"}
        question = Question("Copy this for the agent?", page(asked.text), answers)
        answer = await self.app.push_screen_wait(question)
        if answer is None:
            return  # it goes on waiting
        if self.wish is not None and self.wish.number == asked.number:
            self._wishes(None)
        allow = answer == "C"
        if allow:
            self.app.copy_to_clipboard(cleaned(asked.text))
        self._connection.answer_clipboard(
            clipboard.AnswerClipboard(number=asked.number, allow=allow)
        )

    @work(group="link", exclusive=True)
    async def open_link(self, link: Link) -> None:
        """Show where a link leads; the person opens it, or takes its address."""
        answers = {"c": "copy the address"}
        if not refusal(link.target):
            answers = {"o": "open it", **answers}
        question = Question("A link of the agent's", link_page(link.text, link.target), answers)
        answer = await self.app.push_screen_wait(question)
        if answer == "o" and has_browser():
            self.app.open_url(link.target)
        elif answer is not None:
            self.app.copy_to_clipboard(cleaned(link.target))
            missing = "There is no browser here. " if answer == "o" else ""
            self.notify(f"{missing}The address is copied.")
