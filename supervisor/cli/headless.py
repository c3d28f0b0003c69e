"""`taskpass run --headless`: the program's input and output are ours, and so is its exit code.

This is the start path that people wait for, so it imports next to nothing: a plain socket,
JSON, and the one holder frame it needs, written by hand (`wire.Stdio`, msgpack).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
from types import FrameType
from typing import Any, NoReturn

from supervisor import handshake
from supervisor.errors import DaemonUnavailable, TaskpassError, of_code
from supervisor.paths import user_paths

_PROTOCOL = 1


def run_headless(request: dict[str, object]) -> int:
    """Run one task to its end; its exit code.

    Raises:
        TaskpassError: it could not be started.
    """
    paths = user_paths()
    daemon = _connect(str(paths.socket))
    if daemon is None:
        handshake.ensure_daemon(paths)
        daemon = _connect(str(paths.socket))
    if daemon is None:
        raise DaemonUnavailable("The supervisor cannot be reached.", hint="Try again.")
    handshake.check_peer(daemon, paths)
    nonce = handshake.new_nonce()
    hello = _call(daemon, "GET", f"/v1/hello?nonce={nonce}")
    handshake.check_proof(paths, nonce, str(hello.get("proof", "")))
    handshake.check_protocol(hello.get("protocol"), str(hello.get("version")), _PROTOCOL)
    started = _call(daemon, "POST", "/v1/tasks", request)
    task = started["task"]["id"]

    def end(number: int, frame: FrameType | None) -> NoReturn:
        other = _connect(str(paths.socket))
        if other is not None:
            _call(other, "POST", f"/v1/tasks/{task}/end", {})
        sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    _give_stdio(started["socket"], started["token"])
    while True:
        try:
            return int(_call(daemon, "GET", f"/v1/tasks/{task}/exit")["exit_code"])
        except ConnectionError:
            # The supervisor went away; the task waits for the next one.
            handshake.ensure_daemon(paths)
            again = _connect(str(paths.socket))
            if again is None:
                raise DaemonUnavailable("The supervisor was lost and does not return.") from None
            daemon = again


def _connect(path: str) -> socket.socket | None:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        return None
    return sock


def _call(sock: socket.socket, method: str, target: str, body: object = None) -> dict[str, Any]:
    """One exchange with our own API: its answers carry their length.

    Raises:
        TaskpassError: the one it answered with.
        ConnectionError: it went away.
    """
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {target} HTTP/1.1\r\nhost: supervisor\r\ncontent-length: {len(data)}\r\n\r\n"
    sock.sendall(head.encode() + data)
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _some(sock)
    lines = received[:end].decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    length = int(fields.get("content-length", "0"))
    content = received[end + 4 :]
    while len(content) < length:
        content += _some(sock)
    answer: dict[str, Any] = json.loads(content)
    if not lines[0].split(" ")[1].startswith("2"):
        raise _error(answer)
    return answer


def _some(sock: socket.socket) -> bytes:
    chunk = sock.recv(65536)
    if not chunk:
        raise ConnectionError("the supervisor went away")
    return chunk


def _error(answer: dict[str, Any]) -> TaskpassError:
    return of_code(str(answer.get("code")))(
        str(answer.get("message")), hint=str(answer.get("hint", ""))
    )


def _give_stdio(path: str, token: str) -> None:
    """Pass our input and output to the holder. A terminal is not passed as input: the program
    runs without one, and would be stopped when it reads."""
    body = b"\x82" + _text("type") + _text("stdio") + _text("token") + _text(token)
    frame = struct.pack(">I", len(body)) + body
    given = os.open(os.devnull, os.O_RDONLY) if os.isatty(0) else 0
    with socket.socket(socket.AF_UNIX) as holder:
        holder.connect(path)
        socket.send_fds(holder, [frame], [given, 1, 2])
    if given:
        os.close(given)


def _text(text: str) -> bytes:
    data = text.encode()
    return b"\xd9" + bytes([len(data)]) + data
