"""One request to a server and its response back, with both bodies in motion."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from supervisor.channels.http import inflate, reflection
from supervisor.channels.http.body import BodyReader, BodyWriter, relay
from supervisor.channels.http.endpoint import FOREVER, Endpoint
from supervisor.channels.http.message import (
    CHUNKED,
    HEAD_LIMIT,
    UNTIL_CLOSE,
    BadGateway,
    BadRequest,
    Field,
    Origin,
    RequestHead,
    ResponseHead,
    parse_response,
    write_response,
)
from supervisor.channels.http.pool import Pool

# Repeating one of these by itself is harmless (RFC 9110, 9.2.2).
_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """A request on its way.

    Attributes:
        lease: whose bytes it carries, "" for none.
        status: of the response, 0 before there is one.
        answered: whether the client was sent a part of the response.
        early: the server answered before the whole request was sent.
        reflected: where the secret came back: "", "headers", "body" or "stream" (a WebSocket).
    """

    __slots__ = (
        "_client",
        "_head",
        "_origin",
        "_pool",
        "_secrets",
        "_silence",
        "_upstream",
        "answered",
        "early",
        "lease",
        "reflected",
        "status",
    )

    def __init__(
        self,
        client: Endpoint,
        pool: Pool,
        origin: Origin,
        head: RequestHead,
        lease: str,
        secrets: tuple[bytes, ...],
        silence: float,
    ) -> None:
        self._client = client
        self._pool = pool
        self._origin = origin
        self._head = head
        self._secrets = secrets
        self._silence = silence
        self._upstream: Endpoint | None = None
        self.lease = lease
        self.status = 0
        self.answered = False
        self.early = False
        self.reflected = ""

    def ends(self) -> tuple[Endpoint, ...]:
        """The connections that carry it now."""
        return (self._client,) if self._upstream is None else (self._client, self._upstream)

    async def run(
        self, wire: bytes, may_write: Callable[[], None], *, private: bool | None = None
    ) -> bool:
        """Send `wire` (the new head), then the body; bring the response back.

        Args:
            may_write: raises when the head must not go out after all; called immediately before
                it does, with nothing awaited in between.
            private: see `Pool.dial`.

        Returns:
            Whether the client's connection can carry another request.

        Raises:
            TaskpassError: nothing was answered yet; the caller refuses.
            ConnectionError: one side went away, or broke off; the connection is to be dropped.
        """
        kept = self._pool.kept(self._origin)
        upload: asyncio.Task[None] | None = None
        try:
            while True:
                upstream = kept or await self._pool.dial(self._origin, private=private)
                self._upstream = upstream
                upstream.wait_up_to(self._silence)
                may_write()
                upload = self._send(upstream, wire)
                raw = await self._response_head(upstream)
                if raw is not None:
                    break
                # A kept connection that the server closed meanwhile has carried nothing.
                if kept is None or upload is not None or self._head.method not in _IDEMPOTENT:
                    raise BadGateway(f"{self._origin.authority} closed without an answer.")
                upstream.abort()
                kept = None
            response = parse_response(raw, self._head.method)
            if response.status == 101:
                await self._switch(upstream, response)
                return False
            return await self._answer(upstream, response, upload)
        except BadRequest as error:
            if self.answered:
                raise ConnectionAbortedError("a body is malformed") from error
            raise
        except BadGateway:
            # The server was let go because of what the client sent: say that.
            if upload is not None and upload.done() and not upload.cancelled():
                fault = upload.exception()
                if isinstance(fault, BadRequest):
                    raise fault from None
            raise
        finally:
            if upload is not None:
                upload.cancel()
                await asyncio.gather(upload, return_exceptions=True)
            if self._upstream is not None:
                self._upstream.abort()

    def _send(self, upstream: Endpoint, wire: bytes) -> asyncio.Task[None] | None:
        """Write the head, with the body when it is all here; else a task that moves the body."""
        client, length = self._client, self._head.body
        if 0 <= length <= len(client.pending):
            upstream.write(wire + client.take(length) if length else wire)
            return None
        upstream.write(wire)
        if self._head.expects_continue:
            client.write(CONTINUE)
        client.wait_up_to(self._silence)
        return asyncio.get_running_loop().create_task(self._upload(upstream))

    async def _upload(self, upstream: Endpoint) -> None:
        length = self._head.body
        try:
            await relay(
                BodyReader(self._client, length), BodyWriter(upstream, chunked=length == CHUNKED)
            )
        except BadRequest:
            # The server must not take half a body for a whole one.
            upstream.abort()
            raise
        finally:
            self._client.wait_up_to(FOREVER)

    async def _response_head(self, upstream: Endpoint) -> bytes | None:
        """The final response's head (101 is one); None when the server closed before a byte."""
        while True:
            try:
                raw = await upstream.until(b"\r\n\r\n", HEAD_LIMIT)
            except OverflowError as error:
                raise BadGateway("The server's response head is too long.") from error
            except ConnectionError as error:
                raise BadGateway(f"{self._origin.authority} broke off its answer.") from error
            # Informational: the client had its 100 from us, and needs no other.
            if raw is None or raw[9:10] != b"1" or raw[9:12] == b"101":
                return raw

    async def _answer(
        self, upstream: Endpoint, response: ResponseHead, upload: asyncio.Task[None] | None
    ) -> bool:
        client = self._client
        self.status = response.status
        chunked = response.body in (CHUNKED, UNTIL_CLOSE) and self._head.minor == 1
        unframed = response.body in (CHUNKED, UNTIL_CLOSE) and not chunked
        # An answer before the body was sent is final; what is left of the body is not waited for.
        self.early = upload is not None and not upload.done()
        keep = self._head.persistent and not unframed and not self.early
        fields = response.fields
        scanner: reflection.Watch | None = None
        if self._secrets:
            scanner = inflate.watch(fields, self._secrets) if response.body else None
            response, fields = self._masked(response)
        head = write_response(response, fields, chunked=chunked, close=not keep)
        reader = BodyReader(upstream, response.body)
        writer = BodyWriter(client, chunked=chunked)
        try:
            await relay(reader, writer, before=head, scanner=scanner)
        except reflection.Reflected as error:
            self.reflected = "body"
            raise BadGateway(
                f"{self._origin.authority} sent the credential back; its answer was dropped.",
                hint="Ask for something that does not repeat the request's headers.",
            ) from error
        finally:
            self.answered = writer.begun
        if upload is not None and upload.done():
            upload.result()
        if response.persistent and not self.early:
            self._upstream = None
            self._pool.keep(self._origin, upstream)
        return keep

    def _masked(self, response: ResponseHead) -> tuple[ResponseHead, Sequence[Field]]:
        """The head, and its fields, with every secret in them covered."""
        fields = reflection.mask_fields(response.fields, self._secrets)
        reason = reflection.mask(response.reason, self._secrets)
        if fields != response.fields or reason != response.reason:
            self.reflected = "headers"
            response = replace(response, reason=reason)
        return response, fields

    async def _switch(self, upstream: Endpoint, response: ResponseHead) -> None:
        """The connection now speaks WebSocket: move bytes until one side ends."""
        if self._head.upgrade != b"websocket":
            raise BadGateway("The server switched to a protocol nobody asked for.")
        self.status = 101
        self.answered = True
        response, fields = self._masked(response)
        self._client.write(write_response(response, fields, chunked=False, close=False))
        try:
            # A server's frames are not masked (RFC 6455, 5.1): what they say stands in them.
            await splice(self._client, upstream, reflection.Scanner(self._secrets))
        except reflection.Reflected:
            self.reflected = "stream"


async def splice(one: Endpoint, other: Endpoint, watch: reflection.Watch | None = None) -> None:
    """Move bytes both ways, untouched, until either side ends; `watch` looks at those to `one`.

    Raises:
        Reflected: by `watch`; both sides are closed then.
    """
    one.wait_up_to(FOREVER)
    other.wait_up_to(FOREVER)
    down = asyncio.ensure_future(_pump(other, one, watch))
    both = [asyncio.ensure_future(_pump(one, other)), down]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if down.done() and isinstance(error := down.exception(), reflection.Reflected):
            raise error
    finally:
        for pump in both:
            pump.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        one.close()
        other.close()


async def _pump(source: Endpoint, target: Endpoint, watch: reflection.Watch | None = None) -> None:
    while data := await source.some(256 * 1024):
        target.write(watch.feed(data) if watch is not None else data)
        await target.drain()
    if watch is not None:
        target.write(watch.rest())
