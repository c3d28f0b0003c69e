"""The API's part about recordings of terminals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from supervisor.errors import UsageError
from supervisor.ports import LedgerStore
from supervisor.routes.bodies import as_json, as_stream
from supervisor.tasks.recording import Recordings


@dataclass(frozen=True, slots=True)
class RecordingRoutes:
    """Who asks is attested in `api`."""

    recordings: Recordings
    ledger: LedgerStore
    by: Callable[[], str]

    def add_to(self, app: web.Application) -> None:
        add = app.router.add_route
        add("GET", "/v1/recordings", self._list)
        add("GET", "/v1/recordings/{task}", self._chunk)
        add("GET", "/v1/recordings/{task}/cast", self._cast)
        add("DELETE", "/v1/recordings/{task}", self._remove)

    async def _list(self, request: web.Request) -> web.Response:
        return as_json(await self.recordings.listing())

    async def _chunk(self, request: web.Request) -> web.Response:
        try:
            at = float(request.query.get("at", 0.0))
        except ValueError:
            raise UsageError("A time is a number of seconds.") from None
        return as_json(await self.recordings.chunk(request.match_info["task"], at))

    async def _cast(self, request: web.Request) -> web.StreamResponse:
        from supervisor.recording.cast import asciicast

        task = request.match_info["task"]
        lines = asciicast(await self.recordings.frames(task), f"taskpass {task}")
        await self.ledger.append("recording.exported", {"task": task, "by": self.by()})
        return await as_stream(request, lines)

    async def _remove(self, request: web.Request) -> web.Response:
        task = request.match_info["task"]
        await self.recordings.remove(task)
        await self.ledger.append("recording.removed", {"task": task, "by": self.by()})
        return as_json({})
