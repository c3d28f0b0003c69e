"""`taskpass mcp gateway`: the front before one server, until it is interrupted."""

from __future__ import annotations

import asyncio
import signal
import socket
from urllib.parse import urlsplit

import uvicorn

from supervisor.channels.http.dial import upstream_context
from supervisor.errors import LaunchFailed, UsageError
from supervisor.gateway.front.app import MCP_PATH, application
from supervisor.gateway.front.clients import Clients
from supervisor.gateway.front.fetching import fetcher
from supervisor.gateway.front.provider import Provider

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def run(
    server: str,
    listen: str,
    url: str,
    workspace: str,
    *,
    extra_roots: str = "",
    allow_private: tuple[str, ...] = (),
) -> int:
    """Serve `server` to remote clients.

    Args:
        listen: "ADDRESS:PORT" to listen on; port 0 for any.
        url: the public address that clients know, whose TLS somebody else ends; "" for
            the one we listen on.
        workspace: directory that the tasks of clients work in.
        extra_roots, allow_private: as in the person's configuration.

    Raises:
        UsageError: an address that cannot be, or that would send tokens in clear.
        LaunchFailed: the address is taken.
    """
    sock = _listening(listen)
    issuer = _issuer(url or f"http://{_shown(sock)}")
    provider = Provider(
        issuer=issuer,
        resource=issuer + MCP_PATH,
        server=server,
        workspace=workspace,
        clients=Clients(fetcher(upstream_context(extra_roots or None), frozenset(allow_private))),
    )
    print(f"taskpass: {server} for remote MCP clients at {issuer}{MCP_PATH}", flush=True)
    asyncio.run(_serve(provider, sock))
    return 0


async def _serve(provider: Provider, sock: socket.socket) -> None:
    server = uvicorn.Server(
        uvicorn.Config(
            application(provider),
            log_level="warning",
            access_log=False,  # its lines would hold codes
            server_header=False,
            timeout_graceful_shutdown=2,
            proxy_headers=False,
        )
    )
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await server.serve(sockets=[sock])


def _listening(listen: str) -> socket.socket:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"{listen!r} is no ADDRESS:PORT.", hint="Say --listen 127.0.0.1:8787.")
    try:
        return socket.create_server((host.strip("[]"), int(port)))
    except OSError as error:
        raise LaunchFailed(
            f"Cannot listen on {listen}: {error.strerror or error}.", hint="Choose another."
        ) from error


def _shown(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"{host}:{port}"


def _issuer(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise UsageError(f"{url!r} is no https address.", hint="Give the one that clients use.")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise UsageError(
            "Tokens would cross the network in clear.",
            hint="Give an https address, whose TLS a tunnel or reverse proxy ends.",
        )
    if parts.path not in ("", "/"):
        raise UsageError("The address has a path; the gateway needs a host of its own.")
    return f"{parts.scheme}://{parts.netloc.lower()}"
