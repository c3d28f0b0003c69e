"""A remote MCP client on the official SDK: its tokens, and a browser that follows its redirects."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
import httpx2
from mcp import Client
from mcp.client.auth.oauth2 import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from pydantic import AnyUrl

CALLBACK = "http://localhost:3030/callback"


@dataclass
class RemoteClient:
    """Its storage and its person's browser. `pages`: what the browser saw on the way."""

    url: str
    callback: str = CALLBACK
    metadata_url: str | None = None
    tls: ssl.SSLContext | None = None
    pages: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # authorization URLs
    answered: str = ""
    tokens: OAuthToken | None = None
    info: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.info

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.info = client_info

    async def browse(self, url: str) -> None:
        """Follow redirects, and load a page again that says so, until the client's own address."""
        self.asked.append(url)
        deadline = time.monotonic() + 60
        async with aiohttp.ClientSession() as browser:
            while not url.startswith(self.callback):
                assert time.monotonic() < deadline, self.pages
                async with browser.get(url, allow_redirects=False, ssl=self.tls or True) as page:
                    if page.status in (302, 303):
                        url = urljoin(url, page.headers["location"])
                    else:
                        self.pages.append(await page.text())
                        assert page.status == 200, self.pages[-1]
        self.answered = url

    async def answer(self) -> AuthorizationCodeResult:
        told = {name: values[0] for name, values in parse_qs(urlsplit(self.answered).query).items()}
        return AuthorizationCodeResult(
            code=told.get("code", ""), state=told.get("state"), iss=told.get("iss")
        )

    def authorization(self) -> OAuthClientProvider:
        return OAuthClientProvider(
            self.url,
            OAuthClientMetadata(
                client_name="A remote client",
                redirect_uris=[AnyUrl(self.callback)],
                token_endpoint_auth_method="none",
            ),
            self,
            self.browse,
            self.answer,
            client_metadata_url=self.metadata_url,
        )

    @asynccontextmanager
    async def connected(self, **options: object) -> AsyncIterator[Client]:
        async with httpx2.AsyncClient(
            auth=self.authorization(), timeout=httpx2.Timeout(60), trust_env=False
        ) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, **options) as client:  # type: ignore[arg-type]
                yield client


async def post(url: str, form: dict[str, str]) -> tuple[int, dict[str, object]]:
    """POST a form; status and JSON."""
    async with (
        asyncio.timeout(30),
        aiohttp.ClientSession() as session,
        session.post(url, data=form) as answer,
    ):
        return answer.status, await answer.json()
