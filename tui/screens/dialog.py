"""What every dialog above the main screen shares."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen

from supervisor import wire
from tui import palette
from tui.keymap import COMMANDS, LEADER_SHOWN
from tui.lines import View, identity, tier
from tui.text import STATE_COLOUR, STATE_SYMBOL, one_line, pad, task_state, visible
from tui.widgets.line import Line

Result = TypeVar("Result")


class Dialog(ModalScreen[Result]):
    """A box in the middle; escape closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", show=False),
    ]

    TITLE: ClassVar[str] = ""
    KEYS: ClassVar[str] = "esc back"

    def __init__(self) -> None:
        super().__init__(classes="dialog")

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = Content(f" {self.TITLE} ")
            box.border_subtitle = Content(f" {self.KEYS} ")
            yield from self.compose_box()

    def compose_box(self) -> ComposeResult:
        raise NotImplementedError

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

    def on_mount(self) -> None:
        self.query_one("#page", Line).say(self.text())

    def text(self) -> Text:
        raise NotImplementedError


class HelpPage(Page):
    """All keys and the words of the screen."""

    TITLE = "Help"

    def text(self) -> Text:
        text = Text()
        text.append(f"Press {LEADER_SHOWN} (ctrl and backslash) or F12, then:\n", palette.TEXT)
        text.append("  1–9   ", f"bold {palette.AMBER}")
        text.append(f"{'Task 1–9':<26}", palette.TEXT)
        text.append("Show that task's pane.\n", palette.MUTED)
        for one in COMMANDS:
            text.append(f"  {one.shown:<5} ", f"bold {palette.AMBER}")
            text.append(f"{one.title:<26}", palette.TEXT)
            text.append(f"{one.help}\n", palette.MUTED)
        text.append(f"  {LEADER_SHOWN:<5} ", f"bold {palette.AMBER}")
        text.append(f"{'Send the leader itself':<26}", palette.TEXT)
        text.append("To the agent in the pane.\n", palette.MUTED)
        text.append("\nEvery other key goes to the agent.\n\n", palette.TEXT)
        text.append("In the approval dock\n", f"bold {palette.TEAL}")
        for key, meaning in (
            ("O", "approve once"),
            ("T", "approve the same for this task, 15 minutes"),
            ("d", "deny"),
            ("n", "deny with a note for the agent"),
            ("f", "deny and freeze the task"),
            ("↑↓ pgup pgdn", "read on; approving needs the end to have been shown"),
            ("←→", "other requests"),
            ("esc", "back to the pane; the request goes on waiting"),
        ):
            text.append(f"  {key:<14}", f"bold {palette.AMBER}")
            text.append(f"{meaning}\n", palette.TEXT)
        text.append(
            "  Enter, space, y and digits answer nothing. No answer in time means denied.\n\n",
            palette.MUTED,
        )
        text.append("States\n ", f"bold {palette.TEAL}")
        for state, symbol in STATE_SYMBOL.items():
            text.append(f" {symbol} {state}  ", STATE_COLOUR[state])
        return text


class IdentityPage(Page):
    """The four parts of a task's identity, with what backs each."""

    TITLE = "Identity"

    def __init__(self, task: wire.TaskView) -> None:
        super().__init__()
        self._shown_task = task

    def text(self) -> Text:
        task = self._shown_task
        text = identity(task, 76)
        text.append("\n")
        state = task_state(task.state)
        for label, value in (
            ("user", Text(one_line(task.user))),
            ("agent", Text(f"{one_line(task.agent)} (profile {one_line(task.profile)})")),
            ("runtime", Text(one_line(task.runtime) + "  ").append_text(tier(task))),
            ("", visible(task.tier_detail, palette.MUTED)),
            ("task", Text(f"{one_line(task.id)}  epoch {task.epoch}")),
            ("purpose", visible(task.purpose or "none given")),
            ("state", Text(f"{STATE_SYMBOL[state]} {state}", STATE_COLOUR[state])),
            ("directory", visible(task.cwd)),
            ("branch", visible(task.branch)),
            ("uses bound", Text(f"by {task.call_identity}")),
            ("policy", Text(one_line(task.preset))),
            ("model access", Text(_model_access(task.model_access))),
            ("can read", visible("\n".join(task.exposed)) if task.exposed else Text("")),
        ):
            if value.plain:
                text.append("\n" + pad(label, 14), palette.MUTED)
                text.append_text(value)
        if task.tier == "uncontained":
            text.append(
                "\n\nUncontained: this agent runs as you and can read what you can read. What the "
                "supervisor releases is still decided, recorded and revocable.",
                palette.AMBER,
            )
        return text


def _model_access(kind: str) -> str:
    if kind == "passthrough":
        return "passthrough: the agent's own standing log-in, kept from its tools"
    return one_line(kind)
