"""The supervisor's notifications, loaded with the first question, and what screens say to them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from supervisor.config import Config
from supervisor.core import Engine
from supervisor.errors import NotFound
from supervisor.model import ApprovalRequest, CredentialSpec
from supervisor.protocol.notices import Noticed
from supervisor.routes.bodies import as_json, asked_in

if TYPE_CHECKING:
    from supervisor.notify.notifier import Notifier
    from supervisor.notify.webhook import Webhook
    from supervisor.notify.words import Waiting
    from supervisor.oauth.http import Http
    from supervisor.ports import Secret


@dataclass(slots=True)
class Notices:
    """Thin, as `api`."""

    engine: Engine
    config: Config
    http: Callable[[], Http]
    _notifier: Notifier | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.engine.questions.asked = self.heard

    def heard(self) -> None:
        """Something was asked."""
        if self._notifier is None:
            from supervisor.notify.notifier import Notifier

            self._notifier = Notifier(
                self.engine.approvals.all_pending,
                self._known,
                on_desktop=self.config.notify_desktop,
                webhook=self._webhook().tell if self.config.webhook else None,
            )
        self._notifier.heard()

    def close(self) -> None:
        if self._notifier is not None:
            self._notifier.close()

    def add_to(
        self,
        app: web.Application,
        require_screen: Callable[[web.Request, str], Awaitable[object]],
    ) -> None:
        async def noticed(request: web.Request) -> web.Response:
            await require_screen(request, "")
            body = await asked_in(request, Noticed)
            if self._notifier is not None:
                self._notifier.noticed(body.ids, looked_at=body.looked_at)
            return as_json({})

        app.router.add_route("POST", "/v1/noticed", noticed)

    def _known(self, request: ApprovalRequest) -> Waiting:
        from supervisor.notify.words import Waiting

        try:
            entry = self.engine.book.task(request.task)
        except NotFound:  # it has ended meanwhile
            return Waiting(request, 0, "")
        return Waiting(request, entry.top.number, entry.task.agent.profile)

    def _webhook(self) -> Webhook:
        from supervisor.notify.webhook import Webhook

        http = self.http()
        return Webhook(self.config.webhook, self._key, http.post_signed, self.engine.clock)

    async def _key(self) -> Secret:
        from supervisor.vault.lookup import look_up
        from supervisor.vault.references import command_of, options_for

        options = options_for(self.config.webhook_key, os.environ)
        argv, told = command_of(CredentialSpec("webhook_key", "stored", (), options=options))
        return await look_up(argv, told)
