"""The one-line bars of the screen as pure functions of what is known: Rich text out, no widget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from supervisor.model import Risk, TaskState
from supervisor.protocol import wire
from supervisor.sizes import size_words
from tui import palette
from tui.clicks import clickable, pressing
from tui.keymap import DEFAULT, SECOND_LEADER, Keymap
from tui.text import (
    STATE_COLOUR,
    STATE_SYMBOL,
    clip,
    one_line,
    plural,
    program,
    span,
    task_state,
    time_of_day,
    watch,
)
from tui.world import Batch, World, is_gone

_ARROW: Final = " › "
LOST: Final = "supervisor lost – reconnecting"

RISK_COLOUR: Final = {
    Risk.LOW: palette.GREEN,
    Risk.MEDIUM: palette.AMBER,
    Risk.HIGH: palette.RED,
}


@dataclass(frozen=True, slots=True)
class View:
    """What a line is made from."""

    world: World
    task: wire.TaskView | None  # the focused one
    now: float
    connected: bool = True
    only: frozenset[str] | None = None  # tasks whose approvals are answered here; None: all
    known: bool = True  # the supervisor has told what there is
    keys: Keymap = DEFAULT

    @property
    def pending(self) -> list[Batch]:
        return self.world.pending(self.now, self.only)


def spread(left: Text, right: Text, width: int) -> Text:
    """`left` and `right` at the two ends of a line of `width` cells; `left` gives way."""
    room = max(0, width - right.cell_len - 1)
    shown = left.copy()
    if shown.cell_len > room:
        shown.truncate(room, overflow="ellipsis")
    shown.append(" " * max(0, width - shown.cell_len - right.cell_len))
    shown.append_text(right)
    shown.truncate(width)
    return shown


def person(task: wire.TaskView, now: float) -> str:
    """Who a provider says the user is, as long as it does; else the account."""
    if task.person and now < task.person_until:
        return f"{one_line(task.person)} (oidc)"
    return one_line(task.user)


def identity(task: wire.TaskView, width: int, now: float = 0.0) -> Text:
    """The four parts in `width` cells. All four always show; the longest forms give way first.

    Args:
        now: POSIX seconds; 0 shows the account, whoever it belongs to.
    """
    purpose = one_line(task.purpose) or "no purpose given"
    user = person(task, now) if now else one_line(task.user)
    name = user.partition("@")[0]
    runtime = one_line(task.runtime)
    agents = one_line(task.agent), one_line(task.agent).partition(" ")[0]
    for who, agent in ((user, agents[0]), (name, agents[0]), (name, agents[1])):
        taken = sum(cell_len(part) for part in (who, agent, runtime)) + 3 * len(_ARROW)
        if taken + min(cell_len(purpose), 24) <= width:
            break
    text = Text(no_wrap=True)
    for part in (who, agent, runtime):
        text.append(part, palette.TEAL if part == agent else palette.TEXT)
        text.append(_ARROW, palette.MUTED)
    return text.append(clip(purpose, max(4, width - taken)), f"bold {palette.TEXT}")


def tier(task: wire.TaskView, *, short: bool = False) -> Text:
    """The containment tier in words, with how many ways out as good as root stay open."""
    open_ways = plural(len(task.holes), "way") + " out" if task.holes else ""
    if task.tier == "uncontained":
        more = f"· {open_ways} " if open_ways and not short else ""
        return Text(f" uncontained {more}", f"bold {palette.INK} on {palette.AMBER}")
    mode = "strict" if task.containment == "strict" else "" if short else "contained"
    text = Text(f"tier {task.tier} {mode}".rstrip(), palette.GREEN)
    return text.append(f" · {open_ways}", f"bold {palette.AMBER}") if open_ways else text


def waiting(count: int) -> Text:
    """`▲2` for two waiting approvals."""
    if not count:
        return Text("▲0", palette.MUTED)
    return Text(f" ▲{count} ", f"bold {palette.INK} on {palette.AMBER}")


def lost() -> Text:
    return Text(f" {LOST} ", f"bold {palette.INK} on {palette.RED}")


def header(view: View, width: int) -> Text:
    """The workspace's first line: product, identity of the focused task, tier, ▲, time."""
    wide = width >= 100
    right = Text(no_wrap=True)
    if not view.connected:
        right.append_text(lost())
    elif view.task is not None:
        right.append_text(clickable(tier(view.task, short=not wide), "identity"))
        if wide:
            right.append(f"   {one_line(view.task.preset)}", palette.MUTED)
    right.append("  ")
    right.append_text(clickable(waiting(len(view.pending)), "answer"))
    right.append(f"  {time_of_day(view.now)} " if wide else " ", palette.MUTED)
    left = Text(" ")
    if wide or view.task is None:
        left.append("taskpass  ", f"bold {palette.TEAL}")
    if view.task is not None:
        room = width - left.cell_len - right.cell_len - 2
        left.append_text(clickable(identity(view.task, room, view.now), "identity"))
    return spread(left, right, width)


