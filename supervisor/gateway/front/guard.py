"""Before the MCP endpoint: a token, with the scope that a call needs (RFC 6750, RFC 9728)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervisor.effects.mcp import reads
from supervisor.gateway.front.clients import SCOPES
from supervisor.gateway.front.provider import GuestToken

_READ, _WRITE = SCOPES
_LARGEST = 4 << 20  # bytes of a request


class Guard:
    """Lets requests through that carry a live token.

    Args:
        server: the MCP server's name, as policies have it.
        metadata: URL of the protected resource's metadata.
        in_result: whether a client wants to be asked for more in the result of its call
            (`mcp/www_authenticate`), and not by status 403. Told of its redirect address.
    """

    def __init__(
        self, app: ASGIApp, server: str, metadata: str, in_result: Callable[[str], bool]
    ) -> None:
        self._app = app
        self._server = server
        self._metadata = metadata
        self._in_result = in_result

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        user = scope.get("user")
        if not isinstance(user, AuthenticatedUser):
            given = "authorization" in Request(scope).headers
            error = ("invalid_token", "The token is not valid (any more).") if given else ()
            await self._refuse(401, [_READ], error)(scope, receive, send)
            return
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            await JSONResponse({"error": "too large"}, 413)(scope, receive, send)
            return
        tool = _called(body)
        if tool and _WRITE not in user.scopes and not reads(self._server, tool):
            challenge = self._challenge(
                SCOPES, ("insufficient_scope", f"{tool} may change something.")
            )
            token = user.access_token
            redirect = token.guest.visitor.redirect if isinstance(token, GuestToken) else ""
            if not self._in_result(redirect):
                response = JSONResponse(
                    {"error": "insufficient_scope"}, 403, {"www-authenticate": challenge}
                )
                await response(scope, receive, send)
                return
            scope["taskpass.challenge"] = challenge
        await self._app(scope, _again(body, receive), send)

    def _refuse(self, status: int, scopes: Iterable[str], error: tuple[str, ...]) -> JSONResponse:
        told = {"error": error[0] if error else "unauthorized"}
        return JSONResponse(told, status, {"www-authenticate": self._challenge(scopes, error)})

    def _challenge(self, scopes: Iterable[str], error: tuple[str, ...]) -> str:
        parts = [f'resource_metadata="{self._metadata}"', f'scope="{" ".join(scopes)}"']
        if error:
            words = error[1].replace("\\", "").replace('"', "'")
            ascii_words = words.encode("ascii", "replace").decode()
            parts += [f'error="{error[0]}"', f'error_description="{ascii_words}"']
        return "Bearer " + ", ".join(parts)


async def _body(receive: Receive) -> bytes | None:
    """All of it; None where it is too much, or its client has gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > _LARGEST:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """The same body for whoever comes next."""
    told = False

    async def give() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


def _called(body: bytes) -> str:
    """Name of the tool that is called, "" for another request: those only look."""
    try:
        message: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""  # the endpoint says what is wrong with it
    if not isinstance(message, dict) or message.get("method") != "tools/call":
        return ""
    params = message.get("params")
    name = params.get("name") if isinstance(params, dict) else None
    return name if isinstance(name, str) else ""
