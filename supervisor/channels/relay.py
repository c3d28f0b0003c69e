"""A loopback service made reachable from inside a task, for the agent itself only.

Models are often served on the person's own loopback (a gateway, a local model). A contained
task has a loopback of its own, so a listener there is carried to the real one, byte for byte,
when the connection's owner is the agent's root process. Tools of the agent get nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

from supervisor.model import Process
from supervisor.ports import Authorize, Channel, ConnectionOwner

_CHUNK = 1 << 16


class LoopbackRelay(Channel):
    """Carries one listener of a task to `127.0.0.1:port` of the machine."""

    def __init__(
        self,
        task: str,
        listener: socket.socket,
        port: int,
        authorize: Authorize,
        owner: ConnectionOwner,
    ) -> None:
        self._task = task
        self._listener = listener
        self._port = port
        self._authorize = authorize
        self._owner = owner
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self) -> None:
        self._server = await asyncio.start_server(self._accept, sock=self._listener)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            ancestry = self._attest(writer)
            if not self._authorize.model_access(self._task, ancestry, "127.0.0.1", self._port):
                await self._authorize.incident(
                    self._task, "model_access_refused", {"port": self._port}
                )
                return
            try:
                upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                return
            self._writers |= {writer, upstream}
            try:
                await asyncio.gather(_copy(reader, upstream), _copy(upstream_reader, writer))
            finally:
                self._writers -= {writer, upstream}
                upstream.close()

    def _attest(self, writer: asyncio.StreamWriter) -> list[Process]:
        owners = self._owner.owners(
            writer.get_extra_info("sockname"), writer.get_extra_info("peername")
        )
        chains = [self._owner.ancestry(owner) for owner in owners]
        # A socket that a tool inherited is the tool's as well: every owner has to qualify.
        return max(chains, key=len, default=[]) if all(chains) else []

    def cut(self, lease: str = "") -> int:
        if lease:
            return 0  # no lease is ever carried here
        cut = len(self._writers)
        for writer in list(self._writers):
            writer.transport.abort()
        return cut

    async def close(self) -> None:
        self.cut()
        if self._server:
            self._server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
