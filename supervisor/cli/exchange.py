"""Requests to the supervisor for the start path, on C modules alone.

`socket` and `json` bring enum, re and selectors: 13 ms, more than Python's own start. Here are
the few lines of HTTP and JSON that a start needs; everything else uses `supervisor.client`.
"""

from __future__ import annotations

import sys
from _json import encode_basestring_ascii, make_scanner
from _socket import AF_UNIX, SCM_RIGHTS, SO_PEERCRED, SOL_SOCKET, socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_UCRED_BYTES = 12  # struct ucred: pid, uid, gid


class Answered(Exception):
    """The supervisor answered with a problem: `code`, `message`, `hint`."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("message"))
        self.problem = problem


def connect(path: str) -> socket | None:
    """A connection to a listening socket, None when nobody listens."""
    connection = socket(AF_UNIX)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        return None
    return connection


def peer_uid(connection: socket) -> int:
    raw = connection.getsockopt(SOL_SOCKET, SO_PEERCRED, _UCRED_BYTES)
    return int.from_bytes(raw[4:8], sys.byteorder)


def send(
    connection: socket, method: str, target: str, body: object = None, screen: str = ""
) -> None:
    """One request. Its answer is read by `receive`. `screen`: the token of a paired one."""
    data = b"" if body is None else _encode(body).encode()
    head = f"{method} {target} HTTP/1.1\r\nhost: supervisor\r\ncontent-length: {len(data)}\r\n"
    if screen:
        head += f"taskpass-screen: {screen}\r\n"
    connection.sendall(head.encode() + b"\r\n" + data)


def receive(connection: socket) -> dict[str, Any]:
    """One answer; our own API's carry their length.

    Raises:
        Answered: it is a problem.
        ConnectionError: the supervisor went away.
        ValueError: this is no supervisor.
    """
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _some(connection)
    lines = received[:end].decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    length = int(fields.get("content-length", "0"))
    content = received[end + 4 :]
    while len(content) < length:
        content += _some(connection)
    answer = _decode(content.decode())
    if not lines[0].startswith("HTTP/1.1 2"):
        raise Answered(answer)
    return answer


def send_descriptors(connection: socket, data: bytes, descriptors: list[int]) -> None:
    packed = b"".join(fd.to_bytes(4, sys.byteorder) for fd in descriptors)
    connection.sendmsg([data], [(SOL_SOCKET, SCM_RIGHTS, packed)])


def _some(connection: socket) -> bytes:
    chunk = connection.recv(65536)
    if not chunk:
        raise ConnectionError("the supervisor went away")
    return chunk


def _encode(value: object) -> str:
    """JSON of what a request is made of."""
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict):
        pairs = (f"{_encode(name)}:{_encode(held)}" for name, held in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_encode, value)) + "]"
    raise TypeError(f"{type(value).__name__} in a request")


class _Plain:
    """The settings of json.JSONDecoder, as its C scanner reads them."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None  # Python 3.15
    parse_float = float
    parse_int = int
    parse_constant = None
    memo: dict[str, str] = {}  # noqa: RUF012 - read by the scanner of some versions


def _decode(text: str) -> dict[str, Any]:
    try:
        value, _ = make_scanner(_Plain())(text, 0)  # type: ignore[arg-type]
    except StopIteration as nothing:
        raise ValueError("no JSON") from nothing
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value