def status(view: View, width: int, message: str = "") -> Text:
    """The one line below the pane of `taskpass run`."""
    right = Text(no_wrap=True)
    if not view.connected:
        right.append_text(lost())
    elif view.task is not None:
        state = task_state(view.task.state)
        if state in (TaskState.FROZEN, TaskState.REVOKED, TaskState.ENDED, TaskState.LOST):
            right.append(f"{STATE_SYMBOL[state]} {state}  ", f"bold {STATE_COLOUR[state]}")
        right.append_text(clickable(tier(view.task, short=width < 110), "identity"))
        right.append("  ")
        right.append_text(clickable(waiting(len(view.pending)), "answer"))
        right.append("  ")
        right.append_text(clickable(_holdings(view, short=width < 100), "grants"))
    name = "answer" if view.pending else "help"
    more = " answer" if view.pending and width >= 100 else ""
    colour = palette.AMBER if view.pending else palette.MUTED
    chord = Text(f"{view.keys.chord(name)}{more}", colour)
    right.append("  ").append_text(clickable(chord, name)).append(" ")
    left = Text(" ")
    if message:
        left.append(one_line(message), f"bold {palette.TEXT}")
    elif view.task is not None:
        who = identity(view.task, width - right.cell_len - 3, view.now)
        left.append_text(clickable(who, "identity"))
    return spread(left, right, width)


def _holdings(view: View, *, short: bool) -> Text:
    task = view.task.id if view.task else ""
    count = len(view.world.grants_of(task, view.now))
    left = view.world.next_expiry(task, view.now)
    if left is None:
        return Text("no grants", palette.MUTED)
    words = plural(count, "grant")
    text = Text(f"{words}, " if short else f"{words}, next ", palette.TEXT)
    return text.append(span(left), palette.TEAL)


def attention(view: View, width: int) -> Text:
    """The workspace's line that tells what waits for the person."""
    pending = view.pending
    if not pending:
        return _calm(view, width)
    batch, request = pending[0], pending[0].first
    task = view.world.tasks.get(request.task)
    left = Text(f" ▲ {len(pending)}  ", f"bold {palette.AMBER}", no_wrap=True)
    if task is not None:
        name = one_line(task.purpose) or task.profile
        left.append(f"{task.called} {clip(name, 24)} ", palette.TEXT)
    left.append("wants  ", palette.MUTED)
    wanted, _, command = request.title.partition("\n")
    left.append(one_line(wanted), f"bold {palette.TEXT}")
    if len(batch.requests) > 1:
        left.append(f" ×{len(batch.requests)}", palette.AMBER)
    if command:
        left.append(f"  {one_line(command)}", palette.MUTED)
    right = Text(no_wrap=True)
    if request.risk is Risk.HIGH:
        right.append(" HIGH ", f"bold {palette.INK} on {palette.RED}")
    if width >= 100:
        right.append(f"  waits {watch(view.now - request.created)}", palette.MUTED)
    for name, does in (("answer", "answer"), ("deny_first", "deny")):
        chord = Text(f"{view.keys.chord(name)} {does}", palette.AMBER)
        right.append("  ").append_text(clickable(chord, name)).append(" ")
    return spread(left, right, width)


