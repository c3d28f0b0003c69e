"""HTTP/2 from a client whose TLS ended here: each stream is attested, judged and cut on its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from supervisor.channels.http import inflate, reflection
from supervisor.channels.http.admission import Admission
from supervisor.channels.http.endpoint import FOREVER, Endpoint
from supervisor.channels.http.h2heads import (
    Header,
    read_fields,
    read_request,
    read_response,
    write_request,
)
from supervisor.channels.http.h2upstream import H2Server, H2Servers
from supervisor.channels.http.h2wire import H2Wire, Stream
from supervisor.channels.http.message import BadGateway, BadRequest, Origin, RequestHead
from supervisor.channels.http.refusal import DECISION_FIELD, content, status_of
from supervisor.channels.http.services import End, Services
from supervisor.channels.http.visitor import Visitor
from supervisor.errors import TaskpassError
from supervisor.ports import Release

log = logging.getLogger(__name__)


class H2Front:
    """One client connection, from its preface to its end."""

    def __init__(
        self,
        client: Endpoint,
        services: Services,
        visitor: Visitor,
        origin: Origin,
        servers: H2Servers,
    ) -> None:
        self._client = client
        self._services = services
        self._visitor = visitor
        self._origin = origin
        self._servers = servers
        self._serving: dict[Stream, asyncio.Task[None]] = {}
        self._wire = H2Wire(
            client, client=False, opened=self._opened, reset=self._gone, broken=self._broken
        )

    async def run(self) -> None:
        """Serve until the client ends."""
        self._client.wait_up_to(self._services.idle_timeout)
        try:
            await self._wire.run()
        finally:
            serving = set(self._serving.values())
            for task in serving:
                task.cancel()
            if serving:
                await asyncio.wait(serving)

    def _opened(self, stream: Stream, headers: Sequence[Header], whole: bool) -> None:
        self._client.wait_up_to(FOREVER)
        task = asyncio.get_running_loop().create_task(self._serve(stream, headers, whole))
        self._serving[stream] = task
        task.add_done_callback(lambda _: self._served(stream))

    def _gone(self, stream: Stream) -> None:
        # Who went away is asked no more questions about, and its server is let go.
        if (task := self._serving.get(stream)) is not None:
            task.cancel()

    def _broken(self, how: str) -> None:
        self._visitor.refused(BadRequest(f"The client broke the rules of HTTP/2 ({how})."))

    def _served(self, stream: Stream) -> None:
        self._serving.pop(stream, None)
        self._wire.forget(stream)
        if not self._serving:
            self._client.wait_up_to(self._services.idle_timeout)

    async def _serve(self, stream: Stream, headers: Sequence[Header], whole: bool) -> None:
        try:
            await self._judged(stream, headers, whole)
            self._wire.answered()
        except (OSError, ProtocolError):
            stream.reset()
        except Exception:
            log.exception("a stream of the proxy failed")
            stream.reset(ErrorCodes.INTERNAL_ERROR)

    async def _judged(self, stream: Stream, headers: Sequence[Header], whole: bool) -> None:
        admission = Admission(self._services, self._visitor)
        try:
            head = read_request(headers, whole=whole)
        except TaskpassError as error:
            self._visitor.refused(error)
            await _refuse(stream, error, body=True)
            return
        try:
            head, target, release = await admission.judge(
                stream, head, head.target, self._origin, lambda: _go_on(stream)
            )
        except TaskpassError as error:
            await _refuse(stream, error, body=head.method != "HEAD")
            return
        if head.expects_continue:
            _go_on(stream)
        exchange = H2Exchange(stream, self._servers, self._origin, release.lease)
        if release.lease:
            self._services.track(exchange, True)
        try:
            await self._use(exchange, head, target, release, admission)
        except TaskpassError as error:
            if exchange.answered:
                stream.reset()
            else:
                await _refuse(stream, error, body=head.method != "HEAD")
        finally:
            admission.ended(release, self._origin, exchange)
        if not stream.ended:
            # It was answered before it was sent: the rest is not read (RFC 9113, 8.1).
            stream.reset(ErrorCodes.NO_ERROR)

    async def _use(
        self,
        exchange: H2Exchange,
        head: RequestHead,
        target: str,
        release: Release,
        admission: Admission,
    ) -> None:
        fields, secrets = admission.prepared(head, self._origin, release)
        if secrets:  # as with Accept-Encoding: an echo of the secret has to be seen
            fields = [field for field in fields if field[0] != b"grpc-accept-encoding"]
        await exchange.run(
            write_request(head, self._origin, target, fields),
            secrets,
            self._services.silence_timeout,
            lambda: admission.still(release, exchange.client.lost),
            whole=not head.body,
        )


class H2Exchange:
    """A request on its way: see `services.Carrier`.

    Attributes:
        answered: whether the client was sent a part of the response.
    """

    def __init__(self, client: Stream, servers: H2Servers, origin: Origin, lease: str) -> None:
        self.client = client
        self._servers = servers
        self._origin = origin
        self._server: H2Server | None = None
        self.lease = lease
        self.status = 0
        self.reflected = ""
        self.answered = False

    def ends(self) -> tuple[End, ...]:
        return (self.client,) if self._server is None else (self.client, self._server)

    async def run(
        self,
        headers: Sequence[Header],
        secrets: tuple[bytes, ...],
        silence: float,
        may_write: Callable[[], None],
        *,
        whole: bool,
    ) -> None:
        """Send the head and the body; bring the response back.

        Raises:
            TaskpassError: nothing was answered yet, or `answered`.
            ConnectionError: one side went away, or broke off.
        """
        upload: asyncio.Task[None] | None = None
        server = self._server = await self._servers.connect(self._origin, may_write)
        stream = server.wire.open()
        try:
            stream.wait_up_to(silence)
            self.client.wait_up_to(silence)
            may_write()
            stream.send_head(headers, end=whole)
            if not whole:
                upload = asyncio.get_running_loop().create_task(_move(self.client, stream))
            try:
                head = await asyncio.wait_for(stream.head, silence)
            except (ConnectionError, TimeoutError) as error:
                raise BadGateway(f"{self._origin.authority} broke off its answer.") from error
            self.status, fields = read_response(head)
            await self._answer(stream, fields, secrets)
            if upload is None or (upload.done() and upload.exception() is None):
                self._servers.keep(self._origin, server, stream)
                self._server = None
        finally:
            if upload is not None:
                upload.cancel()
                await asyncio.gather(upload, return_exceptions=True)
            if self._server is not None:
                self._server.abort()
                self._server = None

    async def _answer(
        self, stream: Stream, fields: Sequence[Header], secrets: tuple[bytes, ...]
    ) -> None:
        client = self.client
        status = (b":status", b"%d" % self.status)
        scanner: reflection.Watch | None = None
        if secrets:
            scanner = inflate.watch([(name, name, value) for name, value in fields], secrets)
            fields = self._masked(fields, secrets)
        try:
            # Its beginning is looked at before anything is sent, as far as it is there already.
            first = stream.pending and await stream.some()
            first = scanner.feed(bytes(first)) if scanner and first else bytes(first)
            self.answered = True
            ended = stream.ended and not stream.pending and not stream.trailers and not scanner
            client.send_head([status, *fields], end=ended and not first)
            if ended and not first:
                return
            if first:
                await client.send(first)
            while data := await stream.some():
                await client.send(scanner.feed(data) if scanner else data)
            if scanner and (rest := scanner.rest()):
                await client.send(rest)
        except reflection.Reflected as error:
            self.reflected = "body"
            raise BadGateway(
                f"{self._origin.authority} sent the credential back; its answer was dropped.",
                hint="Ask for something that does not repeat the request's headers.",
            ) from error
        if stream.trailers:
            trailers = read_fields(stream.trailers)
            client.send_head(self._masked(trailers, secrets) if secrets else trailers, end=True)
        else:
            client.end()

    def _masked(self, fields: Sequence[Header], secrets: tuple[bytes, ...]) -> list[Header]:
        known = [(name, name, value) for name, value in fields]
        masked = reflection.mask_fields(known, secrets)
        if masked != known:
            self.reflected = "headers"
        return [(name, value) for name, _, value in masked]


async def _move(source: Stream, target: Stream) -> None:
    """A request's body. Its trailers stay here: no field may come after policy has judged."""
    while data := await source.some():
        await target.send(data)
    target.end()


def _go_on(stream: Stream) -> None:
    stream.send_head([(b":status", b"100")])


async def _refuse(stream: Stream, error: TaskpassError, *, body: bool) -> None:
    text = content(error)
    stream.send_head(
        [
            (b":status", b"%d" % status_of(error)),
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", b"%d" % len(text)),
            (b"cache-control", b"no-store"),
            (DECISION_FIELD.lower().encode(), error.code.encode()),
        ],
        end=not body,
    )
    with contextlib.suppress(ConnectionError):
        if body:
            await stream.send(text)
            stream.end()
        if not stream.ended:
            stream.reset(ErrorCodes.NO_ERROR)  # as above
