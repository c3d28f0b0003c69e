"""One connection to the supervisor's socket: the handshake, requests, and answers that go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import h11
import msgspec

from supervisor import errors
from supervisor.paths import Paths
from supervisor.protocol import handshake, holder_wire, wire


class Connection:
    """One HTTP/1.1 connection on the supervisor's socket, handshake done."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)

    @classmethod
    async def open(cls, paths: Paths, *, any_protocol: bool = False) -> Connection:
        try:
            reader, writer = await asyncio.open_unix_connection(
                str(paths.socket), limit=holder_wire.MAX_FRAME
            )
        except OSError as error:
            raise errors.DaemonUnavailable(
                "The supervisor is not running.", hint="Start it with `taskpass`."
            ) from error
        connection = cls(reader, writer)
        try:
            sock = writer.get_extra_info("socket")
            handshake.check_peer(sock, paths)
            nonce = handshake.new_nonce()
            hello = msgspec.json.decode(
                await connection.request("GET", f"/v1/hello?nonce={nonce}"), type=wire.Hello
            )
            handshake.check_proof(paths, nonce, hello.proof)
            if not any_protocol:
                handshake.check_protocol(hello.protocol, hello.version, wire.PROTOCOL)
        except msgspec.MsgspecError as error:
            handshake.report_fake(paths, "no handshake")
            connection.close()
            raise handshake.fake_daemon(paths) from error
        except BaseException:
            connection.close()
            raise
        return connection

    async def _send(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> None:
        head = [("host", "supervisor"), ("content-length", str(len(body))), *headers.items()]
        data = self._http.send(h11.Request(method=method, target=target, headers=head)) or b""
        if body:
            data += self._http.send(h11.Data(data=body)) or b""
        data += self._http.send(h11.EndOfMessage()) or b""
        self._writer.write(data)
        await self._writer.drain()

    async def _next(self) -> Any:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            self._http.receive_data(await self._reader.read(65536))

    async def request(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> bytes:
        """One exchange; the answer's body.

        Raises:
            TaskpassError: the one the supervisor answered with, or DaemonUnavailable.
        """
        try:
            await self._send(method, target, body, headers or {})
            status, answer = 0, b""
            while not isinstance(event := await self._next(), h11.EndOfMessage):
                if isinstance(event, h11.Response):
                    status = event.status_code
                elif isinstance(event, h11.Data):
                    answer += event.data
                elif isinstance(event, h11.ConnectionClosed):
                    raise ConnectionError("closed in mid-answer")
            if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
                self._http.start_next_cycle()
        except (OSError, h11.ProtocolError) as error:
            raise errors.DaemonUnavailable(
                "The supervisor went away in mid-request.", hint="Try again; it is restarted."
            ) from error
        if status >= 300:
            raise _problem(answer)
        return answer

    async def parts(self, target: str) -> AsyncIterator[bytes]:
        """A streamed answer as it comes, to its end.

        Raises:
            TaskpassError: the one the supervisor answered with, or DaemonUnavailable: it went away.
        """
        await self._send("GET", target, b"", {})
        problem: bytes | None = None
        try:
            while not isinstance(event := await self._next(), h11.EndOfMessage):
                if isinstance(event, h11.Response) and event.status_code >= 300:
                    problem = b""
                elif isinstance(event, h11.Data) and problem is None:
                    yield bytes(event.data)
                elif isinstance(event, h11.Data):
                    problem = (problem or b"") + event.data
                elif isinstance(event, h11.ConnectionClosed):
                    raise ConnectionError("closed in mid-answer")
        except (OSError, h11.ProtocolError) as error:
            raise errors.DaemonUnavailable("The supervisor closed the event stream.") from error
        if problem is not None:
            raise _problem(problem)

    async def lines(self, target: str) -> AsyncIterator[bytes]:
        """The lines of a streamed answer, until the other end closes."""
        rest = b""
        async for part in self.parts(target):
            *whole, rest = (rest + part).split(b"\n")
            for line in whole:
                yield line
        raise errors.DaemonUnavailable("The supervisor closed the event stream.")

    @property
    def usable(self) -> bool:
        """Whether the other end has kept it open; it closes what has long been idle."""
        return not (self._reader.at_eof() or self._writer.is_closing())

    def close(self) -> None:
        self._writer.close()


def _problem(body: bytes) -> errors.TaskpassError:
    try:
        problem = msgspec.json.decode(body, type=wire.Problem)
    except msgspec.MsgspecError:
        return errors.DaemonUnavailable("The supervisor gave an answer that is not ours.")
    return errors.of_code(problem.code)(problem.message, hint=problem.hint)
