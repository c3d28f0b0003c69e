"""All keys that are in force, and the words of the screen; with a search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input

from tui import palette
from tui.gate import TASK_MINUTES, TASK_STEPS
from tui.keymap import SECOND_LEADER, Keymap
from tui.lines import View
from tui.screens.dialog import Dialog
from tui.text import STATE_COLOUR, STATE_SYMBOL, hang
from tui.widgets.line import Line

Entry = tuple[str, str, str]  # key, what it does, more about it


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    entries: Sequence[Entry]
    remark: str = ""


_DOCK = Section(
    "In the approval dock",
    (
        ("O", "Approve once", ""),
        ("T", "Approve for this task", f"The same again passes for {TASK_MINUTES} minutes."),
        (
            "+ -",
            "Longer, shorter",
            f"Up to {TASK_STEPS[-1] // 60} hours.",
        ),
        ("A", "Approve for good", "Shows the rule first, and what it would have decided."),
        ("d", "Deny", ""),
        ("n", "Deny with a note", "The agent reads it."),
        ("f", "Deny and freeze", "The task stops where it is."),
        ("↑↓", "Read on", "Also by page. Approving needs the end to have been shown."),
        ("←→", "Other requests", ""),
        ("esc", "Back to the pane", "The request goes on waiting."),
    ),
    "Enter, space, y and digits answer nothing. No answer in time means denied.",
)
_HISTORY = Section(
    "In the history",
    (
        ("↑↓", "Another record", "Also j and k, home and end."),
        ("enter", "Details", "Where they do not stand beside the list."),
        ("/", "Filter", "task:1 decision:ask,deny host:api.example.com, or any words."),
        ("o", "Older records", ""),
        ("v", "Verify the chain", ""),
        ("q", "Back", ""),
    ),
)
_GRANTS = Section(
    "In the list of grants", (("↑↓", "Another grant", ""), ("x", "Revoke it", "At once."))
)
_MOUSE = Section(
    "With the mouse",
    (
        ("click", "A key that is written on the screen", "Does what that key does."),
        ("click", "A task, a pane", "Shows it."),
        ("wheel", "In a pane", "What has scrolled off; an agent that wants the wheel has it."),
    ),
)


def sections(keys: Keymap) -> tuple[Section, ...]:
    """What the page tells, with the keys in force."""
    leader = keys.leader_shown
    also = "" if keys.leader == SECOND_LEADER else f" ({keys.leader_spoken}) or F12"
    leads = [("1–9", "Task 1–9", "")]
    leads += [(one.shown, one.title, one.help) for one in keys.commands]
    leads += [(leader, f"Send {leader}", "To the agent in the pane.")]
    first = Section(f"Press {leader}{also}, then", leads, "Every other key goes to the agent.")
    return (first, _DOCK, _HISTORY, _GRANTS, _MOUSE)


class HelpPage(Dialog[None]):
    """A text to read and to search."""

    TITLE = "Help"
    KEYS = "/ search · ↑↓ read · esc back"
    AUTO_FOCUS = "VerticalScroll"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter,question_mark", "dismiss", "Back", show=False),
        Binding("slash", "search", "Search", show=False),
        Binding("k", "scroll(-1)", show=False),
        Binding("j", "scroll(1)", show=False),
        Binding("space", "scroll(20)", show=False),
    ]

    def __init__(self, keys: Keymap) -> None:
        super().__init__()
        self._sections = sections(keys)

    def compose_box(self) -> ComposeResult:
        yield Input(id="help-search", placeholder="search: a key, or any words", compact=True)
        with VerticalScroll():
            yield Line(id="page")

    def follow(self, view: View) -> None:
        """Nothing here depends on the world."""

    def on_resize(self) -> None:
        self._write()

    def action_search(self) -> None:
        self.query_one("#help-search").display = True
        self.query_one("#help-search").focus()

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def on_input_changed(self) -> None:
        self._write()

    def on_input_submitted(self) -> None:
        self.query_one(VerticalScroll).focus()

    def _write(self) -> None:
        width = self.room
        words = self.query_one("#help-search", Input).value.lower().split()
        text = Text("\n\n").join(self._found(words, width))
        if not text:
            text = Text("Nothing here is about that. esc leaves.", palette.MUTED)
        self.query_one("#page", Line).say(text)

    def _found(self, words: Sequence[str], width: int) -> Iterator[Text]:
        """The sections with what holds all of `words`."""
        for section in self._sections:
            about = section.title.lower()
            entries = [
                entry
                for entry in section.entries
                if all(word in f"{about} {' '.join(entry)}".lower() for word in words)
            ]
            if entries:
                text = Text().append(section.title, f"bold {palette.TEAL}")
                text.append_text(_keys(entries, width))
                if section.remark and not words:
                    text.append(f"\n  {section.remark}", palette.MUTED)
                yield text
        states = [
            state for state in STATE_SYMBOL if all(word in f"states {state}" for word in words)
        ]
        if states:
            text = Text().append("States", f"bold {palette.TEAL}")
            for state in states:
                text.append(f"\n  {STATE_SYMBOL[state]} {state}", STATE_COLOUR[state])
            yield text


def _keys(entries: Sequence[Entry], width: int) -> Text:
    column = 3 + max(4, *(len(key) for key, _, _ in entries))
    text = Text()
    for key, meaning, more in entries:
        value = Text().append(meaning, palette.TEXT)
        value.append(f"  {more}" if more else "", palette.MUTED)
        first, *rest = hang("", value, width, column)
        text.append(f"\n  {key}", f"bold {palette.AMBER}").append_text(first[2 + len(key) :])
        for line in rest:
            text.append("\n").append_text(line)
    return text
