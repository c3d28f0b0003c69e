"""The client, with what only setting up, undoing and leaving need."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from supervisor import errors
from supervisor.client import AsyncClient
from supervisor.model import LeaseState
from supervisor.protocol import imports as wire_imports
from supervisor.protocol import setup as wire_setup
from supervisor.protocol import vault as wire_vault
from supervisor.protocol import wire

_LOOKS, _PAUSE = 500, 0.02  # whether the tasks have ended; seconds between two
# A credential in one of these is not known to be dead, and nobody tries once we are gone.
_OWED = frozenset({LeaseState.UNCONFIRMED, LeaseState.IRREVOCABLE, LeaseState.POSSIBLY_LIVE})


class SetupClient(AsyncClient):
    """Every method raises TaskpassError on failure, as those of AsyncClient."""

    async def undoable(self) -> list[wire_setup.UndoView]:
        """What can be undone, oldest first."""
        return await self._call("GET", "/v1/undo", answer=list[wire_setup.UndoView])

    async def record_undo(self, request: wire_setup.RecordUndo) -> wire_setup.UndoView:
        return await self._call("POST", "/v1/undo", request, answer=wire_setup.UndoView)

    async def forget_undo(self, name: str) -> None:
        """What was recorded did not happen."""
        await self._call("DELETE", f"/v1/undo/{name}", answer=dict)

    async def undo(self, name: str = "") -> wire_setup.UndoView:
        """Undo one change, "" for the last."""
        return await self._call("POST", f"/v1/undo/{name or 'last'}", answer=wire_setup.UndoView)

    async def copy_undo(self, name: str, folder: str) -> wire_setup.Copied:
        body = wire_setup.CopyUndo(folder=folder)
        target = f"/v1/undo/{name or 'last'}/copy"
        return await self._call("POST", target, body, answer=wire_setup.Copied)

    async def plan_import(self, request: wire_imports.PlanImport) -> wire_imports.ImportPlan:
        """What importing a `.env` would do; nothing is changed."""
        target = "/v1/imports/plan"
        return await self._call("POST", target, request, answer=wire_imports.ImportPlan)

    async def carry_out_import(
        self, request: wire_imports.PlanImport, digest: str
    ) -> wire_imports.Imported:
        """`digest`: of the plan that the person has seen."""
        body = wire_imports.CarryOutImport(plan=request, digest=digest)
        return await self._call("POST", "/v1/imports", body, answer=wire_imports.Imported)

    async def vault(self) -> wire_vault.VaultView:
        """Where secrets are kept."""
        return await self._call("GET", "/v1/vault", answer=wire_vault.VaultView)

    async def unlock(self, passphrase: str) -> wire_vault.VaultView:
        body = wire_vault.Unlock(passphrase=passphrase)
        return await self._call("POST", "/v1/vault/unlock", body, answer=wire_vault.VaultView)

    async def protect(self, protection: str, passphrase: str = "") -> wire_vault.VaultView:
        """Keep all secrets there from now on: "keyring", "passphrase" or "file-key"."""
        body = wire_vault.Protect(protection=protection, passphrase=passphrase)
        return await self._call("POST", "/v1/vault/protect", body, answer=wire_vault.VaultView)

    async def leave(self, *, leave_changed: bool) -> wire_setup.Left:
        body = wire_setup.Leave(leave_changed=leave_changed)
        return await self._call("POST", "/v1/leave", body, answer=wire_setup.Left)

    async def needs(self, cwd: str) -> wire_setup.NeedsView:
        """What the project around a directory says its tasks need."""
        target = f"/v1/needs?cwd={quote(cwd)}"
        return await self._call("GET", target, answer=wire_setup.NeedsView)

    async def answer_needs(self, shown: wire_setup.NeedsView, *, accept: bool) -> None:
        """Accept, as a paired screen, or refuse what was shown."""
        body = wire_setup.AnswerNeeds(workspace=shown.workspace, digest=shown.digest, accept=accept)
        await self._call("POST", "/v1/needs", body, answer=wire_setup.NeedsView, screen=accept)

    async def withdraw_needs(self, cwd: str) -> None:
        body = wire_setup.WithdrawNeeds(cwd=cwd)
        await self._call("POST", "/v1/needs/withdraw", body, answer=wire_setup.NeedsView)

    async def all_ended(self) -> None:
        """Return when every task is over. Raises TimedOut."""
        for _ in range(_LOOKS):
            if all(task.ended for task in (await self.snapshot()).tasks):
                return
            await asyncio.sleep(_PAUSE)
        raise errors.TimedOut("A task has not ended.", hint="See `taskpass ps`.")

    async def not_dead(self, patience: float) -> list[wire.OwedView]:
        """Credentials that are not known to be dead where they came from, after some waiting.

        Args:
            patience: seconds; the supervisor asks again meanwhile.
        """
        until = asyncio.get_running_loop().time() + patience
        while True:
            owed = [each for each in (await self.snapshot()).owed if each.state in _OWED]
            if not owed or asyncio.get_running_loop().time() > until:
                return owed
            await asyncio.sleep(_PAUSE)
