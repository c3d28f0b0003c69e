"""Minds the settings of agents and the hooks around a task that nothing contains.

What is written there in mid-session would decide about the next one (`disableAllHooks`, a server
in `.mcp.json`, a hook of git). A write that a call announced was judged beforehand. Any other is
put on record as an incident, and put back where policy would not have let it happen and the task
may have done it; what was written is set aside. With no call open it was somebody else: the
person, say.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supervisor.core import Engine
from supervisor.effects import effects_of
from supervisor.effects.files import within
from supervisor.errors import TaskpassError
from supervisor.grants.book import TaskEntry
from supervisor.model import Outcome, Tier, ToolCall, ToolKind, Verb
from supervisor.process.settings_files import Kept, Looked, differing, keep, put_back

log = logging.getLogger("supervisor")

_GATHER = 50  # milliseconds without a further change, after which one is looked at
_PACE = 1000  # milliseconds after which it is looked in any case
_SINCE = 5.0  # seconds that the end of a call may lie back of what it wrote
_RECENT = 40  # records of the task in which to look for such calls
_CHANGES = frozenset({Verb.WRITE, Verb.DELETE})


@dataclass(slots=True)
class SettingsWatch:
    """One task's. `aside`: directory for what was written and put back, made when needed."""

    engine: Engine
    entry: TaskEntry
    looked: Looked
    aside: Path
    _before: dict[str, Kept] = field(default_factory=dict)
    _times: int = 0  # something was put back

    async def run(self) -> None:
        """Until the task is over."""
        watchfiles = await asyncio.to_thread(importlib.import_module, "watchfiles")
        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of every change
        self._before = keep(await asyncio.to_thread(self.looked.marks))
        polling = None  # of itself; else as where nothing more can be watched
        while not self._over():
            try:
                await self._follow(watchfiles, polling)
            except (OSError, RuntimeError) as error:
                log.warning("task %s: cannot watch settings: %s", self.entry.task.id, error)
                polling = True

    async def _follow(self, watchfiles: Any, polling: bool | None) -> None:
        """Look at each change, and every second, until there are other folders to watch."""
        folders = list(dict.fromkeys(await asyncio.to_thread(lambda: list(self.looked.folders()))))
        changes = watchfiles.awatch(
            *folders, recursive=False, watch_filter=None, debounce=_GATHER, step=_GATHER,
            rust_timeout=_PACE, yield_on_timeout=True, force_polling=polling,
        )  # fmt: skip
        async with contextlib.aclosing(changes):
            async for _ in changes:
                if self._over() or await self.look():
                    return

    async def look(self) -> list[str]:
        """Deal with what has changed since the last look; the paths."""
        now = await asyncio.to_thread(self.looked.marks)
        changed = differing(self._before, now)
        if changed:
            announced, active = await asyncio.to_thread(self._announced)
            unknown = [
                path for path in changed if not any(within(path, each) for each in announced)
            ]
            if unknown:
                await self._deal_with(unknown, active)
            marks = await asyncio.to_thread(self.looked.marks)
            self._before = await asyncio.to_thread(keep, marks, self._before)
        return changed

    async def _deal_with(self, paths: list[str], active: bool) -> None:
        """`active`: the task had a call open, and may have done it."""
        back: list[str] = []
        if active and (refused := [path for path in paths if not self._allowed(path)]):
            self._times += 1
            aside = str(self.aside / f"{self.entry.task.id}-{self._times}")
            back = await asyncio.to_thread(put_back, refused, self._before, aside)
        detail: dict[str, Any] = {"paths": paths, "put_back": back}
        if back:
            detail["aside"] = aside
        await self.engine.incident(self.entry.task.id, "settings_changed", detail)

    def _allowed(self, path: str) -> bool:
        """Whether policy lets this task write there without being asked."""
        entry = self.entry
        runtime = self.engine.desk.runtimes.get(entry.task.id)
        if runtime is None:
            return False
        call = ToolCall("", "Write", ToolKind.WRITE, {}, entry.task.cwd, paths=(path,))
        effects = effects_of(call, runtime.place)
        try:
            decision = self.engine.judge.call(entry, runtime, call, effects)
        except TaskpassError:
            return False
        return decision.outcome is Outcome.ALLOW

    def _announced(self) -> tuple[list[str], bool]:
        """What calls that are open, or were a moment ago, said they would change; and whether
        there is such a call of this very task. Other tasks may work in the same place."""
        book = self.engine.book
        paths: list[str] = []
        active = False
        for entry in book.tasks():
            for opened in book.open_calls(entry.task.id):
                if opened.call.tool_call.tool == "process":
                    continue  # the whole run of a program that announces nothing
                paths += (e.resource for e in opened.call.effects if e.verb in _CHANGES)
                active = active or entry is self.entry
        kinds = ("call.opened", "call.settled")
        ended: dict[str, float] = {}
        for record in reversed(self.engine.ledger.latest(_RECENT, kinds=kinds)):
            if record["kind"] == "call.settled":
                ended[str(record.get("call"))] = record["time"]
            elif ended.get(str(record.get("call")), 0.0) > time.time() - _SINCE:
                whose = (record.get("task"), record.get("top"))  # a subagent's is its agent's
                active = active or self.entry.task.id in whose
                paths += _written(record.get("effects", ()))
        return paths, active

    def _over(self) -> bool:
        return bool(self.entry.ended) or self.entry.revoked


def _written(labels: Iterable[str]) -> list[str]:
    """Paths from the labels of effects that change files ("write /p/.mcp.json")."""
    parted = (label.partition(" ") for label in labels)
    return [path for verb, _, path in parted if verb in _CHANGES]


def watch(engine: Engine, entry: TaskEntry, aside: Path) -> SettingsWatch | None:
    """For a task that nothing contains; None for any other, whose settings are guarded."""
    task = entry.task
    if task.runtime.tier is not Tier.UNCONTAINED:
        return None
    real = os.path.realpath
    looked = Looked(real(task.workspace), real(task.cwd), real(os.path.expanduser("~")))
    return SettingsWatch(engine, entry, looked, aside)
