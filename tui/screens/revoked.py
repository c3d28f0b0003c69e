"""What a revocation has come to: the live list of what is confirmed dead, and what is not yet."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from supervisor.model import KillMode
from tui import palette
from tui.lines import View
from tui.reckoning import Fate, Held, Reckoning, Verdict
from tui.screens.dialog import Dialog
from tui.text import clip, hang, one_line, pad, plural, program, span
from tui.widgets.line import Line

_MARK = {
    Verdict.WAITING: ("…", palette.MUTED),
    Verdict.DEAD: ("✓", palette.GREEN),
    Verdict.ASKING: ("…", palette.AMBER),
    Verdict.EXPIRING: ("◔", palette.AMBER),
    Verdict.STUCK: ("!", palette.RED),
}


class RevokedScreen(Dialog[None]):
    """Follows one revocation. There is no way back from it: what goes on is a new task."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter", "dismiss", "Back", show=False),
        Binding("n", "new", "New task", show=False),
    ]

    TITLE = "Revoked"
    KEYS = "n new task · esc back"

    def __init__(self, what: str, reckoning: Reckoning, view: View) -> None:
        super().__init__()
        self._what = what
        self._reckoning = reckoning
        self._last = view

    def compose_box(self) -> ComposeResult:
        with VerticalScroll():
            yield Line(id="revoked-list")

    def on_mount(self) -> None:
        self.follow(self._last)

    def on_resize(self) -> None:
        self.follow(self._last)

    def follow(self, view: View) -> None:
        self._last = view
        self._reckoning.look(view.world)
        width = self.room
        self.query_one("#revoked-list", Line).say(
            text(self._what, self._reckoning, view.now, width)
        )

    async def action_new(self) -> None:
        self.dismiss()
        await self.app.run_action("new_task")


def text(what: str, reckoning: Reckoning, now: float, width: int) -> Text:
    """The list in lines of at most `width` cells."""
    lines = hang("", _summary(what, reckoning), width, 0)
    for fate in reckoning.fates:
        lines += [Text(), _task(fate, width)]
        for held in fate.held:
            lines.append(_held(held, now, width))
            if held.owed is not None and held.owed.problem:
                lines.append(Text("      " + clip(held.owed.problem, width - 6), palette.MUTED))
        if not fate.leases:
            lines.append(Text("  no lease was open", palette.MUTED))
    lines += [Text(), Text("It cannot be undone; a new task starts without grants.", palette.MUTED)]
    return Text("\n").join(lines)


def _summary(what: str, reckoning: Reckoning) -> Text:
    if reckoning.problem:
        return Text(one_line(reckoning.problem), f"bold {palette.RED}")
    answer = reckoning.answer
    if answer is None:
        return Text(f"revoking {what}…", palette.TEAL)
    dead, whole = reckoning.counts
    all_dead = dead == whole
    summary = Text(f"{what}: ", f"bold {palette.TEXT}")
    summary.append(
        f"{dead} of {whole} confirmed dead", f"bold {palette.GREEN if all_dead else palette.AMBER}"
    )
    cut = plural(answer.connections_cut, "connection")
    return summary.append(f" · refused in {answer.took_ms:.0f} ms · {cut} cut", palette.MUTED)


def _task(fate: Fate, width: int) -> Text:
    line = Text(no_wrap=True)
    steps = Text(no_wrap=True)
    _step(steps, fate.refused, "refused and cut" if fate.refused else "refusing")
    if fate.tree_left:
        noun = "process" if fate.tree_left == 1 else "processes"
        steps.append(f"  ! {fate.tree_left} {noun} left", f"bold {palette.RED}")
    else:
        gone = fate.tree_left == 0
        _step(steps.append("  "), gone, "process tree gone" if gone else "ending its processes")
    task = fate.task
    name = f"task {task.called} {program(task.agent)}  {task.purpose}"
    line.append(pad(name, max(8, width - steps.cell_len - 1)) + " ", f"bold {palette.TEXT}")
    return line.append_text(steps)


def _step(text: Text, done: bool, words: str) -> None:
    text.append(f"✓ {words}" if done else f"… {words}", palette.GREEN if done else palette.AMBER)


def _held(held: Held, now: float, width: int) -> Text:
    mark, colour = _MARK[held.verdict]
    words = _words(held, now)
    line = Text(f"  {mark} ", colour, no_wrap=True)
    name = f"{one_line(held.credential) or 'no credential'}  {one_line(held.resource)}"
    if held.call:
        name += f"  call {held.call}"
    line.append(pad(name, max(8, width - 5 - len(words))), palette.TEXT)
    return line.append(f" {words}", colour)


def _words(held: Held, now: float) -> str:
    left = span(held.owed.until - now) if held.owed else ""
    match held.verdict:
        case Verdict.WAITING:
            return "refusing"
        case Verdict.DEAD:
            return "cut on the wire" if held.mode is KillMode.WIRE else "confirmed dead"
        case Verdict.EXPIRING:
            return f"dies by itself in {left}"
        case Verdict.STUCK:
            return f"not confirmed, dies in {left}"
        case Verdict.ASKING:
            asked = f"asked {held.owed.tries}×" if held.owed and held.owed.tries else "asking"
            return f"{asked}, not confirmed yet"
