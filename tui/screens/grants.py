"""Live grants as a list, each revocable with one key."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui import palette, panels
from tui.lines import View
from tui.screens.dialog import Dialog
from tui.text import clip
from tui.widgets.line import Line


class GrantsDialog(Dialog[None]):
    """Every live grant with its leases and countdowns; `x` revokes the one in focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "revoke", "Revoke", show=False),
        Binding("q", "dismiss", "Back", show=False),
    ]

    TITLE = "Grants"
    KEYS = "↑↓ grant · x revoke it · esc back"

    class Revoke(Message):
        """One grant is to end now."""

        def __init__(self, grant: str, credential: str) -> None:
            super().__init__()
            self.grant = grant
            self.credential = credential

    def __init__(self, view: View) -> None:
        super().__init__()
        self._last = view
        self._ids: list[str] = []

    def compose_box(self) -> ComposeResult:
        yield Line(id="grants-owed")
        yield Line(id="grants-empty")
        yield OptionList(id="grants-list")

    def on_mount(self) -> None:
        self.follow(self._last)

    def follow(self, view: View) -> None:
        self._last = view
        grants = view.world.grants_of("", view.now)
        rows = self.query_one(OptionList)
        prompts = [self._prompt(view, grant.id) for grant in grants]
        ids = [grant.id for grant in grants]
        if ids == self._ids:
            for index, prompt in enumerate(prompts):
                rows.replace_option_prompt_at_index(index, prompt)
        else:
            at = self._ids[rows.highlighted] if rows.highlighted is not None else ""
            self._ids = ids
            rows.clear_options()
            rows.add_options([Option(prompt) for prompt in prompts])
            if ids:
                rows.highlighted = ids.index(at) if at in ids else 0
        self._show_owed(view)
        rows.display = bool(ids)
        empty = self.query_one("#grants-empty", Line)
        empty.display = not ids
        empty.say(
            Text(
                "No grant is live: no credential is released to any task.\n"
                "A grant appears when a call is allowed to use a credential; "
                "`taskpass credential add` adds one.",
                palette.MUTED,
            )
        )

    def _show_owed(self, view: View) -> None:
        """What ended here and may be live elsewhere stands above what is live here."""
        owed = view.world.owed_of("")
        line = self.query_one("#grants-owed", Line)
        line.display = bool(owed)
        width = min(84, int(self.size.width * 0.96)) - 8
        title = Text("Not confirmed dead", f"bold {palette.RED}")
        lines = [panels.owed(one, view.now, width) for one in owed]
        line.say(Text("\n").join([title, *lines, Text()]))

    def _prompt(self, view: View, grant: str) -> Text:
        one = view.world.grants[grant]
        task = view.world.tasks.get(one.task)
        width = min(84, int(self.size.width * 0.96)) - 8
        text = Text(no_wrap=True)
        name = f"task {task.number} {task.purpose}" if task else one.task
        text.append(clip(name, width) + "\n", palette.TEAL)
        return text.append_text(
            panels.grant(one, view.world.leases_of(grant), view.now, width)
        ).append("\n")

    def action_revoke(self) -> None:
        highlighted = self.query_one(OptionList).highlighted
        if highlighted is not None and highlighted < len(self._ids):
            grant = self._last.world.grants.get(self._ids[highlighted])
            if grant is not None:
                self.post_message(self.Revoke(grant.id, grant.credential))
