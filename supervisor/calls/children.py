"""Subagents as tasks of their own, below the one whose agent runs them.

That a call is a subagent's, and which one's, only its agent says. So the claim narrows and never
widens: a child is under its parent's policies, budgets, end and revocations at every depth, what is
granted to it is its alone, and it falls with each task above it. Who leaves the claim out, or makes
one up, has what the agent has anyway.

A subagent that is asked to go on after its turn has ended is a new task: no grant is carried over.
One that was revoked stays so, under its name, for as long as its agent runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from supervisor.calls.questions import Questions
from supervisor.calls.recorder import Recorder
from supervisor.desk import Desk
from supervisor.errors import Denied, LedgerFailed, NotFound
from supervisor.grants.book import Book, TaskEntry
from supervisor.grants.recovery import Restrained
from supervisor.model import Call, Limits, Task, TaskState, ToolCall, ToolKind, new_id
from supervisor.protocol.wire import GrantChanged
from supervisor.tasks.child_control import ChildControl

_LONGEST = 80  # characters of what a subagent is called
_MOST_LIVE = 64  # subagents of one agent at a time
_MOST_KEPT = 16  # that are over and still shown
_MOST_ANNOUNCED = 1024  # of all agents, that have not called yet


@dataclass(slots=True)
class Children:
    """Makes, finds and ends them."""

    book: Book
    records: Recorder
    desk: Desk
    questions: Questions
    clock: Callable[[], float] = time.time
    _ids: dict[tuple[str, str], str] = field(default_factory=dict)  # (top, its name) → task
    _starting: dict[str, asyncio.Future[None]] = field(default_factory=dict)  # by task
    _announced: dict[tuple[str, str], TaskEntry] = field(default_factory=dict)  # … → who started it
    _spawned: set[str] = field(default_factory=set)  # calls that have brought their subagent
    # Whose access went while a subagent of theirs was on its way, by the top task.
    _orphaned: dict[str, list[TaskEntry]] = field(default_factory=dict)

    # ── whose call it is ────────────────────────────────────────────────────────────────

    async def announcing(self, top: TaskEntry, call: ToolCall) -> TaskEntry:
        """The task that announces `call`: the agent's own, or a subagent's. On record first.

        Raises:
            Revoked: the subagent's access was taken away, or that of a task above it.
            Denied: the agent has too many subagents.
            LedgerFailed: its start cannot be recorded; it has no task then.
        """
        if not call.subagent:
            return top
        child = self._known(top, call.subagent)
        if child is None or (child.ended and not child.revoked):
            child = self._make(top, call)
            self._starting[child.task.id] = asyncio.ensure_future(self._start(child))
        if starting := self._starting.get(child.task.id):
            await asyncio.shield(starting)
        return self.book.require_live(child.task.id)

    def spawned(self, top: TaskEntry, subagent: str, by: str) -> None:
        """Its agent says who has started a subagent; only of one that has no task yet."""
        spawner = (self._known(top, by) if by else None) or top
        key = (top.task.id, subagent[:_LONGEST])
        if key in self._ids or len(self._announced) >= _MOST_ANNOUNCED:
            return
        self._announced[key] = spawner
        if spawner in (orphaned := self._orphaned.get(top.task.id, [])):
            orphaned.remove(spawner)

    def whose(self, top: TaskEntry, call: ToolCall) -> TaskEntry:
        """As `announcing`, of what is there already: a call that was refused."""
        return (self._known(top, call.subagent) if call.subagent else None) or top

    def restore(self, top: TaskEntry, child: Restrained) -> None:
        """One that was revoked or frozen under an earlier supervisor: it stays so, by its name."""
        entries = {entry.task.id: entry for entry in top.family}
        parent = entries.get(child.parent, top)
        made = replace(_task_of(parent.task, child.subagent, "", self.clock()), id=child.task)
        entry = self.book.add_child(made, parent, epoch=child.epoch or 1)
        entry.revoked, entry.frozen = bool(child.epoch), not child.epoch
        self._ids[top.task.id, child.subagent] = child.task
        self._serve(entry)

    def _known(self, top: TaskEntry, subagent: str) -> TaskEntry | None:
        known = self._ids.get((top.task.id, subagent[:_LONGEST]))
        return self.book.task(known) if known else None

    def _make(self, top: TaskEntry, call: ToolCall) -> TaskEntry:
        self._make_room(top)
        name = call.subagent[:_LONGEST]
        above = self._parent(top, name)
        child = self.book.add_child(
            _task_of(above.task, name, call.subagent_kind, self.clock()), above
        )
        self._ids[top.task.id, name] = child.task.id
        self._serve(child)
        return child

    def _serve(self, child: TaskEntry) -> None:
        # Its processes are the agent's: what differs is which of them are its own.
        runtime = self.desk.runtimes[child.top.task.id]
        control = ChildControl(
            runtime.control, lambda: [tree for one in child.family for tree in one.trees]
        )
        self.desk.runtimes[child.task.id] = replace(runtime, control=control)

    async def _start(self, child: TaskEntry) -> None:
        try:
            await self.records.started(child)
        except LedgerFailed:
            self._forget(child)
            raise
        finally:
            self._starting.pop(child.task.id, None)
        self.desk.changed(child)

    def _parent(self, top: TaskEntry, name: str) -> TaskEntry:
        """Below whom a subagent stands. One that goes on stays where it was: nobody comes out
        from under what was revoked by beginning anew."""
        known = self._known(top, name)
        under = known.above if known else self._announced.pop((top.task.id, name), None)
        if under is None:
            return self._spawner(top)
        return next(one for one in under.chain if one.revoked or not one.ended)

    def _spawner(self, top: TaskEntry) -> TaskEntry:
        """Whose subagent a new one is: of who is starting one; where several are, of what all of
        them are below."""
        if orphaned := self._orphaned.get(top.task.id):
            return orphaned.pop(0)
        opened = self._spawning(top)
        chains = [self.book.task(call.task).chain for call in opened]
        common = set(chains[0]).intersection(*chains[1:]) if chains else {top}
        spawner = next(entry for entry in (chains[0] if chains else (top,)) if entry in common)
        own = [call.id for call in opened if call.task == spawner.task.id]
        self._spawned = {call for call in self._spawned if self.book.call(call)} | {*own[:1]}
        return spawner

    def _spawning(self, entry: TaskEntry) -> list[Call]:
        """Open calls of it, and of all below it, that start subagents not heard of yet."""
        return [
            call.call
            for call in self.book.open_calls(entry.task.id)
            if call.call.tool_call.kind is ToolKind.AGENT and call.call.id not in self._spawned
        ]

    def _make_room(self, top: TaskEntry) -> None:
        """Names cost an agent nothing: who is silent goes first.

        Raises:
            Denied: all of them have calls open.
        """
        children = top.subagents
        live = [child for child in children if not child.over]
        if len(live) >= _MOST_LIVE:
            idle = [child for child in live if not self._busy(child)]
            if not idle:
                raise Denied(
                    f"This task has {_MOST_LIVE} subagents at work, and no more can be told apart.",
                    hint="Wait until one of them has ended.",
                )
            self._end(idle[0], "made room")
        over = [child for child in children if child.ended and not child.below]
        over.sort(key=lambda child: child.ended)
        for child in over[: max(0, len(over) - _MOST_KEPT)]:
            if not child.revoked:
                self._forget(child)
                assert child.above is not None
                self.spawned(top, child.task.subagent, child.above.task.subagent)

    def _forget(self, child: TaskEntry) -> None:
        if self._known(child.top, child.task.subagent) is child:
            del self._ids[child.top.task.id, child.task.subagent]
        self.desk.runtimes.pop(child.task.id, None)
        self.book.forget_child(child)

    # ── their ends ──────────────────────────────────────────────────────────────────────

    def turn_ended(self, top: TaskEntry, subagent: str) -> None:
        """Its agent says that a subagent has done its part."""
        child = self._known(top, subagent)
        if child is not None and not child.over:
            child.turns.ended()
            self.look(child.task.id)
        busy = any(not one.over and not one.turns.over for one in top.subagents)
        self.desk.set_activity(top, top.turns.left_by(busy=busy))

    def look(self, task: str) -> None:
        """End a subagent's task, and those above it, once nothing of it goes on any more."""
        with contextlib.suppress(NotFound):
            for entry in self.book.task(task).chain[:-1]:
                if entry.over or not entry.turns.over or self._busy(entry):
                    return
                self._end(entry, "turn ended")

    def revoking(self, entry: TaskEntry) -> None:
        """Its access is over, and its calls are about to be. Whoever is on its way is too."""
        if entry.above is not None:
            coming = self._orphaned.setdefault(entry.top.task.id, [])
            coming += [self.book.task(call.task) for call in self._spawning(entry)]

    def end_all(self, top: TaskEntry, how: str) -> None:
        """The agent is gone, and all its subagents with it; their calls are settled already."""
        for child in reversed(top.subagents):
            if not child.ended:
                self._end(child, how)
            self.desk.runtimes.pop(child.task.id, None)
        for known in (self._ids, self._announced):
            for key in [key for key in known if key[0] == top.task.id]:
                del known[key]
        self._orphaned.pop(top.task.id, None)

    def _busy(self, child: TaskEntry) -> bool:
        working = any(not one.over for one in child.subagents)
        return working or bool(self.book.open_calls(child.task.id))

    def _end(self, child: TaskEntry, how: str) -> None:
        """What it was granted ends with it."""
        child.ended = self.clock()
        child.exit_code = 0
        task = child.task.id
        self.questions.cancel(task, child.epoch)
        for grant in [g for g in self.book.grants() if g.task == task]:
            self.book.drop_grant(grant.id, revoked=False)
            self.desk.publish(GrantChanged(grant=grant, live=False))
        self.desk.runtimes.pop(task, None)
        self.records.behind("task.ended", child, {"exit_code": 0, "reason": how})
        self.desk.changed(child)


def activity(top: TaskEntry, announcing: TaskEntry) -> TaskState:
    """The state of `top` after a call of `announcing`; a subagent's leaves its own turn alone."""
    if announcing is not top:
        announcing.activity = announcing.turns.called()
        return TaskState.WORKING
    return top.turns.called()


def _task_of(parent: Task, name: str, kind: str, now: float) -> Task:
    """A subagent's task: its parent's in all but its name, and no longer than that."""
    return replace(
        parent,
        id=new_id("t"),
        parent=parent.id,
        subagent=name,
        purpose=_plain(f"{kind[:_LONGEST] or 'subagent'} {name}"),
        limits=limits_below(parent, now),
        created=now,
        overlay=False,
        record=False,
    )


def limits_below(parent: Task, now: float) -> Limits:
    """Its parent's, which count it too, and no longer than that lives."""
    return replace(parent.limits, max_age=max(0.0, parent.ends - now))


def _plain(text: str) -> str:
    """The agent's words on one line, with nothing in them that acts on a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
