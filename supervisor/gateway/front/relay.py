"""The MCP endpoint: each request goes on to the task of the guest whose token it carries."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp import ClientSession
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError

from supervisor.gateway.front.guests import Guest
from supervisor.gateway.serve import TICKET, page

Context = ServerRequestContext[Any, Any]
_CHALLENGE = "mcp/www_authenticate"


class Endpoint:
    """Handlers of the SDK's server. `issuer`: our public address, for pages."""

    def __init__(self, name: str, issuer: str) -> None:
        self._issuer = issuer
        self.server: Server[Any] = Server(
            name,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
        )

    async def _list_tools(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return await _session(context).list_tools(params=page(params))

    async def _call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        challenge = _scope(context).get("taskpass.challenge")
        if challenge:
            return _needs_more(challenge)
        session, arguments = _session(context), params.arguments or {}
        result = await session.call_tool(params.name, arguments)
        ticket = (result.meta or {}).get(TICKET)
        if not isinstance(ticket, str) or not _takes_urls(context):
            return result
        if context.session.client_params is None or not context.session.can_send_request:
            return result
        asked = await context.session.elicit_url(
            "A person has to approve this call in taskpass.",
            f"{self._issuer}/approval/{ticket}",
            ticket,
            related_request_id=context.request_id,
        )
        if asked.action != "accept":
            return result
        # The same call once more: it waits for the answer, and passes once there is a yes.
        return await session.call_tool(params.name, arguments)

    async def _list_resources(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        session = _session(context)
        if not session.server_capabilities or session.server_capabilities.resources is None:
            return types.ListResourcesResult(resources=[])
        return await session.list_resources(params=page(params))

    async def _list_templates(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        session = _session(context)
        if not session.server_capabilities or session.server_capabilities.resources is None:
            return types.ListResourceTemplatesResult(resource_templates=[])
        return await session.list_resource_templates(params=page(params))

    async def _read_resource(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        return await _session(context).read_resource(str(params.uri))

    async def _list_prompts(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        session = _session(context)
        if not session.server_capabilities or session.server_capabilities.prompts is None:
            return types.ListPromptsResult(prompts=[])
        return await session.list_prompts(params=page(params))

    async def _get_prompt(
        self, context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        return await _session(context).get_prompt(params.name, dict(params.arguments or {}))


def _scope(context: Context) -> dict[str, Any]:
    """Of the HTTP request that carried this message."""
    scope: dict[str, Any] = context.request.scope if context.request is not None else {}
    return scope


def _session(context: Context) -> ClientSession:
    """To the task of the guest who asks. Raises MCPError: it has ended."""
    user = _scope(context).get("user")
    guest = getattr(getattr(user, "access_token", None), "guest", None)
    if not isinstance(guest, Guest) or guest.session is None:
        raise MCPError(code=types.INVALID_REQUEST, message="This client's access has ended.")
    return guest.session


def _takes_urls(context: Context) -> bool:
    capabilities = context.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities is not None else None
    return elicitation is not None and elicitation.url is not None


def _needs_more(challenge: str) -> types.CallToolResult:
    """What ChatGPT takes for a wish to be authorised anew."""
    words = "This tool may change something, and needs more than this client was given."
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=words)],
        is_error=True,
        _meta={_CHALLENGE: [challenge]},
    )
