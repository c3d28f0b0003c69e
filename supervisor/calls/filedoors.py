"""Files outside a container that a call was allowed: they are shown in it until the call settles.

Which ones may be: what policy and person allowed, and never what holds credentials or is ours.
What can be said before a person is asked is said then, so that nobody approves what cannot work.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from supervisor import places
from supervisor.calls.reach import OutOfReach
from supervisor.calls.recorder import Recorder
from supervisor.desk import Desk
from supervisor.effects.labels import label_of
from supervisor.errors import Denied, LaunchFailed, LedgerFailed
from supervisor.grants.book import Book, TaskEntry
from supervisor.model import Call, Effect, FileDoor, Outcome, Runtime, Tier, ToolKind, Verb
from supervisor.process.containment import within

# Classes of path (effects/labels.toml) that may be shown; every other one is kept from tasks.
_WRITABLE = frozenset({"", "cache", "ci", "executes", "system"})
_READABLE = _WRITABLE | {
    "git-hooks", "git-config", "agent-settings", "startup", "policy",
}  # fmt: skip
_MOST = 64  # doors of one call
_MOST_LOOKED_AT = 5000  # entries of a directory that is to be shown
_LOOKING = 0.5  # seconds


@dataclass(slots=True)
class FileDoors:
    """Opens and closes them. The holder does the work (`process.filedoors`)."""

    book: Book
    records: Recorder
    desk: Desk
    home: str = field(default_factory=lambda: os.path.realpath(os.path.expanduser("~")))
    _open: dict[str, Sequence[FileDoor]] = field(default_factory=dict)  # by call
    _readable: set[str] = field(default_factory=set)  # tasks that still read what they were shown

    async def needed(self, entry: TaskEntry, call: Call) -> tuple[FileDoor, ...]:
        """What this call needs from outside, if it is allowed.

        Raises:
            OutOfReach: something of it cannot be shown to a task, whatever a person says.
        """
        runtime = entry.task.runtime
        effects = [effect for effect in call.effects if _outside(effect, call)]
        if not effects or not runtime.tier.contained:
            return ()
        try:
            doors = await asyncio.to_thread(self._doors, effects, runtime)
        except Denied as error:
            raise OutOfReach(error.message, hint=error.hint, call=call) from error
        if doors and runtime.tier is not Tier.A:
            option = "--write" if doors[0].write else "--show"
            raise OutOfReach(
                f"{doors[0].path} is out of this task's reach.",
                hint=f"The person can start the task with {option} {doors[0].path}.",
                call=call,
            )
        return doors

    async def open(self, entry: TaskEntry, call: str, doors: Sequence[FileDoor]) -> None:
        """Show them. On record first.

        Raises:
            Denied: it cannot be done. Nothing is shown.
            LedgerFailed: nor recorded.
        """
        self._open = {
            known: doors for known, doors in self._open.items() if self.book.call(known) is not None
        }
        shown = [f"{'write' if door.write else 'read'} {door.path}" for door in doors]
        await self.records.write(
            "doors.opened", entry, call=call, doors=shown, preview=", ".join(shown)
        )
        self._open[call] = doors
        try:
            await self.desk.runtimes[entry.task.id].control.open_doors(call, doors)
        except LaunchFailed as error:
            raise Denied(
                error.message, hint="Work on a copy in the workspace, or ask the person."
            ) from error

    async def close(self, call: Call) -> None:
        """The call is over: what it made is put in place, and nothing can be written any more.

        Agents look at a file before they announce that they will change it: what a file tool was
        shown can be read until the agent's turn ends. What a command was shown is gone at once.
        """
        doors = self._open.pop(call.id, ())
        runtime = self.desk.runtimes.get(call.task)
        if not doors or runtime is None:
            return
        problem = ""
        made: tuple[str, ...] = ()
        try:
            made = await runtime.control.close_doors(call.id, publish=True)
            if call.tool_call.kind is not ToolKind.SHELL:
                self._readable.add(call.task)
                again = [replace(door, write=False) for door in doors]
                await runtime.control.open_doors(_turn(call.task), again)
        except LaunchFailed as error:
            problem = error.message
        with contextlib.suppress(LedgerFailed):
            await self.records.write(
                "doors.closed",
                self.book.task(call.task),
                call=call.id,
                made=list(made),
                readable=call.task in self._readable,
                detail=problem,
            )

    async def drop(self, call: Call) -> None:
        """The call was revoked: nothing it was shown stays, and nothing it made is put in place."""
        runtime = self.desk.runtimes.get(call.task)
        if self._open.pop(call.id, ()) and runtime is not None:
            with contextlib.suppress(LaunchFailed):
                await runtime.control.close_doors(call.id, publish=False)

    async def end_turn(self, task: str) -> None:
        """The agent waits for the person: nothing outside is to be read any more."""
        runtime = self.desk.runtimes.get(task)
        if task not in self._readable or runtime is None:
            return
        self._readable.discard(task)
        with contextlib.suppress(LaunchFailed):
            await runtime.control.close_doors(_turn(task), publish=False)
        with contextlib.suppress(LedgerFailed):
            await self.records.write(
                "doors.closed", self.book.task(task), call="", made=[], readable=False, detail=""
            )

    # ── which ───────────────────────────────────────────────────────────────────────────

    def _doors(self, effects: Sequence[Effect], runtime: Runtime) -> tuple[FileDoor, ...]:
        """Looks at the disk. Raises Denied."""
        doors: dict[str, FileDoor] = {}
        for effect in effects:
            write = effect.verb is Verb.WRITE
            for path in _meant(effect.resource):
                source = os.path.realpath(path)
                if _reaches(runtime, path, write=write):
                    continue
                if not write and not os.path.exists(source):
                    continue  # there is nothing to read: the call finds that out
                self._check(path, source, _WRITABLE if write else _READABLE)
                for kept in runtime.denied:
                    if within(source, kept) or within(kept, source):
                        raise Denied(f"{kept} is kept from tasks.", hint="Do without it.")
                known = doors.get(path)
                doors[path] = FileDoor(path, source, write or (known is not None and known.write))
        found = [door for door in doors.values() if not _inside_another(door, doors)]
        if len(found) > _MOST:
            raise Denied(
                f"This call names {len(found)} files outside the workspace, more than {_MOST}.",
                hint="Take fewer at a time.",
            )
        return tuple(sorted(found, key=lambda door: door.path))

    def _check(self, path: str, source: str, fit: frozenset[str]) -> None:
        for name in (path, source):
            if self._label(name) not in fit:
                raise Denied(f"{name} is kept from tasks.", hint="Do without it.")
        if within(self.home, source):
            raise Denied(f"{path} holds the whole home.", hint="Name what you need in it.")
        for ours in map(os.path.realpath, _ours()):
            if within(source, ours) or within(ours, source):
                raise Denied(
                    f"{path} holds what is taskpass's own.", hint="Name what you need in it."
                )
        if os.path.isdir(source):
            self._look_through(path, source, fit)

    def _look_through(self, path: str, source: str, fit: frozenset[str]) -> None:
        until = time.monotonic() + _LOOKING
        for count, inner in enumerate(_walk(source)):
            if self._label(inner) not in fit:
                raise Denied(
                    f"{path} holds {os.path.relpath(inner, source)}, which is kept from tasks.",
                    hint="Name the files you need, one by one.",
                )
            if count >= _MOST_LOOKED_AT or time.monotonic() > until:
                raise Denied(
                    f"{path} is too large to be looked through for secrets.",
                    hint="Name the files you need, one by one.",
                )

    def _label(self, path: str) -> str:
        below = path[len(self.home) :] if within(path, self.home) else ""
        return label_of(path.casefold(), below.casefold())


def _turn(task: str) -> str:
    """Under which name the holder keeps what can be read until the turn ends."""
    return f"{task} turn"


def _outside(effect: Effect, call: Call) -> bool:
    """Whether an effect is one on a file that the container has not, and that was allowed.

    Plain reads of the system go on without a question because a container has none of the
    person's: what is not asked about is shown only in the home, where a rule of the person's own
    allowed it.
    """
    where = effect.attributes
    if effect.verb not in (Verb.READ, Verb.WRITE):
        return False
    if where.get("inside") or where.get("temporary"):
        return False
    asked = call.decision.outcome is Outcome.ASK and effect in call.decision.about
    return effect.verb is Verb.WRITE or asked or bool(where.get("home") and not where.get("label"))


def _meant(path: str) -> list[str]:
    """The files that a name stands for: itself, or what its wildcards match now."""
    if glob.has_magic(path) and not os.path.lexists(path):
        return glob.glob(path)
    return [path]


def _reaches(runtime: Runtime, path: str, *, write: bool) -> bool:
    """Whether the task has it already, by the plan of its container."""
    trees = runtime.writable if write else (*runtime.writable, *runtime.let_read)
    return any(within(path, tree) for tree in trees)


def _inside_another(door: FileDoor, doors: dict[str, FileDoor]) -> bool:
    """Whether a directory that is shown brings it along."""
    return any(
        other.path != door.path and within(door.path, other.path) and other.write >= door.write
        for other in doors.values()
    )


def _walk(directory: str) -> Iterator[str]:
    for folder, names, files in os.walk(directory):
        for name in (*names, *files):
            yield os.path.join(folder, name)


def _ours() -> tuple[str, ...]:
    return places.config(), places.state(), places.runtime(), places.cache()
