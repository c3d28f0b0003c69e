"""A client's connection to a task's proxy, from its first byte to its last.

Attested, then one of: a shell that binds itself or asks for its call (`protocol.binding`), a tunnel
to the agent's model (untouched), a tunnel that ends in TLS here, or plain HTTP. Each request is
judged by itself.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Sequence
from contextlib import suppress

from supervisor.channels.http import refusal
from supervisor.channels.http.admission import Admission, check_origin
from supervisor.channels.http.endpoint import FOREVER, Endpoint
from supervisor.channels.http.exchange import splice
from supervisor.channels.http.judged import DISCARD_LIMIT, DISCARD_TIME, JudgedRequests
from supervisor.channels.http.message import (
    HEAD_LIMIT,
    BadRequest,
    HeadTooLarge,
    Misdirected,
    Origin,
    RequestHead,
    parse_authority,
    parse_request,
    split_absolute,
)
from supervisor.channels.http.services import Services
from supervisor.channels.http.tunnel import Spliced, unreadable
from supervisor.channels.http.visitor import Visitor
from supervisor.errors import NotAttested, Revoked, TaskpassError
from supervisor.model import Effect, Process, Verb
from supervisor.protocol.binding import ASK, BIND, BOUND, NOT_BOUND

log = logging.getLogger(__name__)

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_BIND_LIMIT = 600  # bytes in the bind line
_HANDLE = re.compile(r"[\x21-\x7e]{1,512}")


class Connection:
    """One accepted connection."""

    def __init__(self, client: Endpoint, services: Services) -> None:
        self._client = client
        self._services = services
        self._visitor = Visitor(client, services)
        self._requests = JudgedRequests(client, services, self._visitor)

    @property
    def client(self) -> Endpoint:
        return self._client

    async def run(self) -> None:
        """Serve until the connection ends. Raises nothing but cancellation."""
        client = self._client
        client.wait_up_to(self._services.head_timeout)
        try:
            await self._serve()
        except TaskpassError as error:
            self._visitor.refused(error)
            client.write(refusal.render(error, body=True, close=True))
        except OSError:
            client.abort()
        except Exception:
            # Ours to mend; the client gets no answer, least of all half of one.
            log.exception("a connection to the proxy failed")
            client.abort()
        else:
            if self._requests.unread:
                await client.linger(DISCARD_LIMIT, DISCARD_TIME)
        finally:
            client.close()

    async def _serve(self) -> None:
        if await self._starts_with(BIND):
            await self._bind()
        elif await self._starts_with(ASK):
            self._tell()
        elif (head := await self._next_head()) is not None:
            if head.method == "CONNECT":
                await self._tunnel(head)
            else:
                await self._plain(head)

    # ── the first bytes ─────────────────────────────────────────────────────────────────

    async def _starts_with(self, word: bytes) -> bool:
        pending = self._client.pending
        while len(pending) < len(word) and word.startswith(pending):
            if not await self._client.fill():
                return False
        return pending.startswith(word)

    async def _bind(self) -> None:
        services = self._services
        try:
            line = await self._client.until(b"\n", _BIND_LIMIT)
        except OverflowError:
            line = None
        handle = (line or b"")[len(BIND) : -1].decode("latin-1")
        bound = False
        if _HANDLE.fullmatch(handle):
            self._client.wait_up_to(FOREVER)
            with suppress(TaskpassError):
                ancestry = self._visitor.attested("bind")
                bound = await services.authorize.bind_call(services.task, handle, ancestry)
        self._client.write(BOUND if bound else NOT_BOUND)

    def _tell(self) -> None:
        """What a shell reads before its command; nothing for one that belongs to no call.

        A refusal has no words here either: the shell would run them.
        """
        services = self._services
        with suppress(TaskpassError):
            ancestry = self._visitor.attested("ask")
            self._client.write(services.authorize.prefix(services.task, ancestry).encode())

    async def _next_head(self) -> RequestHead | None:
        """The next request's head; None at a clean end."""
        client = self._client
        start = 0
        while (at := client.pending.find(b"\r\n\r\n", start)) < 0:
            if len(client.pending) > HEAD_LIMIT:
                raise HeadTooLarge(f"The request's head is longer than {HEAD_LIMIT} bytes.")
            # A sender of bare line feeds would wait for ever.
            bare = client.pending.find(b"\n", start)
            if bare >= 0 and client.pending[bare - 1 : bare] != b"\r":
                raise BadRequest("Lines end with CR LF.")
            start = max(0, len(client.pending) - 3)
            if not await client.fill():
                if client.pending:
                    raise ConnectionResetError("the connection ended within a head")
                return None
        if at + 4 > HEAD_LIMIT:
            raise HeadTooLarge(f"The request's head is longer than {HEAD_LIMIT} bytes.")
        return parse_request(client.take(at + 4))

    # ── tunnels ─────────────────────────────────────────────────────────────────────────

    async def _tunnel(self, head: RequestHead) -> None:
        client, services = self._client, self._services
        origin = parse_authority(head.target, tls=True, default=None)
        self._visitor.handle = _handle(head)
        self._visitor.about = Effect(Verb.CONNECT, origin.authority)
        if head.host and parse_authority(head.host, tls=True, default=443) != origin:
            raise Misdirected("CONNECT and Host name different hosts.")
        if head.body:
            raise BadRequest("CONNECT has no body.")
        if client.pending:
            raise BadRequest("A tunnel's bytes wait for the proxy's answer.")
        ancestry = self._visitor.attested(f"CONNECT {origin.authority}")
        if self._visitor.is_model(origin, ancestry):
            await self._model_tunnel(origin)
            return
        handle = self._visitor.handle
        if not handle:
            self._challenge()
            return
        if origin.authority in services.splice:
            await self._spliced(origin, handle, ancestry)
            return
        client.write(_ESTABLISHED)
        try:
            context = services.ca.context(origin.host, http2=origin.authority in services.http2)
            await client.start_tls(context, services.head_timeout)
        except OSError as error:
            self._visitor.refused(unreadable(origin, error))
            raise
        await self._serve_origin(origin)

    async def _spliced(self, origin: Origin, handle: str, ancestry: Sequence[Process]) -> None:
        """A tunnel that a person lets pass unread; it is judged as a connection."""
        client, services = self._client, self._services
        client.wait_up_to(FOREVER)
        effect = Effect(Verb.CONNECT, origin.authority)
        release = await services.authorize.authorize_use(
            services.task, handle, ancestry, effect, ()
        )
        admission = Admission(services, self._visitor)
        tunnel = Spliced(release.lease, [client])
        if release.lease:
            services.track(tunnel, True)
        try:
            upstream = await services.pool.dial(origin, raw=True)
            tunnel.carrying.append(upstream)
            try:
                admission.still(release, client.lost)
                client.write(_ESTABLISHED)
                tunnel.status = 200
                await splice(client, upstream)
            finally:
                upstream.abort()
        finally:
            admission.ended(release, origin, tunnel)

    async def _serve_origin(self, origin: Origin) -> None:
        """Serve requests to one origin until the client ends."""
        self._visitor.about = Effect(Verb.CONNECT, origin.authority)
        if self._client.alpn == "h2":
            await self._services.speak_http2(self._client, self._visitor, origin)
            return
        while True:
            request = await self._next_head()
            if request is None or not await self._requests.serve(request, request.target, origin):
                return
            self._client.wait_up_to(self._services.idle_timeout)

    def _challenge(self) -> None:
        error = NotAttested(
            "The proxy needs the call's handle as its user info.",
            hint="Use the proxy variables as the tool call has them (HTTPS_PROXY).",
        )
        self._client.write(refusal.render(error, body=True, close=True, challenge=True))

    async def _model_tunnel(self, origin: Origin) -> None:
        upstream = await self._services.pool.dial(origin, private=True, raw=True)
        try:
            self._still_model(origin)
            self._client.write(_ESTABLISHED)
            await splice(self._client, upstream)
        finally:
            upstream.abort()

    def _still_model(self, origin: Origin) -> None:
        """Asked again after the dial, during which a task can be revoked.

        Raises:
            Revoked: it is no longer the agent's to use.
        """
        ancestry = self._visitor.attest()
        if not ancestry or not self._visitor.is_model(origin, ancestry):
            raise Revoked("The task's access to its model has ended.")

    # ── plain HTTP ──────────────────────────────────────────────────────────────────────

    async def _plain(self, first: RequestHead) -> None:
        client, services = self._client, self._services
        head: RequestHead | None = first
        while head is not None:
            authority, target = split_absolute(head.target)
            origin = parse_authority(authority, tls=False, default=80)
            self._visitor.handle = _handle(head)
            ancestry = self._visitor.attested(f"{head.method} {origin.authority}")
            if self._visitor.is_model(origin, ancestry):
                again = await self._model_request(head, target, origin)
            elif self._visitor.handle:
                again = await self._requests.serve(head, target, origin)
            else:
                self._challenge()
                return
            if not again:
                return
            client.wait_up_to(services.idle_timeout)
            head = await self._next_head()

    async def _model_request(self, head: RequestHead, target: str, origin: Origin) -> bool:
        self._client.wait_up_to(FOREVER)
        check_origin(head, origin)
        wire = self._services.pool.wire(head, origin, target, head.fields)
        exchange = self._requests.exchange(head, origin, "", ())
        return await exchange.run(wire, lambda: self._still_model(origin), private=True)


def _handle(head: RequestHead) -> str:
    """The handle in Proxy-Authorization, "" without a well-formed one (RFC 7617)."""
    scheme, _, value = head.field(b"proxy-authorization").partition(b" ")
    if scheme.lower() != b"basic":
        return ""
    try:
        handle = base64.b64decode(value.strip(), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""
    return handle if _HANDLE.fullmatch(handle) else ""
