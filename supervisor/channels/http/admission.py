"""How a request comes to be let through, whichever version of HTTP carries it."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from supervisor.channels.http import reflection, rewrite
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
from supervisor.channels.http.peek import Look, Said, Source, peek
from supervisor.channels.http.services import Carrier, Services
from supervisor.channels.http.visitor import Visitor
from supervisor.errors import Denied, Revoked, TaskpassError
from supervisor.model import Effect, Process, Verb
from supervisor.ports import Release

# Fields by which servers take another method for the request's own.
_OVERRIDES = frozenset((b"x-http-method-override", b"x-http-method", b"x-method-override"))
_METHOD = re.compile(rb"[A-Za-z]{1,32}")


class Admission:
    """Judges requests of one visitor, and keeps account of those that were let through."""

    def __init__(self, services: Services, visitor: Visitor) -> None:
        self._services = services
        self._visitor = visitor

    async def judge(
        self,
        source: Source,
        head: RequestHead,
        target: str,
        origin: Origin,
        go_on: Callable[[], object],
    ) -> tuple[RequestHead, str, Release]:
        """The head, target and release with which this request may go upstream.

        Args:
            source: where its body is still to be read.
            go_on: tells a client that waits for it to send its body (100).

        Raises:
            TaskpassError: it may not; that is on record.
            ConnectionError: its client went away.
        """
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
            if head.upgrade == b"websocket":
                effect = replace(effect, attributes={**effect.attributes, "websocket": True})
            further: tuple[Effect, ...] = ()
            if any(field[0] in _OVERRIDES for field in head.fields):
                further = _overriding(head, effect)
            if (look := look_at(path)) is not None:
                wanted = look.wants(head)
                if wanted and head.expects_continue:
                    go_on()
                    head = replace(head, expects_continue=False)
                said = await self._said(source, look, wanted, head, target, origin, ancestry)
                effect = replace(effect, attributes={**effect.attributes, **said.attributes})
                further += said.further
                ancestry = self._visitor.attested(f"{head.method} {origin.resource}")
            release = await self._services.authorize.authorize_use(
                self._services.task,
                self._visitor.handle,
                ancestry,
                effect,
                rewrite.candidates(head.fields, target),
                further,
            )
        except TaskpassError as error:
            if isinstance(error, BadRequest):
                asked: dict[str, str | int | bool] = {
                    "method": head.method,
                    "path": target.partition("?")[0],
                }
                self._visitor.refused(error, Effect(Verb.HTTP, origin.resource, asked))
            raise
        if self._is_bound(origin, release):
            target = rewrite.without_parameters(target)
        return head, target, release

    def _is_bound(self, origin: Origin, release: Release) -> bool:
        """Whether one of our credentials is good there: no other one goes there then."""
        here = release.bound or release.secret is not None
        return here or origin in self._services.credentialed

    async def _said(
        self,
        source: Source,
        look: Look,
        wanted: int,
        head: RequestHead,
        target: str,
        origin: Origin,
        ancestry: Sequence[Process],
    ) -> Said:
        """What the body says, as far as it is wanted."""
        body = await peek(source, head, wanted, self._services.head_timeout)

        def read() -> Said:
            return look.known(look.read(head, target, body), origin.resource, ancestry)

        return await asyncio.to_thread(read)

    def still(self, release: Release, lost: bool) -> None:
        """Asked immediately before the request goes out. `lost`: its client is gone, or cut.

        Raises:
            Revoked: it must not go out any more.
            ConnectionError: nobody wants it any more.
        """
        if lost:
            raise ConnectionAbortedError
        services = self._services
        if release.lease and not services.authorize.live(services.task, release.lease):
            raise Revoked(
                "The task's access was revoked before the request was sent.",
                hint="Nothing was sent. A person can start a new task.",
            )

    def ended(self, release: Release, origin: Origin, carrier: Carrier | None) -> None:
        """Put on record how the use ended; None: it never began."""
        services = self._services
        if carrier is not None:
            if release.lease:
                services.track(carrier, False)
            if carrier.reflected:
                self._visitor.incident(
                    "reflected",
                    {
                        "host": origin.resource,
                        "where": carrier.reflected,
                        "lease": release.lease,
                    },
                )
        services.settle(release, carrier.status if carrier is not None else 0)

    def prepared(
        self, head: RequestHead, origin: Origin, release: Release
    ) -> tuple[Sequence[Field], tuple[bytes, ...]]:
        """The fields to send, and the secrets to look for in what comes back."""
        services = self._services
        if release.secret is None:
            if self._is_bound(origin, release):
                return rewrite.without_credentials(head.fields), ()
            return head.fields, ()
        if not origin.tls and not self._is_loopback(origin):
            raise Denied(
                f"Credentials are not sent over plain HTTP ({origin.resource}).",
                hint=f"Use https://{origin.host}/.",
            )
        fields, secrets = rewrite.put_secret(head.fields, release, release.secret.value)
        services.credentialed.add(origin)
        return fields, reflection.needles(tuple(secrets))

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


def _overriding(head: RequestHead, effect: Effect) -> tuple[Effect, ...]:
    """The request once more, by each method that its fields name: it is judged as all of them.

    Raises:
        BadRequest: what they name is no method.
    """
    found: dict[str, None] = {}
    for key, _, value in head.fields:
        if key in _OVERRIDES:
            if not _METHOD.fullmatch(value):
                raise BadRequest("The method in an overriding field is malformed.")
            found[value.decode().upper()] = None
    return tuple(
        replace(effect, attributes={**effect.attributes, "method": method})
        for method in found
        if method != head.method
    )


def check_origin(head: RequestHead, origin: Origin) -> None:
    """Raises Misdirected unless Host names the tunnel's (or the URL's) origin."""
    named = parse_authority(head.host, tls=origin.tls, default=443 if origin.tls else 80)
    if named != origin:
        raise Misdirected(
            f"The request names another host than its connection ({origin.resource}).",
            hint="Open a connection for each host.",
        )
