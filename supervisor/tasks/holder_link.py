"""The daemon's end of a holder: its listeners, its notices, and control over its tree."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from supervisor.errors import DaemonUnavailable, LaunchFailed, TaskpassError, of_code
from supervisor.identity.attest_linux import peer_process
from supervisor.model import FileDoor, Process
from supervisor.ports import Attempt, TaskControl
from supervisor.protocol import holder_wire

_MAX_DESCRIPTORS = 64
_decoder = msgspec.msgpack.Decoder(holder_wire.FromHolder)


@dataclass(frozen=True, slots=True)
class Adoption:
    """What a holder hands over."""

    link: HolderLink
    holder: Process
    listeners: dict[str, socket.socket]
    sock_diag: int  # descriptor of a NETLINK_SOCK_DIAG socket in the task's network namespace
    root: Process | None
    exit_code: int | None


class HolderLink(TaskControl):
    """One connection to one holder."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._killed: asyncio.Future[int] | None = None
        self._doors: deque[asyncio.Future[holder_wire.DoorsAnswered]] = deque()  # answered in order
        self._gone = False
        self.on_spawned: Callable[[Process], None] = lambda process: None
        self.on_failed: Callable[[TaskpassError], None] = lambda error: None
        self.on_limit_met: Callable[[str, int], object] = lambda limit, times: None
        self.on_clipboard: Callable[[holder_wire.ClipboardAnswered], object] = lambda answer: None
        self.on_exited: Callable[[int], None] = lambda code: None
        self.on_refused: Callable[[Attempt], object] = lambda attempt: None
        self.on_lost: Callable[[], None] = lambda: None

    @classmethod
    async def adopt(cls, path: str, token: str) -> Adoption:
        """Take a holder over; an earlier daemon's link is replaced.

        Raises:
            LaunchFailed: nobody listens there, or it is not the holder that `token` belongs to.
        """
        loop = asyncio.get_running_loop()
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, path)
            holder = peer_process(sock)
            await loop.sock_sendall(sock, holder_wire.frame(holder_wire.Adopt(token=token)))
            header, descriptors = await _receive_descriptors(sock)
            body = b""
            length = holder_wire.frame_length(header)
            while len(body) < length:
                chunk = await loop.sock_recv(sock, length - len(body))
                if not chunk:
                    raise LaunchFailed("The holder closed before it was adopted.")
                body += chunk
        except (OSError, ValueError) as error:
            sock.close()
            raise LaunchFailed("The task's holder does not answer.") from error
        adopted = _decoder.decode(body)
        if not isinstance(adopted, holder_wire.Adopted):
            raise LaunchFailed("The task's holder gave an answer that is not ours.")
        names = adopted.listeners
        # At once, not when notices are first listened for: a kill may come before.
        link = cls(*await asyncio.open_unix_connection(sock=sock))
        return Adoption(
            link=link,
            holder=holder,
            listeners={
                name: socket.socket(fileno=descriptor)
                for name, descriptor in zip(names, descriptors, strict=False)
            },
            sock_diag=descriptors[len(names)],
            root=Process(adopted.root_pid, adopted.root_start) if adopted.root_pid else None,
            exit_code=adopted.exit_code,
        )

    async def listen(self) -> None:
        """Handle the holder's notices until it is gone. Run once, as a task of its own."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError, ValueError):
            while True:
                length = holder_wire.frame_length(await self._reader.readexactly(4))
                self._handle(_decoder.decode(await self._reader.readexactly(length)))
        self._gone = True
        self._writer.close()
        if self._killed and not self._killed.done():
            self._killed.set_result(0)  # a holder that is gone has taken its tree with it
        for waiting in self._doors:
            if not waiting.done():
                waiting.set_exception(LaunchFailed("The task's holder is gone."))
        self.on_lost()

    def _handle(self, message: holder_wire.FromHolder) -> None:
        match message:
            case holder_wire.Spawned():
                self.on_spawned(Process(message.root_pid, message.root_start))
            case holder_wire.SpawnFailed():
                self.on_failed(of_code(message.code)(message.message))
            case holder_wire.Exited():
                self.on_exited(message.code)
            case holder_wire.Refused():
                self.on_refused(Attempt(message.protocol, message.address, message.port))
            case holder_wire.DoorsAnswered():
                if self._doors and not (waiting := self._doors.popleft()).done():
                    waiting.set_result(message)
            case holder_wire.LimitMet():
                self.on_limit_met(message.limit, message.times)
            case holder_wire.ClipboardAnswered():
                self.on_clipboard(message)
            case holder_wire.Killed():
                if self._killed and not self._killed.done():
                    self._killed.set_result(message.left)
            case _:
                pass  # a newer holder may say more

    def _send(self, message: holder_wire.ToHolder) -> None:
        if self._gone:
            raise LaunchFailed("The task's holder is gone.")
        self._writer.write(holder_wire.frame(message))

    async def freeze(self, tree: Process | None = None) -> None:
        self._send(holder_wire.Freeze(pid=tree.pid if tree else 0))

    async def thaw(self, tree: Process | None = None) -> None:
        self._send(holder_wire.Thaw(pid=tree.pid if tree else 0))

    async def kill(self) -> int:
        if self._gone:
            return 0
        if self._killed is None:
            self._killed = asyncio.get_running_loop().create_future()
            self._send(holder_wire.Kill())
        return await asyncio.shield(self._killed)

    async def open_doors(self, call: str, doors: Sequence[FileDoor]) -> None:
        await self._doors_answered(holder_wire.OpenDoors(call=call, doors=tuple(doors)))

    async def close_doors(self, call: str, *, publish: bool) -> tuple[str, ...]:
        answer = await self._doors_answered(holder_wire.CloseDoors(call=call, publish=publish))
        return answer.published

    async def _doors_answered(
        self, message: holder_wire.OpenDoors | holder_wire.CloseDoors
    ) -> holder_wire.DoorsAnswered:
        self._send(message)
        waiting: asyncio.Future[holder_wire.DoorsAnswered] = (
            asyncio.get_running_loop().create_future()
        )
        self._doors.append(waiting)
        answer = await waiting
        if answer.problem:
            raise LaunchFailed(answer.problem)
        return answer


async def _receive_descriptors(sock: socket.socket) -> tuple[bytes, list[int]]:
    """The 4-byte header of a frame and the descriptors that ride on it."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock.fileno(), readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(sock.fileno())
    header, descriptors, _, _ = socket.recv_fds(sock, 4, _MAX_DESCRIPTORS)
    while len(header) < 4:
        chunk = await loop.sock_recv(sock, 4 - len(header))
        if not chunk:
            for descriptor in descriptors:
                os.close(descriptor)
            raise DaemonUnavailable("The holder refused to be adopted.")
        header += chunk
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return header, descriptors
