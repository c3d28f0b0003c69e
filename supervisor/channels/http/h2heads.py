"""Heads of HTTP/2 messages, read as strictly as those of HTTP/1.1 (RFC 9113, 8). Pure.

A request's head is written as HTTP/1.1 and read by the one reader of heads there is, so that
policy, surrogates and limits cannot tell the versions apart. It goes upstream as HTTP/2 only:
nothing is ever translated to HTTP/1.1 on a wire, where its fields could be read differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from supervisor.channels.http.message import (
    FIELDS_LIMIT,
    HEAD_LIMIT,
    UNTIL_CLOSE,
    BadGateway,
    BadRequest,
    Field,
    HeadTooLarge,
    Origin,
    RequestHead,
    parse_request,
)

Header = tuple[bytes, bytes]

_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]{1,256}")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_STATUS = re.compile(rb"[1-9][0-9]{2}")
_PSEUDO = (b":method", b":scheme", b":authority", b":path")
# Of one connection; they have no meaning here (RFC 9113, 8.2.2).
_CONNECTION = frozenset(
    (b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade")
)
_NOT_FORWARDED = _CONNECTION | {b"host", b"expect", b"te", b"proxy-authorization", b"trailer"}


def read_request(headers: Sequence[Header], *, whole: bool) -> RequestHead:
    """The head of a request. `whole`: no body follows.

    Raises:
        BadRequest: malformed, or ambiguous in HTTP/1.1's eyes.
    """
    pseudo: dict[bytes, bytes] = {}
    lines: list[bytes] = []
    size = 0
    for name, value in headers:
        size += len(name) + len(value) + 32
        if name.startswith(b":"):
            if lines or name in pseudo or name not in _PSEUDO:
                raise BadRequest("The pseudo-header fields are malformed.")
            pseudo[name] = value
        elif not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise BadRequest("A header field is malformed.")
        elif name in _CONNECTION or (name == b"te" and value.lower() != b"trailers"):
            raise BadRequest("The request has a field of HTTP/1.1's connections.")
        elif name == b"host":
            if value != pseudo.get(b":authority", value):
                raise BadRequest(":authority and Host name different hosts.")
            pseudo.setdefault(b":authority", value)
        else:
            lines.append(b"%s: %s" % (name, value))
    if size > HEAD_LIMIT:
        raise HeadTooLarge(f"The request's head is longer than {HEAD_LIMIT} bytes.")
    if len(pseudo) != len(_PSEUDO) or pseudo[b":scheme"] != b"https":
        raise BadRequest("The pseudo-header fields are malformed.")
    if not all(_VALUE.fullmatch(value) and b" " not in value for value in pseudo.values()):
        raise BadRequest("The pseudo-header fields are malformed.")
    first = b"%s %s HTTP/1.1" % (pseudo[b":method"], pseudo[b":path"])
    text = b"\r\n".join((first, b"Host: " + pseudo[b":authority"], *lines, b"", b""))
    head = parse_request(text)
    if whole and head.body:
        raise BadRequest("The message's length is not the one it announces.")
    return replace(head, body=0 if whole else UNTIL_CLOSE)


def write_request(
    head: RequestHead, origin: Origin, target: str, fields: Iterable[Field]
) -> list[Header]:
    """The headers that go upstream."""
    headers = [
        (b":method", head.method.encode()),
        (b":scheme", b"https"),
        (b":authority", origin.host_field),
        (b":path", target.encode()),
    ]
    headers += [(key, value) for key, _, value in fields if key not in _NOT_FORWARDED]
    if head.field(b"te"):
        headers.append((b"te", b"trailers"))
    return headers


def read_response(headers: Sequence[Header]) -> tuple[int, list[Header]]:
    """(status, fields) of a response.

    Raises:
        BadGateway: malformed.
    """
    statuses = [value for name, value in headers if name == b":status"]
    if len(statuses) != 1 or not _STATUS.fullmatch(statuses[0]):
        raise BadGateway("The server's status is malformed.")
    return int(statuses[0]), read_fields(headers)


def read_fields(headers: Sequence[Header]) -> list[Header]:
    """The fields of a response, or of its trailers.

    Raises:
        BadGateway: malformed.
    """
    fields = [(name, value) for name, value in headers if not name.startswith(b":")]
    if len(fields) > FIELDS_LIMIT or not all(
        _NAME.fullmatch(name) and _VALUE.fullmatch(value) and name not in _CONNECTION
        for name, value in fields
    ):
        raise BadGateway("The server's header fields are malformed.")
    return fields
