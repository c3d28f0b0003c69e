"""An MCP server at an address, on the official SDK: TLS, and one bearer token that it takes."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import trustme
import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

TOKEN = "real-9w2kq81xvpl27mncb4fz"


@dataclass
class Upstream:
    """Where it is, and the log-ins it saw."""

    authority: trustme.CA = field(default_factory=trustme.CA)
    port: int = 0
    seen: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    def wrap(self, app: ASGIApp) -> ASGIApp:
        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                sent = dict(scope["headers"]).get(b"authorization", b"").decode()
                self.seen.append(sent)
                if sent != f"Bearer {TOKEN}":
                    refused: Any = {"type": "http.response.start", "status": 401, "headers": []}
                    await send(refused)
                    await send({"type": "http.response.body", "body": b""})
                    return
            await app(scope, receive, send)

        return guarded


@contextmanager
def upstream() -> Iterator[Upstream]:
    """A running server with one tool that only looks, and one that does not."""
    made = Upstream()
    server = MCPServer("tracker")

    @server.tool()
    def get_issue(number: int) -> str:
        """Returns one issue."""
        return f"issue {number}"

    @server.tool()
    def close_issue(number: int) -> str:
        """Closes one issue."""
        return f"closed {number}"

    app = server.streamable_http_app(
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False)
    )
    listener = socket.create_server(("127.0.0.1", 0))
    made.port = listener.getsockname()[1]
    config = uvicorn.Config(made.wrap(app), log_level="warning", timeout_graceful_shutdown=1)
    config.load()
    config.ssl = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.authority.issue_cert("localhost", "127.0.0.1").configure_cert(config.ssl)
    running = uvicorn.Server(config)
    # Who comes before it serves waits in the listener's queue.
    thread = threading.Thread(
        target=lambda: asyncio.run(running.serve(sockets=[listener])), daemon=True
    )
    thread.start()
    try:
        yield made
    finally:
        running.should_exit = True
        thread.join(30)
