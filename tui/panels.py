"""The side column: tasks, grants and events as Rich text. Pure."""

from __future__ import annotations

from rich.text import Text

from supervisor.model import Grant, Lease, LeaseState, TaskState
from supervisor.protocol import wire
from tui import palette, records
from tui.lines import View
from tui.text import (
    STATE_COLOUR,
    STATE_SYMBOL,
    bar,
    clip,
    kill_words,
    one_line,
    pad,
    plural,
    program,
    span,
    task_state,
    time_of_day,
    urgency,
    watch,
)
from tui.world import is_gone

_ENDED_SECONDS = 30.0  # for which a subagent that has ended is shown

_SHORT_STATE = {
    TaskState.WORKING: "working",
    TaskState.STARTING: "starting",
    TaskState.WAITING_APPROVAL: "approval",
    TaskState.WAITING_YOU: "you",
    TaskState.IDLE: "idle",
    TaskState.FROZEN: "frozen",
    TaskState.REVOKED: "revoked",
    TaskState.ENDED: "ended",
    TaskState.LOST: "lost",
}


def heading(title: str, aside: str, width: int) -> Text:
    """A section's first line: `TASKS               1-9`."""
    text = Text(title, f"bold {palette.MUTED}", no_wrap=True)
    space = max(1, width - text.cell_len - len(aside))
    return text.append(" " * space + aside, f"not bold {palette.MUTED}")


def tasks(view: View, width: int) -> list[tuple[str, Text]]:
    """One line a task, with its id to find it by when it is clicked."""
    return [
        (task.id, (_subagent if task.subagent else _task)(task, view, width))
        for task in listed(view)
    ]


def listed(view: View) -> list[wire.TaskView]:
    """Every task, each with its subagents and commands below it: those that work, that were
    revoked, and that have just ended."""
    return [task for task in view.world.in_order() if not task.path or _shows(task, view)]


def _shows(task: wire.TaskView, view: View) -> bool:
    above = view.world.tasks.get(task.parent)
    if above is None or is_gone(view.world.agent_of(above)):
        return False
    return not task.ended or view.now - task.ended < _ENDED_SECONDS


def _subagent(task: wire.TaskView, view: View, width: int) -> Text:
    """`└ 1.2 ● explore a01d  2 grants  0:12`: it is one by its agent's word alone."""
    state = task_state(task.state)
    focused = view.task is not None and task.id == view.task.id
    lead = "▸" if focused else " "
    text = Text(lead + "  " * (task.path.count(".") or 1) + "└ ", palette.TEAL, no_wrap=True)
    text.append(f"{task.called} ", palette.MUTED)
    text.append(f"{STATE_SYMBOL[state]} ", STATE_COLOUR[state])
    held = len(view.world.grants_of(task.id, view.now))
    about = plural(held, "grant") if held else plural(task.allowed + task.denied, "call")
    age = watch((task.ended or view.now) - task.created)
    # There is little room, and the mark says it.
    words = f" {about}  {age}" + ("" if state is TaskState.WORKING else f" {_SHORT_STATE[state]}")
    room = max(4, width - text.cell_len - len(words))
    text.append(pad(task.purpose, room), palette.TEXT if focused else palette.MUTED)
    return text.append(words, palette.MUTED)


def _task(task: wire.TaskView, view: View, width: int) -> Text:
    state = task_state(task.state)
    focused = view.task is not None and task.id == view.task.id
    nested = task.parent in view.world.tasks
    lead = ("▸" if focused else " ") + ("└" if nested else "")
    review = task.to_review > 0 and state in (TaskState.ENDED, TaskState.REVOKED, TaskState.LOST)
    word = "review" if review else _SHORT_STATE[state]
    text = Text(lead, palette.TEAL, no_wrap=True)
    text.append(f"{task.called} ", f"bold {palette.TEXT}")
    text.append(f"{STATE_SYMBOL[state]} ", STATE_COLOUR[state])
    room = width - text.cell_len - len(word) - 1
    agent = pad(program(task.agent), 6)
    text.append(f"{agent} ", palette.TEXT if focused else palette.MUTED)
    text.append(
        pad(task.purpose or "no purpose given", max(1, room - len(agent) - 1)),
        f"bold {palette.TEXT}" if focused else palette.TEXT,
    )
    return text.append(f" {word}", palette.AMBER if review else STATE_COLOUR[state])


def grant(one: Grant, leases: list[Lease], now: float, width: int) -> Text:
    """A grant with its countdown, what it did, how it dies, and its open leases."""
    left = one.expires - now
    ends = span(left)
    text = Text(no_wrap=True)
    text.append(pad(one.credential or "no credential", 11), f"bold {palette.TEXT}")
    text.append(" " + pad(one.resource, max(4, width - 13 - len(ends))), palette.TEXT)
    text.append(f" {ends}\n", f"bold {urgency(left)}")
    text.append(f"  {bar(left, one.expires - one.created)}", urgency(left))
    used = f"×{one.uses}"
    if one.last_used:
        used += f", last {span(now - one.last_used)} ago"
    text.append(f"  {clip(used, max(4, width - 9))}\n", palette.TEXT)
    about = f"  {one.issuer} · {kill_words(one.kill_mode, one.kill_bound)}"
    text.append(clip(about, width), palette.MUTED)
    for lease in leases:
        text.append("\n")
        text.append_text(_lease(lease, now, width))
    return text


def _lease(lease: Lease, now: float, width: int) -> Text:
    left = lease.expires - now
    text = Text(f"  └ {clip(lease.call, 22)} ", palette.MUTED, no_wrap=True)
    if lease.state is LeaseState.POSSIBLY_LIVE:
        until = f"possibly live {span(left)}" if left > 0 else "over"
        return text.append(clip(until, max(4, width - text.cell_len)), f"bold {palette.RED}")
    text.append(bar(left, lease.expires - lease.opened), urgency(left))
    return text.append(f" {span(left)}", f"bold {urgency(left)}")


def owed(one: wire.OwedView, now: float, width: int) -> Text:
    """A credential that may still be live elsewhere: since when, and when it dies by itself."""
    left = one.until - now
    dies = f"dies in {span(left)}" if left > 0 else "past its end"
    text = Text(no_wrap=True)
    text.append(pad(one.credential, 11), f"bold {palette.TEXT}")
    text.append(" " + pad(one.state, max(4, width - 13 - len(dies))), f"bold {palette.RED}")
    text.append(f" {dies}", palette.RED)
    if one.problem:
        text.append("\n  " + clip(one_line(one.problem), max(4, width - 2)), palette.MUTED)
    return text


def event(record: dict[str, object], view: View, width: int) -> Text:
    """One record as a line of the event stream: when, whose, what came of it, about what."""
    line = records.line(record)
    task = view.world.tasks.get(line.task)
    text = Text(time_of_day(line.time), palette.MUTED, no_wrap=True)
    focused = task is not None and view.task is not None and task.id == view.task.id
    text.append(f" {task.called if task else '·'} ", palette.TEXT if focused else palette.MUTED)
    if line.decision:
        text.append(line.decision + " ", line.colour)
    return text.append(clip(line.sentence, max(1, width - text.cell_len)), palette.TEXT)