def _calm(view: View, width: int) -> Text:
    tasks = [task for task in view.world.tasks.values() if not is_gone(task)]
    you = [task for task in tasks if task_state(task.state) is TaskState.WAITING_YOU]
    left = Text(" ", no_wrap=True)
    if view.world.locked:
        left.append("secrets are locked", f"bold {palette.AMBER}")
        left.append(f" · {view.keys.chord('unlock')} unlocks  ", palette.TEXT)
    if you:
        numbers = ", ".join(task.called for task in you)
        left.append(f"◐ waiting for you: {numbers}", palette.BLUE)
    else:
        left.append("no approval waits", palette.MUTED)
    right = Text(no_wrap=True)
    if view.task is not None:
        task = view.task
        counts = f"asked {task.asked} · denied {task.denied} · allowed {task.allowed} "
        used = metered(task)
        right.append(f"{used} · {counts}" if used and width >= 100 else counts, palette.MUTED)
    return spread(left, right, width)


def metered(task: wire.TaskView) -> str:
    """`12 % cpu · 212 MB · 14 processes`; "" while nothing has been measured."""
    if is_gone(task) or not task.processes:
        return ""
    noun = "process" if task.processes == 1 else "processes"
    return f"{task.cpu_pct:.0f} % cpu · {size_words(task.rss_bytes)} · {task.processes} {noun}"


def strip(view: View, width: int) -> Text:
    """The task list in one line, for narrow screens."""
    text = Text(" ", no_wrap=True)
    for task in view.world.agents():
        state = task_state(task.state)
        focused = view.task is not None and task.id == view.task.id
        style = f"{'bold reverse ' if focused else ''}{STATE_COLOUR[state]}"
        name = f"{task.called}{STATE_SYMBOL[state]}{clip(program(task.agent), 9)}"
        text.append_text(clickable(Text(name, style), f"show('{task.id}')")).append(" ")
    hint = Text(f"{view.keys.chord('help')} help", palette.MUTED, no_wrap=True)
    clickable(hint, "help").append(" ")
    return spread(text, hint, width)


def which_key(keys: Keymap, width: int) -> Text:
    """What may follow the leader, wrapped to as many lines as it takes."""
    every = [("1-9", "task")] + [(one.shown, one.hint) for one in keys.commands]
    return key_line(f"{keys.leader_shown} then", every, width)


def panic_keys(view: View, left: float, width: int) -> Text:
    """How far freezing everything is, and what may follow it for `left` seconds."""
    live = [task for task in view.world.agents() if not is_gone(task)]
    frozen = sum(task_state(task.state) is TaskState.FROZEN for task in live)
    again = f"again within {span(left)} revokes every task"
    return key_line(
        f"❄ {frozen} of {plural(len(live), 'task')} frozen",
        [(view.keys.command("panic").shown, again), ("other keys", "leave it so")],
        width,
    )


def hints(keys: Keymap, width: int) -> Text:
    """The quiet reminder of the leader at the bottom of a wide workspace."""
    text = Text(f" {keys.leader_shown}", f"bold {palette.TEAL}", no_wrap=True)
    text.append(" then" if keys.leader == SECOND_LEADER else " or F12, then", palette.MUTED)
    text.append("  1-9", palette.TEXT).append(" task", palette.MUTED)
    *others, last = [one for one in keys.commands if one.reminded]
    room = width - len(f"  {last.shown} {last.hint} ")
    for one in (*others, last):
        if text.cell_len + len(f"  {one.shown} {one.hint}") > room and one is not last:
            continue
        shown = Text(one.shown, palette.TEXT).append(f" {one.hint}", palette.MUTED)
        text.append("  ").append_text(clickable(shown, one.name))
    return text


def key_line(title: str, hints: Sequence[tuple[str, str]], width: int) -> Text:
    """Keys and what they do, wrapped between hints, never inside one."""
    text = Text(f" {title}", f"bold {palette.TEAL}", no_wrap=True)
    column = text.cell_len
    indent = 2 if column > 20 else column
    for key, hint in hints:
        needed = 2 + cell_len(key) + 1 + cell_len(hint)
        if column + needed > width - 1:
            text.append("\n" + " " * indent)
            column = indent
        shown = Text(key, f"bold {palette.AMBER}").append(f" {hint}", palette.TEXT)
        text.append("  ").append_text(pressing(shown, key))
        column += needed
    return text
