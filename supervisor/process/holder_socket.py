"""The holder's socket: who connects, the first frame, and descriptors that ride on a frame."""

from __future__ import annotations

import array
import asyncio
import hmac
import os
import socket
import struct

import msgspec

from supervisor.errors import LaunchFailed
from supervisor.protocol import holder_wire

_FRAME_LIMIT = 64 * 1024  # of a first frame
DECODER = msgspec.msgpack.Decoder(holder_wire.ToHolder)


def listen(path: str) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        server.bind(path)
    except OSError as error:
        raise LaunchFailed(
            f"Cannot listen at {path}: {error.strerror}.", hint="Is the task running already?"
        ) from error
    finally:
        os.umask(mask)
    server.listen(16)
    server.setblocking(False)
    return server


def same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def peer_uid(connection: socket.socket) -> int:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3i", raw)[1])


async def _ready(connection: socket.socket, *, write: bool = False) -> None:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    add, remove = (
        (loop.add_writer, loop.remove_writer) if write else (loop.add_reader, loop.remove_reader)
    )

    def wake() -> None:
        if not future.done():
            future.set_result(None)

    add(connection, wake)
    try:
        await future
    finally:
        remove(connection)


async def first_frame(connection: socket.socket) -> tuple[holder_wire.ToHolder, list[int]]:
    """Exactly one frame and the descriptors on it; nothing behind it is taken."""
    fds: list[int] = []
    try:
        length = holder_wire.frame_length(await _exactly(connection, 4, fds))
        if length > _FRAME_LIMIT:
            raise ValueError(f"first frame of {length} bytes")
        return DECODER.decode(await _exactly(connection, length, fds)), fds
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise


async def _exactly(connection: socket.socket, length: int, fds: list[int]) -> bytes:
    data = b""
    while len(data) < length:
        try:
            part, received, _, _ = socket.recv_fds(
                connection, length - len(data), 3, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            await _ready(connection)
            continue
        fds += received
        if not part:
            raise EOFError
        data += part
    return data


async def send_with_fds(connection: socket.socket, data: bytes, fds: list[int]) -> None:
    """The descriptors ride on the first byte; the rest follows as the peer takes it."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
    while True:
        try:
            sent = connection.sendmsg([data], rights)
            break
        except BlockingIOError:
            await _ready(connection, write=True)
    if sent < len(data):
        await asyncio.get_running_loop().sock_sendall(connection, data[sent:])


async def streams(
    connection: socket.socket,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(sock=connection.dup())
