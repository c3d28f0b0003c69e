"""The API's part about importing a `.env`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from supervisor import wire_imports
from supervisor.importing import Importing


@dataclass(frozen=True, slots=True)
class ImportRoutes:
    """Thin, as `api`: attestation of who asks is done there, before any of this."""

    importing: Importing

    def add_to(self, app: web.Application) -> None:
        app.router.add_route("POST", "/v1/imports/plan", self._plan)
        app.router.add_route("POST", "/v1/imports", self._carry_out)

    async def _plan(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=wire_imports.PlanImport)
        return _json(await self.importing.plan(asked))

    async def _carry_out(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=wire_imports.CarryOutImport)
        return _json(await self.importing.carry_out(asked))


def _json(value: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
