"""HTTP/1.1 heads, read strictly and written anew (RFC 9110, RFC 9112). Pure; no I/O.

Strict because two readers of one message must never disagree: whatever is ambiguous is refused,
and what goes upstream is written from what was understood here, never copied. h11 is too lenient
for this place (it takes bare LF, folded lines, and Content-Length beside Transfer-Encoding) and
costs several times as much per message; the tests hold this reader against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

from supervisor.errors import TaskpassError

# (lower-case name, name as sent, value without surrounding white space)
Field = tuple[bytes, bytes, bytes]

HEAD_LIMIT = 64 * 1024  # bytes in a head, its empty line included
FIELDS_LIMIT = 128

# Body lengths: a number of bytes, or one of these.
CHUNKED = -1
UNTIL_CLOSE = -2

_TCHAR = rb"!#$%&'*+\-.^_`|~0-9A-Za-z"
_REQUEST = re.compile(rb"([" + _TCHAR + rb"]{1,32}) ([\x21\x22\x24-\x7e]{1,32768}) HTTP/1\.([01])")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_NAME = re.compile(rb"[" + _TCHAR + rb"]{1,256}")
_VALUE = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])  # what a field's value may hold
_LENGTH = re.compile(rb"[0-9]{1,15}")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
_PATH = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/\[\]{}|^]|%[0-9A-Fa-f]{2})*")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

# RFC 9110, 7.6.1, and the framing fields, which are always written anew.
_HOP = frozenset(
    (
        b"connection",
        b"proxy-connection",
        b"keep-alive",
        b"proxy-authorization",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"content-length",
    )
)
_REQUEST_ONLY_HOP = frozenset((b"expect", b"host"))


class BadRequest(TaskpassError):
    """A request that is malformed, or that two readers could read differently."""

    code, status, exit_code = "bad_request", 400, 1


class HeadTooLarge(BadRequest):
    """A request head beyond `HEAD_LIMIT`."""

    status: ClassVar[int] = 431


class Misdirected(BadRequest):
    """Tunnel, server name and Host do not name one and the same origin."""

    code, status = "misdirected", 421


class BadGateway(TaskpassError):
    """The other end cannot be reached or trusted, or its answer is malformed."""

    code, status, exit_code = "bad_gateway", 502, 1


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request goes.

    Attributes:
        resource: `host` or `host:port`, as policy and credentials name it.
        host_field: the value of Host.
    """

    host: str  # lower case, no trailing dot; an IPv6 address without brackets
    port: int
    tls: bool
    authority: str = field(init=False, compare=False)  # `host:port`
    resource: str = field(init=False, compare=False)
    host_field: bytes = field(init=False, compare=False)

    def __post_init__(self) -> None:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.tls else 80)
        put = object.__setattr__
        put(self, "authority", f"{host}:{self.port}")
        put(self, "resource", self.host if usual else self.authority)
        # Host has the port only when it is not the default (RFC 9110, 7.2).
        put(self, "host_field", (host if usual else self.authority).encode())


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request line and its fields, checked."""

    method: str
    target: str
    minor: int  # of HTTP/1.x
    fields: Sequence[Field]
    body: int  # bytes, or CHUNKED
    host: str  # the one Host field; "" only with CONNECT
    options: frozenset[bytes]  # of Connection, lower case
    upgrade: bytes  # protocol asked for, lower case; b"" for none
    expects_continue: bool

    @property
    def persistent(self) -> bool:
        return self.minor == 1 and b"close" not in self.options

    def field(self, key: bytes) -> bytes:
        """The first value of a field, b"" without one."""
        for name, _, value in self.fields:
            if name == key:
                return value
        return b""


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A status line and its fields, checked."""

    status: int
    reason: bytes
    minor: int
    fields: Sequence[Field]
    body: int  # bytes, CHUNKED or UNTIL_CLOSE
    options: frozenset[bytes]

    @property
    def persistent(self) -> bool:
        return self.minor == 1 and b"close" not in self.options and self.body != UNTIL_CLOSE


