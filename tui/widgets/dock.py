"""The approval dock: where a person answers, by the rules of `tui.gate`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from supervisor.model import ApprovalRequest, Risk
from supervisor.protocol import wire
from tui import palette
from tui.gate import TASK_MINUTES, Gate, Move, Reply
from tui.lines import View
from tui.text import clip, plural, watch
from tui.widgets import dock_text
from tui.widgets.line import Line
from tui.widgets.paper import Paper
from tui.world import Batch

_LABEL: Final = 12
_PRESS: Final = "press"  # in a hint's style: the key that it stands for
_WHEEL: Final = 3  # lines
_SCROLL: Final = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -8, "pagedown": 8,
                  "home": -10_000, "end": 10_000}  # fmt: skip


class ApprovalDock(Vertical, can_focus=True):
    """Shows one batch of the queue and takes the answer. Hidden unless opened by the leader."""

    class Answered(Message):
        """The person decided."""

        def __init__(self, batch: Batch, reply: Reply, note: str = "") -> None:
            super().__init__()
            self.batch = batch
            self.reply = reply
            self.note = note

    class AlwaysWanted(Message):
        """The person wants to see the rule that would answer this for good."""

        def __init__(self, batch: Batch) -> None:
            super().__init__()
            self.batch = batch

    class Shown(Message):
        """Another request is on show, or the same ones are not all of it any more."""

    class Left(Message):
        """Back to the pane; nothing was decided."""

    def __init__(self, clock: Callable[[], float], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock
        self.ticks: Callable[[], float] = time.monotonic  # what the gate goes by
        self.gate = Gate()
        self._batches: list[Batch] = []
        self._index = 0
        self._current: Batch | None = None
        self._view: View | None = None
        self._sending = False

    def compose(self) -> ComposeResult:
        yield Paper(id="dock-paper")
        yield Input(id="dock-note", placeholder="why not, for the agent · enter denies · esc back")
        yield Line(id="dock-foot")

    def on_mount(self) -> None:
        self.display = False
        self.query_one("#dock-note").display = False
        # Arming and countdowns are seen within a tenth of a second, and only while it is open.
        self.set_interval(0.1, self._foot)

    # ── Opening and closing ─────────────────────────────────────────────────────────────

    def open(self, view: View, approval: str = "") -> bool:
        """Show one request ("": the oldest) and take the focus; False when it waits no more."""
        found = [n for n, one in enumerate(view.pending) if not approval or approval in one.ids]
        if not found:
            return False
        self.display = True
        self._index = found[0]
        self._current = None
        self.gate.rearm(self.ticks())
        self.show(view)
        self.focus()
        return True

    def close(self) -> None:
        self.display = False
        self._current = None
        self._sending = False
        self._close_note()
        self.gate = Gate()

    def show(self, view: View) -> None:
        """Follow the queue; closes when it has run empty. What is on show stays on show."""
        if not self.display:
            return
        self._view = view
        self._batches = view.pending
        if not self._batches:
            self.close()
            self.post_message(self.Left())
            return
        kept = next((i for i, b in enumerate(self._batches) if self._is_current(b)), None)
        self._index = min(self._index, len(self._batches) - 1) if kept is None else kept
        self._put(self._batches[self._index])

    @property
    def shown_ids(self) -> tuple[str, ...]:
        """Ids of the requests that are shown."""
        return self._current.ids if self.display and self._current is not None else ()

    def _is_current(self, batch: Batch) -> bool:
        return self._current is not None and bool(set(batch.ids) & set(self._current.ids))

    def _put(self, batch: Batch) -> None:
        self._current = batch
        request = batch.first
        # Any change of what the person reads or of what the answer covers arms anew.
        if self.gate.show(batch.requests, request.code, self.ticks()):
            self._sending = False
            self.post_message(self.Shown())
            if self._note_open:
                self._close_note()
                self.focus()
            self.query_one(Paper).read(dock_text.rows(batch, self._asker(request)), _LABEL)
        self.set_class(request.risk is Risk.HIGH, "-high")
        self._titles(batch)
        self._foot()

    def rearm(self) -> None:
        """The terminal, or the dock in it, has regained focus."""
        self.gate.rearm(self.ticks())
        self._foot()

    def on_focus(self) -> None:
        self.rearm()

    def failed(self) -> None:
        """The answer did not get through: it can be given again."""
        self._sending = False
        self.gate.rearm(self.ticks())

    # ── What is shown ───────────────────────────────────────────────────────────────────

    def _titles(self, batch: Batch) -> None:
        task = self._asker(batch.first)
        place = f"APPROVAL {self._index + 1} of {len(self._batches)}"
        if len(batch.requests) > 1:
            place += f" · ×{len(batch.requests)}"
        if task is not None:
            place += f" · task {task.called} {clip(task.purpose, 28)}"
        self.border_title = Content(place)

    def _asker(self, request: ApprovalRequest) -> wire.TaskView | None:
        return self._view.world.tasks.get(request.task) if self._view else None

    def _foot(self) -> None:
        batch = self._current
        if not self.display or batch is None or self._view is None:
            return
        now = self.ticks()
        text = Text(no_wrap=True)
        code = batch.first.code
        allowed = self.gate.may_approve(now) and not self._sending
        if code:
            self._code(text, code)
            text.append("\n")
        approvals = [("O", "once"), ("T", f"this task {self.gate.minutes} min"), ("+", "longer")]
        if self.gate.minutes > TASK_MINUTES:
            approvals.append(("-", "shorter"))
        if batch.first.risk is not Risk.HIGH:  # high risk is never kept for good
            approvals.append(("A", "always…"))
        _keys(text, approvals, palette.GREEN, live=allowed)
        text.append("\n")
        refusals = [("d", "deny"), ("n", "deny with a note"), ("f", "deny and freeze"),
                    ("esc", "back")]  # fmt: skip
        if len(self._batches) > 1:
            refusals.append(("←→", "others"))
        _keys(text, refusals, palette.AMBER, live=True)
        text.append("\n")
        text.append_text(self._state(now))
        self.query_one("#dock-foot", Line).say(text)
        left = batch.expires - self._clock()
        self.border_subtitle = Content(f"no answer in {watch(left)} = denied")

    def _code(self, text: Text, code: str) -> None:
        typed = self.gate.code_typed
        text.append("type the code ", palette.TEXT)
        text.append(f" {code.upper()} ", f"bold {palette.INK} on {palette.AMBER}")
        text.append(f" {typed}{'_' * (len(code) - len(typed))}  ", f"bold {palette.AMBER}")
        text.append("then" if self.gate.code_needed else "✓", palette.MUTED)

    def _state(self, now: float) -> Text:
        if self._sending:
            return Text("sending the answer…", palette.TEAL)
        if self.gate.arms_in(now):
            wrong = "that was not the code · " if self.gate.code_refused else ""
            text = Text(wrong, f"bold {palette.RED}")
            return text.append(f"arms in {self.gate.arms_in(now):.1f} s, keys wait", palette.MUTED)
        if not self.gate.end_seen:
            more = plural(self.query_one(Paper).below, "more line")
            return Text(f"↓ {more}: read to the end to approve", f"bold {palette.AMBER}")
        if self.gate.code_refused:
            return Text("that was not the code: start again", f"bold {palette.RED}")
        return Text("armed · enter, space, y and digits answer nothing", palette.MUTED)

    # ── Keys ────────────────────────────────────────────────────────────────────────────

    def on_key(self, event: events.Key) -> None:
        if self._note_open or self._current is None:
            if event.key == "escape" and self._note_open:
                event.stop()
                self._close_note()
                self.focus()
            return
        event.stop()
        event.prevent_default()
        if event.key in _SCROLL:
            self._scroll(_SCROLL[event.key])
            return
        if event.key in ("left", "right"):
            self._turn(1 if event.key == "right" else -1)
            return
        self._press(event.key, event.character, event.time)

    def _press(self, key: str, character: str | None, time_of_event: float) -> None:
        """A key, or its hint clicked: by the gate's clock when it happened, not when it arrives."""
        if self._sending or self._current is None:
            return
        at = self.ticks() - (time.monotonic() - time_of_event)
        match self.gate.press(key, character, at):
            case Reply() as reply:
                self._send(reply)
            case Move.NOTE:
                self._open_note()
            case Move.ALWAYS if self._current.first.risk is not Risk.HIGH:
                self.post_message(self.AlwaysWanted(self._current))
            case Move.LEAVE:
                self.close()
                self.post_message(self.Left())
        self._foot()

    def on_click(self, event: events.Click) -> None:
        """The hints are buttons."""
        match event.style.meta.get(_PRESS):
            case "←→":
                self._turn(1)
            case "esc":
                self._press("escape", None, event.time)
            case str(key):
                self._press(key, key, event.time)

    def on_mouse_scroll_down(self) -> None:
        self._scroll(_WHEEL)

    def on_mouse_scroll_up(self) -> None:
        self._scroll(-_WHEEL)

    def _scroll(self, by: int) -> None:
        self.query_one(Paper).scroll_lines(by)
        self._foot()

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted was not typed: it answers nothing."""
        if not self._note_open:
            event.stop()

    def _turn(self, by: int) -> None:
        if len(self._batches) > 1:
            self._index = (self._index + by) % len(self._batches)
            self._put(self._batches[self._index])

    def _send(self, reply: Reply, note: str = "") -> None:
        if self._current is not None:
            self._sending = True
            self.post_message(self.Answered(self._current, reply, note))

    # ── The note of a denial ────────────────────────────────────────────────────────────

    @property
    def _note_open(self) -> bool:
        return bool(self.query_one("#dock-note").display)

    def _open_note(self) -> None:
        note = self.query_one("#dock-note", Input)
        note.value = ""
        note.display = True
        note.focus()

    def _close_note(self) -> None:
        self.query_one("#dock-note").display = False

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._close_note()
        self.focus()
        self._send(Reply(approve=False), note=event.value.strip())

    def on_paper_end_shown(self, event: Paper.EndShown) -> None:
        event.stop()
        # A report about the text before this one says nothing about this one.
        if event.edition == self.query_one(Paper).edition:
            self.gate.reached_end()
            self._foot()


def _keys(text: Text, keys: Sequence[tuple[str, str]], colour: str, *, live: bool) -> None:
    """Keys and what they do. A click on one is the key: the gate judges both alike."""
    for key, meaning in keys:
        begins = len(text)
        text.append(key, f"bold {colour}" if live else f"{palette.MUTED} strike")
        text.append(f" {meaning}", palette.TEXT if live else palette.MUTED)
        text.apply_meta({_PRESS: key}, begins)
        text.append("    ")
