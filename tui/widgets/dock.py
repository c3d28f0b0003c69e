"""The approval dock: where a person answers, by the rules of `tui.gate`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from supervisor.model import ApprovalRequest, Effect, Risk, Verb
from supervisor.protocol import wire
from tui import palette
from tui.gate import TASK_MINUTES, Gate, Move, Reply
from tui.lines import RISK_COLOUR, View, identity, tier
from tui.text import clip, one_line, time_of_day, visible, watch
from tui.widgets.line import Line
from tui.widgets.paper import Paper
from tui.world import Batch

_LABEL: Final = 12
_RISK_WORDS: Final = {
    Risk.LOW: "low",
    Risk.MEDIUM: "medium",
    Risk.HIGH: "HIGH",
}
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

    class Left(Message):
        """Back to the pane; nothing was decided."""

    def __init__(self, clock: Callable[[], float], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock
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

    def open(self, view: View) -> bool:
        """Show the head of the queue and take the focus; False when nothing waits."""
        if not view.pending:
            return False
        self.display = True
        self._index = 0
        self.gate.rearm(time.monotonic())
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

    def _is_current(self, batch: Batch) -> bool:
        return self._current is not None and bool(set(batch.ids) & set(self._current.ids))

    def _put(self, batch: Batch) -> None:
        self._current = batch
        request = batch.first
        # Any change of what the person reads or of what the answer covers arms anew.
        if self.gate.show(batch.requests, request.code, time.monotonic()):
            self._sending = False
            if self._note_open:
                self._close_note()
                self.focus()
            self.query_one(Paper).read(self._content(batch), _LABEL)
        self.set_class(request.risk is Risk.HIGH, "-high")
        self._titles(request)
        self._foot()

    def rearm(self) -> None:
        """The terminal, or the dock in it, has regained focus."""
        self.gate.rearm(time.monotonic())
        self._foot()

    def on_focus(self) -> None:
        self.rearm()

    def failed(self) -> None:
        """The answer did not get through: it can be given again."""
        self._sending = False
        self.gate.rearm(time.monotonic())

    # ── What is shown ───────────────────────────────────────────────────────────────────

    def _titles(self, request: ApprovalRequest) -> None:
        task = self._asker(request)
        place = f"APPROVAL {self._index + 1} of {len(self._batches)}"
        if task is not None:
            place += f" · task {task.number} {clip(task.purpose, 28)}"
        self.border_title = Content(place)

    def _asker(self, request: ApprovalRequest) -> wire.TaskView | None:
        return self._view.world.tasks.get(request.task) if self._view else None

    def _content(self, batch: Batch) -> list[tuple[str, Text]]:
        """All that the person must be able to see before answering, as labelled rows."""
        request = batch.first
        rows = [("", visible(request.title, f"bold {palette.TEXT}")), ("", Text())]
        task = self._asker(request)
        if task is not None:
            rows.append(("task", identity(task, 96)))
            bound = tier(task).append(f"  uses bound by {task.call_identity}", palette.MUTED)
            rows.append(("runtime", bound))
        rows += [("effect" if not n else " ", _effect(e)) for n, e in enumerate(request.effects)]
        resources = list(dict.fromkeys(effect.resource for effect in request.effects))
        rows.append(("resource", visible(", ".join(resources) or "none named")))
        risk = Text(_RISK_WORDS[request.risk], f"bold {RISK_COLOUR[request.risk]}")
        if request.code:
            risk.append(": type the code to approve")
        rows.append(("risk", risk))
        if request.credential:
            released = visible(request.credential)
            released.append("  released for what you approve, to nothing else", palette.MUTED)
        else:
            released = Text("none is released", palette.MUTED)
        rows.append(("credential", released))
        for number, change in enumerate(request.change or ("nothing beyond its grants",)):
            style = palette.AMBER if request.change else palette.MUTED
            sign = "+ " if request.change and not change.startswith("+") else ""
            rows.append((" " if number else "change", visible(sign + change, style)))
        asking = visible(", ".join(request.asking) or "no rule named")
        asking.append("  ").append_text(visible(request.reason, palette.MUTED))
        rows.append(("why asked", asking))
        if len(batch.requests) > 1:
            count = f"{len(batch.requests)} identical requests, one answer for all of them"
            rows.append(("batch", Text(count, f"bold {palette.AMBER}")))
            for one in batch.requests:
                asked = f"{time_of_day(one.created)}  call {one_line(one.call)}  {one_line(one.id)}"
                rows.append((" ", Text(asked, palette.MUTED)))
        for one in batch.requests:
            if one.agent_note:
                words = Text("(untrusted) ", f"italic {palette.AMBER}")
                words.append_text(visible(one.agent_note, f"italic {palette.MUTED}"))
                rows.append(("agent says", words))
        return rows

    def _foot(self) -> None:
        batch = self._current
        if not self.display or batch is None or self._view is None:
            return
        now = time.monotonic()
        text = Text(no_wrap=True)
        code = batch.first.code
        allowed = self.gate.may_approve(now) and not self._sending
        if code:
            self._code(text, code)
        approvals = [("O", "once"), ("T", f"this task {TASK_MINUTES} min")]
        if batch.first.risk is not Risk.HIGH:  # high risk is never kept for good
            approvals.append(("A", "always…"))
        self._keys(text, approvals, palette.GREEN, allowed)
        text.append("\n")
        refusals = [("d", "deny"), ("n", "deny with a note"), ("f", "deny and freeze"),
                    ("esc", "back")]  # fmt: skip
        if len(self._batches) > 1:
            refusals.append(("←→", "others"))
        self._keys(text, refusals, palette.AMBER, True)
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
        text.append("then  " if self.gate.code_needed else "✓     ", palette.MUTED)

    def _keys(self, text: Text, keys: list[tuple[str, str]], colour: str, live: bool) -> None:
        for key, meaning in keys:
            style = f"bold {colour}" if live else f"{palette.MUTED} strike"
            text.append(key, style)
            text.append(f" {meaning}    ", palette.TEXT if live else palette.MUTED)

    def _state(self, now: float) -> Text:
        if self._sending:
            return Text("sending the answer…", palette.TEAL)
        if self.gate.arms_in(now):
            return Text(f"arms in {self.gate.arms_in(now):.1f} s, keys wait", palette.MUTED)
        if not self.gate.end_seen:
            more = self.query_one(Paper).below
            return Text(f"↓ {more} more lines: read to the end to approve", f"bold {palette.AMBER}")
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
            self.query_one(Paper).scroll_lines(_SCROLL[event.key])
            self._foot()
            return
        if event.key in ("left", "right"):
            self._turn(1 if event.key == "right" else -1)
            return
        if self._sending:
            return
        match self.gate.press(event.key, event.character, event.time):
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


# What attributes say that a person decides by; (name, value) → words.
_NOTES: dict[tuple[str, object], str] = {
    ("uninspectable", True): "cannot be read: what it does is not known",
    ("known", False): "a program that taskpass does not know",
    ("inside", True): "in the workspace",
    ("inside", False): "outside the workspace",
    ("root", True): "the workspace itself, or above it",
    ("home", True): "the home directory",
    ("ours", True): "taskpass's own files",
    ("clear", True): "with all that is below it",
    ("force", True): "by force",
    ("delete", True): "removes it there",
    ("protected", True): "a protected branch",
    ("several", True): "more than one ref",
    ("foreign", True): "a remote that is not the project's",
    ("remote", True): "on another machine",
    ("everywhere", True): "for more than this workspace",
    ("unlisted", True): "a service of your machine, outside the task",
}
# Said by the effect itself, or of use to policy only.
_SILENT = frozenset(
    {"method", "path", "program", "argv0", "arguments", "subcommand", "text", "name", "folded"}
    | {"graphql", "fields", "websocket"}
    | {name for name, _ in _NOTES}
)


def _effect(effect: Effect) -> Text:
    """An effect in words; an attribute that has none is shown by its name, if it tells more."""
    attributes = effect.attributes
    command = attributes.get("text") if effect.verb is Verb.RUN else ""
    text = visible(f"run {command}" if command else effect.label)
    notes = [words for (name, value), words in _NOTES.items() if attributes.get(name) is value]
    notes += [
        _note(name, value)
        for name, value in attributes.items()
        if value and name not in _SILENT and str(value) not in text.plain
    ]
    for note in notes:
        text.append("  ").append_text(visible(note, palette.MUTED))
    return text


def _note(name: str, value: object) -> str:
    if value is True:
        return name
    return str(value) if name == "why" else f"{name} {value}"  # a reason speaks for itself
