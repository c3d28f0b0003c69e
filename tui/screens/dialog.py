"""What every dialog above the main screen shares."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen

from supervisor.protocol import wire
from tui import palette
from tui.clicks import key_line
from tui.lines import View, identity, tier
from tui.text import STATE_COLOUR, STATE_SYMBOL, one_line, table, task_state, visible
from tui.widgets.line import Line

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A box in the middle; escape closes it."""

    # With priority: keys typed ahead of a change of focus go where that change leads.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", show=False, priority=True),
        Binding("tab", "app.focus_next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", show=False, priority=True),
    ]

    TITLE: ClassVar[str] = ""
    KEYS: ClassVar[str] = "esc back"

    def __init__(self) -> None:
        super().__init__(classes="dialog")

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(self.TITLE)
            box.border_subtitle = Content.from_rich_text(key_line(self.KEYS))
            yield from self.compose_box()

    @abstractmethod
    def compose_box(self) -> ComposeResult:
        """What is in the box."""

    @property
    def room(self) -> int:
        """Cells of a line in the box."""
        return min(84, int(self.size.width * 0.96)) - 8

    def follow(self, view: View) -> None:
        """The world has changed, or a second has passed."""


class Page(Dialog[None]):
    """A dialog that is a text to read; any of `q`, escape, enter closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,question_mark", "dismiss", "Back", show=False),
    ]

    def compose_box(self) -> ComposeResult:
        with VerticalScroll():
            yield Line(id="page")

    def on_resize(self) -> None:
        self.query_one("#page", Line).say(self.text(self.room))

    @abstractmethod
    def text(self, width: int) -> Text:
        """What is to be read, in lines of so many cells."""


class IdentityPage(Page):
    """The four parts of a task's identity, with what backs each."""

    TITLE = "Identity"

    def __init__(self, task: wire.TaskView, below: Sequence[wire.TaskView] = ()) -> None:
        """`below`: its subagents' tasks, and theirs."""
        super().__init__()
        self._shown_task = task
        self._below = below

    def text(self, width: int) -> Text:
        task = self._shown_task
        state = task_state(task.state)
        rows = [
            ("user", Text(one_line(task.user))),
            ("signed in", visible(_signed_in(task))),
            ("agent", Text(f"{one_line(task.agent)}  profile {one_line(task.profile)}")),
            ("runtime", Text(one_line(task.runtime) + "  ").append_text(tier(task))),
            ("containment", Text(one_line(task.containment))),
            ("evidence", visible(task.tier_detail, palette.MUTED)),
            ("task", Text(f"{one_line(task.id)}  epoch {task.epoch}")),
            ("purpose", visible(task.purpose or "none given")),
            ("state", Text(f"{STATE_SYMBOL[state]} {state}", STATE_COLOUR[state])),
            ("directory", visible(task.cwd)),
            ("overlay", Text("its changes wait for you to review them" if task.overlay else "")),
            ("branch", visible(task.branch)),
            ("uses bound", Text(f"by {task.call_identity}")),
            ("policy", Text(one_line(task.preset))),
            ("model access", Text(_model_access(task.model_access))),
            ("own sandbox", visible(task.agent_sandbox)),
            ("subagent", _subagent(task)),
            ("subagents", _subagents(self._below)),
            ("limits", visible(", ".join(task.limits))),
            ("ways out", visible(", ".join(task.holes), palette.AMBER)),
            ("can read", visible(", ".join(task.exposed), palette.AMBER)),
        ]
        text = identity(task, width)
        text.append("\n\n")
        text.append_text(table([row for row in rows if row[1].plain], width, 14))
        if task.tier == "uncontained":
            text.append(
                "\n\nUncontained: this agent runs as you and can read what you can read. What the "
                "supervisor releases is still decided, recorded and revocable.",
                palette.AMBER,
            )
        return text


def _subagent(task: wire.TaskView) -> Text:
    """That it is one, and what that is worth."""
    if not task.subagent:
        return Text()
    return visible(task.subagent).append(
        "  by its agent's own word: at most what its task may, and revocable alone", palette.MUTED
    )


def _subagents(below: Sequence[wire.TaskView]) -> Text:
    """Who works for it."""
    return visible(", ".join(f"{one.called} {one.purpose}" for one in below if not one.ended))


def _signed_in(task: wire.TaskView) -> str:
    """Who a provider says the user is, and until when; "" for the account alone."""
    if not task.person:
        return ""
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(task.person_until))
    return f"{one_line(task.person)} by {one_line(task.person_issuer)}, until {until}"


def _model_access(kind: str) -> str:
    if kind == "passthrough":
        return "passthrough: the agent's own standing log-in, kept from its tools"
    return one_line(kind)
