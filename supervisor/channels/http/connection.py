"""A client's connection to a task's proxy, from its first byte to its last.

Attested, then one of: a bind (`TASKPASS-BIND`), a tunnel to the agent's model (untouched), a tunnel
that ends in TLS here, or plain HTTP. Each request is judged by itself.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
import logging
import re
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from supervisor.channels.http import reflection, refusal, rewrite
from supervisor.channels.http.body import BodyReader
from supervisor.channels.http.ca import CertificateAuthority
from supervisor.channels.http.endpoint import FOREVER, Endpoint
from supervisor.channels.http.environment import BIND_WORD, BOUND, NOT_BOUND
from supervisor.channels.http.exchange import CONTINUE, Exchange, splice
from supervisor.channels.http.looks import look_at
from supervisor.channels.http.message import (
    HEAD_LIMIT,
    BadRequest,
    Field,
    HeadTooLarge,
    Misdirected,
    Origin,
    RequestHead,
    normal_target,
    parse_authority,
    parse_request,
    split_absolute,
    write_request,
)
from supervisor.channels.http.peek import Look, Said, peek
from supervisor.channels.http.pool import Pool
from supervisor.errors import Denied, NotAttested, Revoked, TaskpassError
from supervisor.model import Effect, Process, Verb
from supervisor.ports import Authorize, ConnectionOwner, Release

log = logging.getLogger(__name__)

_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_BIND_LIMIT = 600  # bytes in the bind line
_HANDLE = re.compile(r"[\x21-\x7e]{1,512}")
# A refused request's body is read up to here, so that the client reads the refusal.
_DISCARD_LIMIT = 1024 * 1024
_DISCARD_TIME = 2.0
# For so long a chain of processes is believed without a new look at each of them. The core looks
# again by itself immediately before it releases a credential.
_BELIEVED = 0.05


@dataclass(frozen=True, slots=True)
class Services:
    """What every connection of a channel shares."""

    task: str
    authorize: Authorize
    owner: ConnectionOwner
    ca: CertificateAuthority
    pool: Pool
    model_hosts: frozenset[str]
    head_timeout: float
    idle_timeout: float
    silence_timeout: float
    track: Callable[[Exchange, bool], None]
    record: Callable[[Coroutine[Any, Any, None]], object]
    settle: Callable[[Release, int], None]
    credentialed: set[Origin]  # where one of our credentials was released


class Connection:
    """One accepted connection."""

    def __init__(self, client: Endpoint, services: Services) -> None:
        self._client = client
        self._services = services
        self._sockname = client.sockname
        self._peername = client.peername
        self._owners: list[Process] = []
        self._chain: list[Process] = []
        self._looked = float("-inf")  # loop time
        self._unread = False  # the client may still be sending a body that nobody reads

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
            client.write(refusal.render(error, body=True, close=True))
        except OSError:
            client.abort()
        except Exception:
            # Ours to mend; the client gets no answer, least of all half of one.
            log.exception("a connection to the proxy failed")
            client.abort()
        else:
            if self._unread:
                await client.linger(_DISCARD_LIMIT, _DISCARD_TIME)
        finally:
            client.close()

    async def _serve(self) -> None:
        if await self._starts_with(BIND_WORD):
            await self._bind()
        elif (head := await self._next_head()) is not None:
            if head.method == "CONNECT":
                await self._tunnel(head)
            else:
                await self._plain(head)

    # ── who is there ────────────────────────────────────────────────────────────────────

    def _attest(self) -> list[Process]:
        """The first owner's ancestry, up to the agent; empty when anything is unresolved.

        Looked up again for each request. While the owners that were found still descend from the
        agent, the search for who holds the socket is not repeated: whoever was handed it since
        was handed it by one of them, which could as well have passed the bytes on itself.
        """
        now = asyncio.get_running_loop().time()
        if now - self._looked < _BELIEVED:
            return self._chain
        owner = self._services.owner
        chains = [owner.ancestry(process) for process in self._owners]
        if not chains or not all(chains):
            self._owners = owner.owners(self._sockname, self._peername)
            chains = [owner.ancestry(process) for process in self._owners]
            if not chains or not all(chains):
                self._owners = []
                return []
        self._chain, self._looked = chains[0], now
        return self._chain

    async def _attested(self, purpose: str) -> list[Process]:
        """As `_attest`.

        Raises:
            NotAttested: and the incident is recorded.
        """
        ancestry = self._attest()
        if not ancestry:
            self._incident("unattested", {"purpose": purpose, "port": self._peername[1]})
            raise NotAttested(
                "This connection cannot be shown to come from the task's own processes.",
                hint="Run the command as a tool call of the agent, in the foreground.",
            )
        return ancestry

    def _incident(self, kind: str, detail: dict[str, Any]) -> None:
        services = self._services
        services.record(services.authorize.incident(services.task, kind, detail))

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
        handle = (line or b"")[len(BIND_WORD) : -1].decode("latin-1")
        bound = False
        if _HANDLE.fullmatch(handle):
            self._client.wait_up_to(FOREVER)
            ancestry = self._attest()
            if not ancestry:
                self._incident("unattested", {"purpose": "bind", "port": self._peername[1]})
            else:
                bound = await services.authorize.bind_call(services.task, handle, ancestry)
        self._client.write(BOUND if bound else NOT_BOUND)

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
        if head.host and parse_authority(head.host, tls=True, default=443) != origin:
            raise Misdirected("CONNECT and Host name different hosts.")
        if head.body:
            raise BadRequest("CONNECT has no body.")
        if client.pending:
            raise BadRequest("A tunnel's bytes wait for the proxy's answer.")
        ancestry = await self._attested(f"CONNECT {origin.authority}")
        if self._is_model(origin, ancestry):
            await self._model_tunnel(origin)
            return
        handle = _handle(head)
        if not handle:
            self._challenge()
            return
        client.write(_ESTABLISHED)
        await client.start_tls(services.ca.context(origin.host), services.head_timeout)
        await self._requests(origin, handle)

    async def _requests(self, origin: Origin, handle: str) -> None:
        """Serve requests to one origin until the client ends."""
        while True:
            request = await self._next_head()
            if request is None or not await self._request(request, request.target, origin, handle):
                return
            self._client.wait_up_to(self._services.idle_timeout)

    def _challenge(self) -> None:
        error = NotAttested(
            "The proxy needs the call's handle as its user info.",
            hint="Use the proxy variables as the tool call has them (HTTPS_PROXY).",
        )
        self._client.write(refusal.render(error, body=True, close=True, challenge=True))

    def _is_model(self, origin: Origin, ancestry: Sequence[Process]) -> bool:
        services = self._services
        return origin.authority in services.model_hosts and services.authorize.model_access(
            services.task, ancestry, origin.host, origin.port
        )

    async def _model_tunnel(self, origin: Origin) -> None:
        raw = Origin(origin.host, origin.port, tls=False)
        upstream = await self._services.pool.dial(raw, private=True)
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
        ancestry = self._attest()
        if not ancestry or not self._is_model(origin, ancestry):
            raise Revoked("The task's access to its model has ended.")

    # ── plain HTTP ──────────────────────────────────────────────────────────────────────

    async def _plain(self, first: RequestHead) -> None:
        client, services = self._client, self._services
        head: RequestHead | None = first
        while head is not None:
            authority, target = split_absolute(head.target)
            origin = parse_authority(authority, tls=False, default=80)
            ancestry = await self._attested(f"{head.method} {origin.authority}")
            if self._is_model(origin, ancestry):
                again = await self._model_request(head, target, origin)
            elif handle := _handle(head):
                again = await self._request(head, target, origin, handle)
            else:
                self._challenge()
                return
            if not again:
                return
            client.wait_up_to(services.idle_timeout)
            head = await self._next_head()

    async def _model_request(self, head: RequestHead, target: str, origin: Origin) -> bool:
        self._client.wait_up_to(FOREVER)
        _check_origin(head, origin)
        wire = write_request(head, origin, target, head.fields)
        exchange = self._exchange(head, origin, "", ())
        return await exchange.run(wire, lambda: self._still_model(origin), private=True)

    # ── requests ────────────────────────────────────────────────────────────────────────

    async def _request(self, head: RequestHead, target: str, origin: Origin, handle: str) -> bool:
        """Judge and serve one request; whether another may follow on this connection."""
        self._client.wait_up_to(FOREVER)
        try:
            _check_origin(head, origin)
            path, target = normal_target(target, head.method)
            if head.method in ("TRACE", "CONNECT"):
                # TRACE has the server send the request's headers back.
                raise BadRequest(f"{head.method} is not forwarded.")
            ancestry = await self._attested(f"{head.method} {origin.resource}")
            effect = Effect(
                Verb.HTTP,
                origin.resource,
                {"method": head.method, "path": path, "port": origin.port},
            )
            further: tuple[Effect, ...] = ()
            if (look := look_at(path)) is not None:
                head, said = await self._peeked(look, head, target)
                effect = replace(effect, attributes={**effect.attributes, **said.attributes})
                further = said.further
                ancestry = await self._attested(f"{head.method} {origin.resource}")
            release = await self._services.authorize.authorize_use(
                self._services.task,
                handle,
                ancestry,
                effect,
                rewrite.candidates(head.fields),
                further,
            )
        except TaskpassError as error:
            return await self._refuse(head, error)
        return await self._use(head, target, origin, release)

    async def _peeked(self, look: Look, head: RequestHead, target: str) -> tuple[RequestHead, Said]:
        """What the body says; and the head, whose client is not told to go on twice."""
        wanted = look.wants(head)
        if wanted and head.expects_continue:
            self._client.write(CONTINUE)
            head = replace(head, expects_continue=False)
        body = await peek(self._client, head, wanted, self._services.head_timeout)
        return head, await asyncio.to_thread(look.read, head, target, body)

    async def _use(self, head: RequestHead, target: str, origin: Origin, release: Release) -> bool:
        services = self._services
        exchange: Exchange | None = None
        try:
            fields, secrets = self._prepared(head, origin, release)
            wire = write_request(head, origin, target, fields)
            exchange = self._exchange(head, origin, release.lease, secrets)
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
                self._unread = self._unread or exchange.early
                status = exchange.status
                if exchange.reflected:
                    self._incident(
                        "reflected",
                        {
                            "host": origin.resource,
                            "where": exchange.reflected,
                            "lease": release.lease,
                        },
                    )
            services.settle(release, status)

    def _exchange(
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
        self._unread = not keep and head.body != 0
        self._client.write(refusal.render(error, body=head.method != "HEAD", close=not keep))
        return keep

    async def _discard(self, length: int) -> bool:
        """Read a body to its end, within bounds; whether the end was reached."""
        reader = BodyReader(self._client, length)
        seen = 0
        try:
            async with asyncio.timeout(_DISCARD_TIME):
                while data := await reader.piece():
                    seen += len(data)
                    if seen > _DISCARD_LIMIT:
                        return False
        except (TimeoutError, BadRequest):
            return False
        return True


def _check_origin(head: RequestHead, origin: Origin) -> None:
    """Raises Misdirected unless Host names the tunnel's (or the URL's) origin."""
    named = parse_authority(head.host, tls=origin.tls, default=443 if origin.tls else 80)
    if named != origin:
        raise Misdirected(
            f"The request names another host than its connection ({origin.resource}).",
            hint="Open a connection for each host.",
        )


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
