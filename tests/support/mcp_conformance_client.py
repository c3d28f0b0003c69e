"""What the public conformance scenarios run as the client: our sign-in at MCP servers.

    python -m tests.support.mcp_conformance_client URL

The browser is followed by hand; the rest is `supervisor.gateway.signin`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult
from mcp.shared.exceptions import MCPError

from supervisor.gateway.signin import Kept, authorization, known

REDIRECT = "http://127.0.0.1:3000/callback"
DOCUMENT = "https://conformance-test.local/client-metadata.json"


class Browser:
    """Follows redirects up to ours."""

    answered = ""

    async def browse(self, url: str) -> None:
        async with httpx2.AsyncClient(trust_env=False) as browser:
            while not url.startswith(REDIRECT):
                page = await browser.get(url)
                url = urljoin(url, page.headers["location"])
        self.answered = url

    async def answer(self) -> AuthorizationCodeResult:
        told = parse_qs(urlsplit(self.answered).query)
        first = {name: values[0] for name, values in told.items()}
        return AuthorizationCodeResult(
            code=first.get("code", ""), state=first.get("state"), iss=first.get("iss")
        )


async def main(url: str) -> None:
    told = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    kept = Kept(known(told.get("client_id", ""), told.get("client_secret", ""), REDIRECT))
    browser = Browser()
    auth = authorization(url, kept, REDIRECT, browser.browse, browser.answer, document=DOCUMENT)
    async with (
        httpx2.AsyncClient(auth=auth, trust_env=False) as http,
        streamable_http_client(url, http_client=http) as (read, write),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        await session.list_tools()
        try:
            await session.call_tool("test-tool", {})
        except MCPError as error:
            print(f"the tool answered: {error}", file=sys.stderr)
        # Some of these servers never answer the stream that the SDK's session waits for.
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[-1]))
