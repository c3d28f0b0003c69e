"""Where a task's git asks for credentials: one listener, one question a connection.

The script that git runs (`environment.helper_script`) carries git's words here and the answer
back. Who asks is told by the connection, as everywhere; what is handed out are stand-ins.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

from supervisor.channels.git import protocol
from supervisor.errors import Denied, NotAttested, TaskpassError
from supervisor.model import Process
from supervisor.ports import Authorize, Channel, ConnectionOwner, Offers

log = logging.getLogger(__name__)

_PATIENCE = 10.0  # seconds a question may take to come
_CONNECTIONS = 64
_TRIES, _PAUSE = 10, 0.004  # a child between fork and exec shows its parent's descriptors


class GitHelper(Channel):
    """The helper's listener of one task. It carries no lease: those are the proxy's.

    Args:
        listener: a listening TCP socket on the task's loopback. Owned from here.
    """

    def __init__(
        self,
        task: str,
        listener: socket.socket,
        authorize: Authorize,
        offers: Offers,
        owner: ConnectionOwner,
    ) -> None:
        self._task = task
        self._listener = listener
        self._authorize = authorize
        self._offers = offers
        self._owner = owner
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self) -> None:
        self._listener.setblocking(False)
        self._server = await asyncio.start_server(
            self._accept, sock=self._listener, limit=protocol.LIMIT
        )

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= _CONNECTIONS:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            writer.write(await self._answer(reader, writer))
            await writer.drain()
        except OSError:
            pass  # whoever asked has gone
        except Exception:
            log.exception("a question of git's was not answered")
        finally:
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        try:
            ancestry = await self._attested(writer)
            try:
                async with asyncio.timeout(_PATIENCE):
                    question = protocol.parse(await _question(reader))
            except protocol.BadQuestion as error:
                await self._incident("malformed_credential_request", error.message)
                raise
            if question.protocol != "https":
                raise Denied(
                    f"No credential is given for {question.protocol}://{question.host}.",
                    hint=f"Use https://{question.repository}.git instead.",
                )
            offer = await self._offers.offer(self._task, ancestry, question.host, question.path)
        except TimeoutError:
            return protocol.refusal(protocol.BadQuestion("The credential question did not end."))
        except TaskpassError as error:
            return protocol.refusal(error)
        return protocol.answer(question.username or offer.username, offer.stand_in, offer.expires)

    async def _attested(self, writer: asyncio.StreamWriter) -> list[Process]:
        ends = (writer.get_extra_info("sockname"), writer.get_extra_info("peername"))
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_PAUSE)
            chains = [self._owner.ancestry(process) for process in self._owner.owners(*ends)]
            if chains and all(chains):
                return max(chains, key=len)
        await self._incident("unattested", "git credential helper")
        raise NotAttested(
            "This question cannot be shown to come from the task's own processes.",
            hint="Run git as a tool call of the agent, in the foreground.",
        )

    async def _incident(self, kind: str, purpose: str) -> None:
        await self._authorize.incident(self._task, kind, {"purpose": purpose})

    def cut(self, lease: str = "") -> int:
        if lease:
            return 0  # no lease is ever carried here
        cut = len(self._writers)
        for writer in list(self._writers):
            writer.transport.abort()
        return cut

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        self._listener.close()


async def _question(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(protocol.END)
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError:
        raise protocol.too_long() from None
