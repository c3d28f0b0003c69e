"""The API's part about importing a `.env`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from supervisor.ports import LedgerStore
from supervisor.routes.bodies import as_json, asked_in
from supervisor.undo import Journal
from supervisor.vault.store import FileVault

if TYPE_CHECKING:
    from supervisor.importing import Importing


@dataclass(frozen=True, slots=True)
class ImportRoutes:
    """Thin, as `api`: attestation of who asks is done there, before any of this."""

    vault: FileVault
    journal: Journal
    ledger: LedgerStore

    def add_to(self, app: web.Application) -> None:
        app.router.add_route("POST", "/v1/imports/plan", self._plan)
        app.router.add_route("POST", "/v1/imports", self._carry_out)

    async def _plan(self, request: web.Request) -> web.Response:
        from supervisor.protocol.imports import PlanImport

        asked = await asked_in(request, PlanImport)
        return as_json(await self._importing().plan(asked))

    async def _carry_out(self, request: web.Request) -> web.Response:
        from supervisor.protocol.imports import CarryOutImport

        asked = await asked_in(request, CarryOutImport)
        return as_json(await self._importing().carry_out(asked))

    def _importing(self) -> Importing:
        from supervisor.importing import Importing  # rarely needed: no start waits for it

        return Importing(self.vault, self.journal, self.ledger)
