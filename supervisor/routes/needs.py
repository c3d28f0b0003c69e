"""The API's part about what projects say they need."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from supervisor.core import Engine
from supervisor.errors import UsageError
from supervisor.identity.evidence import current_user, repository_of
from supervisor.model import Need
from supervisor.needs import Needs
from supervisor.policy.needs import digest, words
from supervisor.policy.project import read_project
from supervisor.protocol import setup as wire
from supervisor.routes.bodies import as_json, asked_in


@dataclass(frozen=True, slots=True)
class NeedRoutes:
    """Thin, as `api`. `require_screen`: raises NotAttested unless a paired screen asks."""

    engine: Engine
    needs: Needs
    require_screen: Callable[[web.Request, str], Awaitable[object]]

    def add_to(self, app: web.Application) -> None:
        app.router.add_route("GET", "/v1/needs", self._show)
        app.router.add_route("POST", "/v1/needs", self._answer)
        app.router.add_route("POST", "/v1/needs/withdraw", self._withdraw)

    async def _show(self, request: web.Request) -> web.Response:
        workspace, needs = await asyncio.to_thread(_read, request.query.get("cwd", ""))
        return as_json(self._view(workspace, needs))

    async def _answer(self, request: web.Request) -> web.Response:
        asked = await asked_in(request, wire.AnswerNeeds)
        if asked.accept:  # it loosens: only a person does that
            await self.require_screen(request, "")
        workspace, needs = await asyncio.to_thread(_read, asked.workspace)
        self.needs.answer(workspace, needs, asked.digest, accepted=asked.accept)
        await self.engine.ledger.append(
            "needs.accepted" if asked.accept else "needs.refused",
            {
                "workspace": workspace,
                "digest": asked.digest,
                "needs": [words(need) for need in needs],
                "by": current_user().label,
            },
        )
        return as_json(self._view(workspace, needs))

    async def _withdraw(self, request: web.Request) -> web.Response:
        asked = await asked_in(request, wire.WithdrawNeeds)
        workspace, needs = await asyncio.to_thread(_read, asked.cwd)
        if self.needs.withdraw(workspace):
            by = current_user().label
            await self.engine.ledger.append("needs.withdrawn", {"workspace": workspace, "by": by})
        return as_json(self._view(workspace, needs))

    def _view(self, workspace: str, needs: tuple[Need, ...]) -> wire.NeedsView:
        state = "waiting"
        if self.needs.answered(workspace, needs):
            state = "accepted" if self.needs.accepted(workspace, needs) else "refused"
        return wire.NeedsView(
            workspace=workspace,
            digest=digest(needs),
            needs=tuple(words(need) for need in needs),
            state=state if needs else "",
        )


def _read(cwd: str) -> tuple[str, tuple[Need, ...]]:
    if not cwd.startswith("/"):
        raise UsageError(f"{cwd!r} is no absolute path.")
    workspace = repository_of(cwd)[0] or cwd
    return workspace, read_project(workspace).needs
