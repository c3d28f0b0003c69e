"""All that waits for an answer, of every task: what, since when, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from supervisor.model import Risk
from tui import palette
from tui.lines import RISK_COLOUR, View, spread
from tui.screens.listing import Choice
from tui.text import clip, one_line, program, urgency, watch
from tui.world import Batch


class InboxScreen(Choice):
    """The id of the request to open, None for none. Nothing is answered here."""

    TITLE = "Inbox"
    KEYS = "↑↓ request · enter opens it · esc back"
    LIST = "inbox"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("i", "dismiss", "Back", show=False)]

    def entries(self, view: View) -> Sequence[tuple[str, Text]]:
        width = max(20, self.room - 2)
        return [(batch.first.id, _prompt(view, batch, width)) for batch in view.pending]

    def empty(self, view: View) -> str:
        return (
            "Nothing waits for an answer.\n"
            "What policy asks about comes here, of all tasks, the oldest first."
        )


def _prompt(view: View, batch: Batch, width: int) -> Text:
    """Two lines: whose it is with its times, and what is wanted with its risk."""
    request = batch.first
    task = view.world.tasks.get(request.task)
    who = f"{task.called} {program(task.agent)}  {one_line(task.purpose)}" if task else request.task
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