def _fields(lines: Sequence[bytes], error: type[TaskpassError]) -> list[Field]:
    if len(lines) > FIELDS_LIMIT:
        raise error(f"More than {FIELDS_LIMIT} header fields.")
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        # A folded line starts with white space, which no field name may hold.
        key = _key(name)
        if not colon or not key or value.translate(None, _VALUE):
            raise error("A header line is malformed.")
        fields.append((key, name, value.strip(b" \t")))
    return fields


@lru_cache(512)  # the same few names in each message
def _key(name: bytes) -> bytes:
    """The name in lower case; b"" where it is none."""
    return name.lower() if _NAME.fullmatch(name) else b""


def _length(
    lengths: Sequence[bytes], codings: Sequence[bytes], minor: int, error: type[TaskpassError]
) -> int | None:
    """The announced body length, CHUNKED, or None when the message announces none."""
    if codings:
        if lengths or len(codings) > 1 or minor == 0 or codings[0].lower() != b"chunked":
            raise error("The message's length is ambiguous.")
        return CHUNKED
    if not lengths:
        return None
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise error("The message's length is ambiguous.")
    return int(lengths[0])


def _options(values: Iterable[bytes]) -> frozenset[bytes]:
    return frozenset(
        option.strip().lower() for value in values for option in value.split(b",") if option
    )


_NO_OPTIONS: frozenset[bytes] = frozenset()


def parse_request(head: bytes) -> RequestHead:
    """Read a request head, its final empty line included.

    Raises:
        BadRequest: malformed, or of ambiguous length (RFC 9112, 6.3 and 11.2).
    """
    lines = head[:-4].split(b"\r\n")
    match = _REQUEST.fullmatch(lines[0])
    if match is None:
        raise BadRequest("The request line is malformed.")
    method, target, version = match.groups()
    minor = version[0] - 48
    fields = _fields(lines[1:], BadRequest)
    hosts, lengths, codings, connection = [], [], [], []
    upgrade, expects = b"", False
    for key, _, value in fields:
        if key == b"host":
            hosts.append(value)
        elif key == b"content-length":
            lengths.append(value)
        elif key == b"transfer-encoding":
            codings.append(value)
        elif key == b"connection":
            connection.append(value)
        elif key == b"upgrade":
            upgrade = value.lower()
        elif key == b"expect":
            if value.lower() != b"100-continue":
                raise BadRequest("Only `Expect: 100-continue` is understood.")
            expects = minor == 1
    # Python's http.client opens tunnels without one; the target says it all.
    if len(hosts) != 1 and (hosts or method != b"CONNECT"):
        raise BadRequest("A request carries exactly one Host field.")
    options = _options(connection) if connection else _NO_OPTIONS
    return RequestHead(
        method.decode(),
        target.decode(),
        minor,
        fields,
        _length(lengths, codings, minor, BadRequest) or 0,
        hosts[0].decode("latin-1") if hosts else "",
        options,
        upgrade if b"upgrade" in options else b"",
        expects,
    )


def parse_response(head: bytes, method: str) -> ResponseHead:
    """Read the head of a response to a request with `method`.

    Raises:
        BadGateway: malformed, or of ambiguous length.
    """
    lines = head[:-4].split(b"\r\n")
    match = _STATUS.fullmatch(lines[0])
    if match is None:
        raise BadGateway("The server's status line is malformed.")
    version, code, reason = match.groups()
    minor, status = version[0] - 48, int(code)
    fields = _fields(lines[1:], BadGateway)
    lengths, codings, connection = [], [], []
    for key, _, value in fields:
        if key == b"content-length":
            lengths.append(value)
        elif key == b"transfer-encoding":
            codings.append(value)
        elif key == b"connection":
            connection.append(value)
    length = _length(lengths, codings, minor, BadGateway)
    if method == "HEAD" or status < 200 or status in (204, 304):
        length = 0
    elif length is None:
        length = UNTIL_CLOSE
    options = _options(connection) if connection else _NO_OPTIONS
    return ResponseHead(status, reason or b"", minor, fields, length, options)


