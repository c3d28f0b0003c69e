"""The API's part about setting up: undoing what was changed, and leaving without a trace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from supervisor.core import Engine
from supervisor.errors import UsageError
from supervisor.leaving import Leaving
from supervisor.protocol import setup as wire
from supervisor.routes.bodies import as_json, asked_in
from supervisor.undo import CredentialStep, Entry, Journal
from supervisor.vault import FileVault

_LAST = "last"  # in the place of an id
_LONGEST = 200  # characters of what was done


@dataclass(frozen=True, slots=True)
class SetupRoutes:
    """Thin, as `api`: attestation of who asks is done there, before any of this."""

    engine: Engine
    journal: Journal
    leaving: Leaving

    def add_to(self, app: web.Application) -> None:
        add = app.router.add_route
        add("GET", "/v1/undo", self._list)
        add("POST", "/v1/undo", self._record)
        add("POST", "/v1/undo/{id}", self._undo)
        add("DELETE", "/v1/undo/{id}", self._forget)
        add("POST", "/v1/undo/{id}/copy", self._copy)
        add("POST", "/v1/leave", self._leave)

    async def _list(self, request: web.Request) -> web.Response:
        return as_json([_view(entry) for entry in self.journal.entries()])

    async def _record(self, request: web.Request) -> web.Response:
        asked = await asked_in(request, wire.RecordUndo)
        if not asked.credentials or len(asked.what) > _LONGEST or not asked.what.isprintable():
            raise UsageError("What is to be undoable must be said in one line.")
        steps = [CredentialStep(name) for name in asked.credentials]
        return as_json(_view(await self.journal.record(asked.what, steps)))

    async def _undo(self, request: web.Request) -> web.Response:
        entry = await self.journal.undo(_id(request))
        await self.engine.ledger.append(
            "setup.undone",
            {
                "undo": entry.id,
                "what": entry.what,
                "paths": list(entry.paths),
                "credentials": list(entry.credentials),
            },
        )
        return as_json(_view(entry))

    async def _forget(self, request: web.Request) -> web.Response:
        """What was recorded did not happen. Only where no file hangs on it."""
        for entry in self.journal.entries():
            if entry.id == request.match_info["id"] and not entry.paths:
                self.journal.forget(entry.id)
        return as_json({})

    async def _copy(self, request: web.Request) -> web.Response:
        asked = await asked_in(request, wire.CopyUndo)
        paths = await self.journal.copy(_id(request), asked.folder)
        return as_json(wire.Copied(paths=tuple(paths)))

    async def _leave(self, request: web.Request) -> web.Response:
        left = await self.leaving.leave(await asked_in(request, wire.Leave))
        await self.engine.ledger.append(
            "setup.left", {"undone": list(left.undone), "credentials": list(left.credentials)}
        )
        return as_json(left)


def setup_routes(
    engine: Engine, vault: FileVault, folder: Path, remove: Callable[[str], Awaitable[object]]
) -> SetupRoutes:
    """Wired for this supervisor.

    Args:
        folder: of the undo journal.
        remove: ends what is lent of a credential, and forgets it.
    """

    async def forgotten(name: str) -> None:
        await remove(name)

    journal = Journal(folder, vault, forgotten)
    return SetupRoutes(engine, journal, Leaving(engine, journal, remove, vault.forget_sealing))


def _view(entry: Entry) -> wire.UndoView:
    return wire.UndoView(
        id=entry.id,
        at=entry.at,
        what=entry.what,
        paths=entry.paths,
        credentials=entry.credentials,
    )


def _id(request: web.Request) -> str:
    """ "" for the last entry."""
    name = request.match_info["id"]
    return "" if name == _LAST else name
