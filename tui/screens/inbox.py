"""All that waits for an answer, of every task: what, since when, and until when."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from supervisor.model import Risk
from tui import palette
from tui.lines import RISK_COLOUR, View, spread
from tui.screens.dialog import Dialog
from tui.text import clip, one_line, program, urgency, watch
from tui.widgets.line import Line
from tui.world import Batch


class InboxScreen(Dialog[str | None]):
    """The id of the request to open, None for none. Nothing is answered here."""

    TITLE = "Inbox"
    KEYS = "↑↓ request · enter opens it · esc back"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,i", "dismiss", "Back", show=False),
        Binding("j", "move('down')", show=False),
        Binding("k", "move('up')", show=False),
    ]

    def __init__(self, view: View) -> None:
        super().__init__()
        self._last = view
        self._ids: list[str] = []

    def compose_box(self) -> ComposeResult:
        yield Line(id="inbox-empty")
        yield OptionList(id="inbox-list")

    def on_mount(self) -> None:
        self.follow(self._last)

    def on_resize(self) -> None:
        self.follow(self._last)

    def follow(self, view: View) -> None:
        self._last = view
        batches = view.pending
        width = max(20, min(84, int(self.size.width * 0.96)) - 10)
        prompts = [_prompt(view, batch, width) for batch in batches]
        ids = [batch.first.id for batch in batches]
        rows = self.query_one(OptionList)
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
        rows.display = bool(ids)
        empty = self.query_one("#inbox-empty", Line)
        empty.display = not ids
        empty.say(
            Text(
                "Nothing waits for an answer.\n"
                "What policy asks about comes here, of all tasks, the oldest first.",
                palette.MUTED,
            )
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._ids[event.option_index])

    def action_move(self, to: str) -> None:
        rows = self.query_one(OptionList)
        rows.action_cursor_down() if to == "down" else rows.action_cursor_up()


def _prompt(view: View, batch: Batch, width: int) -> Text:
    """Two lines: whose it is with its times, and what is wanted with its risk."""
    request = batch.first
    task = view.world.tasks.get(request.task)
    who = f"{task.number} {program(task.agent)}  {one_line(task.purpose)}" if task else request.task
    left = batch.expires - view.now
    times = Text(f"waits {watch(view.now - request.created)}  ", palette.MUTED)
    times.append(f"denied in {watch(left)}", urgency(left))
    text = spread(Text("▲ ", palette.AMBER).append(clip(who, width), palette.TEAL), times, width)
    risk = request.risk.value.upper() if request.risk is Risk.HIGH else request.risk.value
    end = Text(f"×{len(batch.requests)}  " if len(batch.requests) > 1 else "", palette.AMBER)
    end.append(f"{risk} risk", f"bold {RISK_COLOUR[request.risk]}")
    wanted = one_line(request.title.partition("\n")[0])
    what = spread(Text(f"  {clip(wanted, width)}", palette.TEXT), end, width)
    return text.append("\n").append_text(what)