def write_request(head: RequestHead, origin: Origin, target: str, fields: Iterable[Field]) -> bytes:
    """The head that goes upstream, as HTTP/1.1, hop-by-hop fields left out."""
    parts = [
        b"%s %s HTTP/1.1\r\nHost: %s\r\n"
        % (head.method.encode(), target.encode(), origin.host_field)
    ]
    options = head.options
    for key, name, value in fields:
        if key not in _HOP and key not in _REQUEST_ONLY_HOP and key not in options:
            parts.append(b"%s: %s\r\n" % (name, value))
    if head.body == CHUNKED:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    elif head.body or any(field[0] == b"content-length" for field in head.fields):
        parts.append(b"Content-Length: %d\r\n" % head.body)
    if head.upgrade == b"websocket":
        parts.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)


def write_response(
    head: ResponseHead, fields: Iterable[Field], *, chunked: bool, close: bool
) -> bytes:
    """The head that goes to the client; `chunked` says how its body will be framed."""
    parts = [b"HTTP/1.1 %d %s\r\n" % (head.status, head.reason)]
    options = head.options
    for key, name, value in fields:
        if key == b"content-length":
            if not chunked:  # also true of an answer to HEAD and a 304: what it would have been
                parts.append(b"Content-Length: %s\r\n" % value)
        elif key not in _HOP and key not in options:
            parts.append(b"%s: %s\r\n" % (name, value))
    if chunked:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    if head.status == 101:
        parts.append(b"Connection: Upgrade\r\nUpgrade: websocket\r\n")
    elif close:
        parts.append(b"Connection: close\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)


@lru_cache(1024)  # each request names the host of its connection once more
def parse_authority(text: str, *, tls: bool, default: int | None) -> Origin:
    """`host`, `host:port` or `[v6]:port`; `default` is the port without one, None to insist.

    Raises:
        BadRequest: not an authority in these forms (user info is none).
    """
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise BadRequest("The host is malformed.")
    host, port = match.groups()
    number = int(port) if port else default
    name = host.strip("[]").lower()
    if name.endswith("."):
        name = name[:-1]
    if number is None or not 0 < number < 65536 or not name:
        raise BadRequest("The port is missing or malformed.")
    return Origin(name, number, tls)


def split_absolute(target: str) -> tuple[str, str]:
    """`http://host/path?query` as (`host`, `/path?query`).

    Raises:
        BadRequest: not an absolute http URL. https is asked for by CONNECT.
    """
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() != "http":
        raise BadRequest(
            "The proxy takes CONNECT and absolute http:// URLs.",
            hint="Use an https:// URL through HTTPS_PROXY.",
        )
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    authority, path = rest[:cut], rest[cut:]
    return authority, path if path.startswith("/") else "/" + path


def normal_target(target: str, method: str) -> tuple[str, str]:
    """(path that policy judges, target that goes upstream): the same text, but for the query.

    Escapes of unreserved characters are undone (RFC 3986, 6.2.2.2), so that `/%61dmin` is judged
    and sent as `/admin`.

    Raises:
        BadRequest: not in origin form, or with dot segments, which servers resolve differently.
    """
    if target == "*" and method == "OPTIONS":
        return target, target
    path, mark, query = target.partition("?")
    if _PATH.fullmatch(path) is None:
        raise BadRequest("The path of the request is malformed.")
    if "%" in path:
        path = _ESCAPED.sub(_unescape, path)
    if "/." in path and any(part in (".", "..") for part in path.split("/")):
        raise BadRequest(
            "The path has dot segments, which policy cannot judge.",
            hint="Send the path as it is after they are resolved.",
        )
    return path, path + mark + query


def _unescape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()
