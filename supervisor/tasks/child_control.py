"""The processes of a subagent's task: among those of its agent, the trees of its own calls.

A call of another task is not touched, nor is the agent itself, which runs on for the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from supervisor import procfs
from supervisor.model import FileDoor, Process
from supervisor.ports import TaskControl
from supervisor.process import tree as process_tree


@dataclass(frozen=True, slots=True)
class ChildControl(TaskControl):
    """Controls what `trees` names at the time, by the whole task's control."""

    whole: TaskControl
    trees: Callable[[], Iterable[Process]]

    async def freeze(self, tree: Process | None = None) -> None:
        for one in self._meant(tree):
            await self.whole.freeze(one)

    async def thaw(self, tree: Process | None = None) -> None:
        for one in self._meant(tree):
            await self.whole.thaw(one)

    async def kill(self) -> int:
        """End every process of its calls; how many are left.

        We do it ourselves: a holder ends whole tasks. A tree stands still before it is ended, so
        that nothing of it is left for others to inherit.
        """
        left = [await asyncio.to_thread(process_tree.kill_tree, one) for one in self._meant(None)]
        return sum(left)

    async def open_doors(self, call: str, doors: Sequence[FileDoor]) -> None:
        await self.whole.open_doors(call, doors)

    async def close_doors(self, call: str, *, publish: bool) -> tuple[str, ...]:
        return await self.whole.close_doors(call, publish=publish)

    def _meant(self, tree: Process | None) -> list[Process]:
        return [one for one in ([tree] if tree else list(self.trees())) if procfs.lives(one)]
