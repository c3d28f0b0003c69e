"""Requests, each judged by itself, and served or refused."""

from __future__ import annotations

import asyncio

from supervisor.channels.http import refusal
from supervisor.channels.http.admission import Admission
from supervisor.channels.http.body import BodyReader
from supervisor.channels.http.endpoint import FOREVER, Endpoint
from supervisor.channels.http.exchange import CONTINUE, Exchange
from supervisor.channels.http.message import BadRequest, Origin, RequestHead
from supervisor.channels.http.services import Services
from supervisor.channels.http.visitor import Visitor
from supervisor.errors import TaskpassError
from supervisor.ports import Release

# A refused request's body is read up to here, so that the client reads the refusal.
DISCARD_LIMIT = 1024 * 1024
DISCARD_TIME = 2.0


class JudgedRequests:
    """Serves the requests of one client.

    Attributes:
        unread: the client may still be sending a body that nobody reads.
    """

    def __init__(self, client: Endpoint, services: Services, visitor: Visitor) -> None:
        self._client = client
        self._services = services
        self._admission = Admission(services, visitor)
        self.unread = False

    async def serve(self, head: RequestHead, target: str, origin: Origin) -> bool:
        """Judge and serve one request; whether another may follow on this connection."""
        client = self._client
        client.wait_up_to(FOREVER)
        try:
            head, target, release = await self._admission.judge(
                client, head, target, origin, lambda: client.write(CONTINUE)
            )
        except TaskpassError as error:
            return await self._refuse(head, error)
        return await self._use(head, target, origin, release)

    async def _use(self, head: RequestHead, target: str, origin: Origin, release: Release) -> bool:
        services, admission = self._services, self._admission
        exchange: Exchange | None = None
        try:
            fields, secrets = admission.prepared(head, origin, release)
            wire = services.pool.wire(head, origin, target, fields)
            exchange = self.exchange(head, origin, release.lease, secrets)
            if release.lease:
                services.track(exchange, True)
            return await exchange.run(wire, lambda: admission.still(release, self._client.lost))
        except TaskpassError as error:
            if exchange is not None and exchange.answered:
                self._client.abort()
                return False
            return await self._refuse(head, error, begun=exchange is not None)
        finally:
            if exchange is not None:
                self.unread = self.unread or exchange.early
            admission.ended(release, origin, exchange)

    def exchange(
        self, head: RequestHead, origin: Origin, lease: str, secrets: tuple[bytes, ...]
    ) -> Exchange:
        services = self._services
        return Exchange(
            self._client, services.pool, origin, head, lease, secrets, services.silence_timeout
        )

    async def _refuse(
        self, head: RequestHead, error: TaskpassError, *, begun: bool = False
    ) -> bool:
        """Answer with the error; whether the connection can go on.

        `begun`: an exchange may have taken a part of the body, so its end is not known any more.
        """
        keep = head.persistent
        if head.body:
            keep = keep and not begun and not head.expects_continue
            keep = keep and await self._discard(head.body)
        self.unread = not keep and head.body != 0
        self._client.write(refusal.render(error, body=head.method != "HEAD", close=not keep))
        return keep

    async def _discard(self, length: int) -> bool:
        """Read a body to its end, within bounds; whether the end was reached."""
        reader = BodyReader(self._client, length)
        seen = 0
        try:
            async with asyncio.timeout(DISCARD_TIME):
                while data := await reader.piece():
                    seen += len(data)
                    if seen > DISCARD_LIMIT:
                        return False
        except (TimeoutError, BadRequest):
            return False
        return True
