"""Sessions with the MCP server behind the gateway, by the official SDK."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from mcp import ClientSession
from mcp.client.session import MessageHandlerFnT
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from supervisor.gateway.servers import Server

_LONGEST = 900.0  # seconds between two parts of an answer

OnMessage = MessageHandlerFnT


@asynccontextmanager
async def connected(
    server: Server, headers: dict[str, str], on_message: OnMessage
) -> AsyncIterator[ClientSession]:
    """A session after its handshake.

    Args:
        headers: of each request to an address; the credential in it is a stand-in, which the
            task's proxy swaps under the call that is open then.
        on_message: told of the server's notifications.
    """
    if server.url:
        async with (
            _http_client(headers) as http,
            streamable_http_client(server.url, http_client=http) as (read, write),
            ClientSession(read, write, message_handler=on_message) as session,
        ):
            await session.initialize()
            yield session
        return
    program = StdioServerParameters(
        command=server.command,
        args=list(server.args),
        env={**os.environ, **server.env},
        cwd=os.getcwd(),
    )
    async with (
        stdio_client(program, errlog=sys.stderr) as (read, write),
        ClientSession(read, write, message_handler=on_message) as session,
    ):
        await session.initialize()
        yield session


def _http_client(headers: dict[str, str]) -> httpx2.AsyncClient:
    # The task's own variables lead it to the proxy, and say whom to believe. A server may hold a
    # response open as long as a call may last.
    return httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(30.0, read=_LONGEST))
