"""Errors as HTTP answers: readable by a person in a terminal, and by a program. Pure."""

from __future__ import annotations

import json
from http import HTTPStatus

from supervisor.errors import TaskpassError, TimedOut

DECISION_FIELD = "Taskpass-Decision"


def status_of(error: TaskpassError) -> int:
    """The status a client of the proxy sees."""
    # A client may repeat a request after 408 by itself (RFC 9110, 15.5.9); nobody asked it to.
    return 403 if isinstance(error, TimedOut) else error.status


def content(error: TaskpassError) -> bytes:
    """The body of an answer."""
    text = {"error": error.code, "message": error.message, "hint": error.hint}
    return json.dumps(text, indent=1, ensure_ascii=False).encode() + b"\n"


def render(error: TaskpassError, *, body: bool, close: bool, challenge: bool = False) -> bytes:
    """A whole response. `body` is False for an answer to HEAD; `challenge` asks for the handle."""
    status = 407 if challenge else status_of(error)
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Refused"
    text = content(error)
    lines = [
        f"HTTP/1.1 {status} {reason}",
        "Content-Type: application/json; charset=utf-8",
        f"Content-Length: {len(text)}",
        "Cache-Control: no-store",
        f"{DECISION_FIELD}: {error.code}",
    ]
    if challenge:
        lines.append('Proxy-Authenticate: Basic realm="taskpass"')
    if close:
        lines.append("Connection: close")
    return "\r\n".join((*lines, "", "")).encode() + (text if body else b"")
