"""Requests, each judged by itself, and served or refused."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import replace

from supervisor.channels.http import reflection, refusal, rewrite
from supervisor.channels.http.body import BodyReader
from supervisor.channels.http.endpoint import FOREVER, Endpoint
from supervisor.channels.http.exchange import CONTINUE, Exchange
from supervisor.channels.http.looks import look_at
from supervisor.channels.http.message import (
    BadRequest,
    Field,
    Misdirected,
    Origin,
    RequestHead,
    normal_target,
    parse_authority,
)
from supervisor.channels.http.peek import Look, Said, peek
from supervisor.channels.http.services import Services
from supervisor.channels.http.visitor import Visitor
from supervisor.errors import Denied, Revoked, TaskpassError
from supervisor.model import Effect, Process, Verb
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
        self._visitor = visitor
        self.unread = False

    async def serve(self, head: RequestHead, target: str, origin: Origin) -> bool:
        """Judge and serve one request; whether another may follow on this connection."""
        self._client.wait_up_to(FOREVER)
        try:
            check_origin(head, origin)
            path, target = normal_target(target, head.method)
            if head.method in ("TRACE", "CONNECT"):
                # TRACE has the server send the request's headers back.
                raise BadRequest(f"{head.method} is not forwarded.")
            ancestry = self._visitor.attested(f"{head.method} {origin.resource}")
            effect = Effect(
                Verb.HTTP,
                origin.resource,
                {"method": head.method, "path": path, "port": origin.port},
            )
            further: tuple[Effect, ...] = ()
            if (look := look_at(path)) is not None:
                head, said = await self._peeked(look, head, target, origin, ancestry)
                effect = replace(effect, attributes={**effect.attributes, **said.attributes})
                further = said.further
                ancestry = self._visitor.attested(f"{head.method} {origin.resource}")
            release = await self._services.authorize.authorize_use(
                self._services.task,
                self._visitor.handle,
                ancestry,
                effect,
                rewrite.candidates(head.fields),
                further,
            )
        except TaskpassError as error:
            asked: dict[str, str | int | bool] = {
                "method": head.method,
                "path": target.partition("?")[0],
            }
            self._visitor.about = Effect(Verb.HTTP, origin.resource, asked)
            self._visitor.refused(error)
            return await self._refuse(head, error)
        return await self._use(head, target, origin, release)

    async def _peeked(
        self,
        look: Look,
        head: RequestHead,
        target: str,
        origin: Origin,
        ancestry: Sequence[Process],
    ) -> tuple[RequestHead, Said]:
        """What the body says; and the head, whose client is not told to go on twice."""
        wanted = look.wants(head)
        if wanted and head.expects_continue:
            self._client.write(CONTINUE)
            head = replace(head, expects_continue=False)
        body = await peek(self._client, head, wanted, self._services.head_timeout)

        def read() -> Said:
            return look.known(look.read(head, target, body), origin.resource, ancestry)

        return head, await asyncio.to_thread(read)

    async def _use(self, head: RequestHead, target: str, origin: Origin, release: Release) -> bool:
        services = self._services
        exchange: Exchange | None = None
        try:
            fields, secrets = self._prepared(head, origin, release)
            wire = services.pool.wire(head, origin, target, fields)
            exchange = self.exchange(head, origin, release.lease, secrets)
            if release.lease:
                services.track(exchange, True)

            def may_write() -> None:
                if self._client.lost:  # cut meanwhile
                    raise ConnectionAbortedError
                if release.lease and not services.authorize.live(services.task, release.lease):
                    raise Revoked(
                        "The task's access was revoked before the request was sent.",
                        hint="Nothing was sent. A person can start a new task.",
                    )

            return await exchange.run(wire, may_write)
        except TaskpassError as error:
            if exchange is not None and exchange.answered:
                self._client.abort()
                return False
            return await self._refuse(head, error, begun=exchange is not None)
        finally:
            status = 0
            if exchange is not None:
                if release.lease:
                    services.track(exchange, False)
                self.unread = self.unread or exchange.early
                status = exchange.status
                if exchange.reflected:
                    self._visitor.incident(
                        "reflected",
                        {
                            "host": origin.resource,
                            "where": exchange.reflected,
                            "lease": release.lease,
                        },
                    )
            services.settle(release, status)

    def exchange(
        self, head: RequestHead, origin: Origin, lease: str, secrets: tuple[bytes, ...]
    ) -> Exchange:
        services = self._services
        return Exchange(
            self._client, services.pool, origin, head, lease, secrets, services.silence_timeout
        )

    def _prepared(
        self, head: RequestHead, origin: Origin, release: Release
    ) -> tuple[Sequence[Field], tuple[bytes, ...]]:
        """The fields to send, and the secrets to look for in what comes back."""
        services = self._services
        if release.secret is None:
            if origin in services.credentialed:
                return rewrite.without_credentials(head.fields), ()
            return head.fields, ()
        if not origin.tls and not self._is_loopback(origin):
            raise Denied(
                f"Credentials are not sent over plain HTTP ({origin.resource}).",
                hint=f"Use https://{origin.host}/.",
            )
        fields, secrets = rewrite.put_secret(head.fields, release, release.secret.value)
        services.credentialed.add(origin)
        return fields, reflection.needles(secrets)

    def _is_loopback(self, origin: Origin) -> bool:
        """A loopback address, by number or as `localhost`, that a person has allowed."""
        if not self._services.pool.private_allowed(origin):
            return False
        if origin.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(origin.host).is_loopback
        except ValueError:
            return False

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


def check_origin(head: RequestHead, origin: Origin) -> None:
    """Raises Misdirected unless Host names the tunnel's (or the URL's) origin."""
    named = parse_authority(head.host, tls=origin.tls, default=443 if origin.tls else 80)
    if named != origin:
        raise Misdirected(
            f"The request names another host than its connection ({origin.resource}).",
            hint="Open a connection for each host.",
        )
