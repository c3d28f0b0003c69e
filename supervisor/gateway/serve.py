"""The gateway's program in a task: an MCP server on its standard input and output.

    python -m supervisor.gateway.serve FILE

FILE is what `profiles.mcp_gateway` wrote: the server behind it, and where calls are announced.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp import ClientSession
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import NotificationOptions
from mcp.server.lowlevel.server import Server as McpServer
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from supervisor.errors import Denied, TaskpassError
from supervisor.gateway.announce import Announcer, Refused
from supervisor.gateway.relay import Relay
from supervisor.gateway.servers import Server, expanded, take_passed

TICKET = "taskpass/ticket"  # in `_meta` of a refusal
Context = ServerRequestContext[Any, Any]


class Face:
    """What the client sees: the server behind, as far as it may be seen."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._sessions: set[Any] = set()

    async def tools_changed(self) -> None:
        """Tell every client that lists tools."""
        for session in tuple(self._sessions):
            await session.send_tool_list_changed()

    async def list_tools(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        self._sessions.add(context.session)
        with _told():
            return types.ListToolsResult(tools=await self._relay.tools())

    async def call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """A refusal is an answer of the tool, so that the model reads why."""
        self._sessions.add(context.session)
        arguments = params.arguments or {}
        try:
            definition = self._relay.definition(params.name)
            async with self._relay.request(params.name, arguments, definition) as session:
                return await session.call_tool(params.name, arguments)
        except Denied as error:
            return refused(error)

    async def list_resources(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        async with self._asked("@resources/list", {}) as session:
            return await session.list_resources(params=page(params))

    async def list_templates(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        async with self._asked("@resources/templates/list", {}) as session:
            return await session.list_resource_templates(params=page(params))

    async def read_resource(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        uri = str(params.uri)
        async with self._asked("@resources/read", {"uri": uri}) as session:
            return await session.read_resource(uri)

    async def list_prompts(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        async with self._asked("@prompts/list", {}) as session:
            return await session.list_prompts(params=page(params))

    async def get_prompt(
        self, context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        arguments = dict(params.arguments or {})
        async with self._asked("@prompts/get", {"name": params.name, **arguments}) as session:
            return await session.get_prompt(params.name, arguments)

    @asynccontextmanager
    async def _asked(self, method: str, arguments: dict[str, Any]) -> AsyncIterator[ClientSession]:
        with _told():
            async with self._relay.request(method, arguments, "") as session:
                yield session


def page(params: types.PaginatedRequestParams | None) -> types.PaginatedRequestParams | None:
    """Which page of a listing is wanted, and nothing else: versions of the two sides may differ."""
    return types.PaginatedRequestParams(cursor=params.cursor) if params is not None else None


class _told:
    """A refusal outside a tool is the request's error."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, at: object) -> None:
        if isinstance(error, Denied):
            raise MCPError(code=types.INVALID_REQUEST, message=str(error)) from error


def refused(error: Denied) -> types.CallToolResult:
    """A refusal as a tool's answer; with the ticket, for a gateway in front of this one."""
    ticket = error.ticket if isinstance(error, Refused) else ""
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=str(error))],
        is_error=True,
        _meta={TICKET: ticket} if ticket else None,
    )


async def serve(told: dict[str, Any], begun: Callable[[], None]) -> None:
    """Serve one client until it closes its end.

    Args:
        told: as the profile wrote it.
        begun: told when the server has started, and the client is listened to.

    Raises:
        TaskpassError: the server may not be started.
    """
    entry = told["server"]
    visitor = told.get("visitor")
    server = Server(**(entry | {"args": tuple(entry["args"])}))
    take_passed(os.environ)
    if told.get("expand"):
        server = expanded(server, os.environ)
    if "no_proxy" in told:  # the agent around us has exceptions of its own
        os.environ["NO_PROXY"] = os.environ["no_proxy"] = told["no_proxy"]
    faces: list[Face] = []

    async def changed() -> None:
        for face in faces:
            await face.tools_changed()

    async with (
        Announcer(told["hook_url"], server.name, server.url, remote=bool(visitor)) as announcer,
        _let_in(announcer, visitor),
        Relay(server, announcer, changed).running() as relay,
    ):
        face = Face(relay)
        faces.append(face)
        app = _app(face, relay)
        options = app.create_initialization_options(
            notification_options=NotificationOptions(tools_changed=True)
        )
        begun()
        async with stdio_server() as (read, write):
            await app.run(read, write, options)


async def nothing(name: str) -> None:
    """Serve a client that cannot do without a server: this one has no tools."""

    async def none(
        context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[])

    app: McpServer[Any] = McpServer(name, on_list_tools=none)
    async with stdio_server() as (read, write):
        await app.run(read, write, app.create_initialization_options())


@asynccontextmanager
async def _let_in(announcer: Announcer, visitor: dict[str, Any] | None) -> AsyncIterator[None]:
    """Nothing of the server is started before a person has let the client in. Raises Denied."""
    if visitor is not None and not await announcer.admits(visitor):
        raise Denied("The client was not let in.")
    yield


def _app(face: Face, relay: Relay) -> McpServer[Any]:
    """With the methods that the server behind has, and no other."""
    offers = relay.capabilities
    resources: dict[str, Any] = {}
    if offers.resources is not None:
        resources = {
            "on_list_resources": face.list_resources,
            "on_list_resource_templates": face.list_templates,
            "on_read_resource": face.read_resource,
        }
    prompts: dict[str, Any] = {}
    if offers.prompts is not None:
        prompts = {"on_list_prompts": face.list_prompts, "on_get_prompt": face.get_prompt}
    return McpServer(
        relay.server.name,
        instructions=relay.shown_instructions,
        on_list_tools=face.list_tools,
        on_call_tool=face.call_tool,
        **resources,
        **prompts,
    )


def main() -> int:
    told = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    begun: list[bool] = []
    code = _served(told, lambda: begun.append(True))
    if told.get("required") and not begun:
        asyncio.run(nothing(told["server"]["name"]))
    return code


def _served(told: dict[str, Any], begun: Callable[[], None]) -> int:
    try:
        asyncio.run(serve(told, begun))
    except TaskpassError as error:
        print(f"taskpass: {error}", file=sys.stderr)
        return 3 if isinstance(error, Denied) else 1
    except BaseExceptionGroup as group:
        first = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        print(f"taskpass: the MCP server failed: {first}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"taskpass: the MCP server cannot be started: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
