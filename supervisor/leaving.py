"""Taking back everything that taskpass did outside its own directories, before they are removed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from supervisor.core import Engine
from supervisor.errors import Denied
from supervisor.protocol.setup import Leave, Left
from supervisor.undo import Journal


@dataclass(frozen=True, slots=True)
class Leaving:
    """What the supervisor does before it is uninstalled.

    Attributes:
        remove_credential: ends what is lent of it, and forgets its secret.
        forget_key: of what was sealed; nothing of it opens again.
    """

    engine: Engine
    journal: Journal
    remove_credential: Callable[[str], Awaitable[object]]
    forget_key: Callable[[], Awaitable[None]]

    async def leave(self, request: Leave) -> Left:
        """Undo and forget everything; may be called again after it failed on the way.

        Raises:
            Denied: a task is running, or a file was changed since and is not to be left so. What
                had been undone by then stays so; nothing else is lost.
            VaultLocked, ConfigError: something cannot be put back or forgotten now.
            IssuerFailed: a sign-in could not be ended at its provider; it is kept.
        """
        running = [
            entry
            for entry in self.engine.book.tops()
            if not entry.ended and entry.task.id in self.engine.desk.runtimes
        ]
        if running:
            raise Denied(
                f"{len(running)} tasks are running.", hint="taskpass revoke --all ends them."
            )
        undone, changed = [], []
        for entry in reversed(self.journal.entries()):
            try:
                undone.append((await self.journal.undo(entry.id)).what)
            except Denied as refused:
                if not request.leave_changed:
                    raise
                changed.append(refused.message)
        names = [spec.name for spec in self.engine.vault.specs()]
        for name in names:
            await self.remove_credential(name)
        await self.forget_key()
        return Left(undone=tuple(undone), credentials=tuple(names), changed=tuple(changed))
