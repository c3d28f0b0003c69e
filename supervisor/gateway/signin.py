"""A person's sign-in at an MCP server that wants one: discovery, registration, PKCE, by the SDK.

What it leaves, a refresh token, becomes a credential of the vault like that of any other sign-in:
each call of the server then gets an access token of its own, for this server alone (RFC 8707).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlsplit

import httpx2
from aiohttp import web
from mcp.client.auth.exceptions import OAuthFlowError
from mcp.client.auth.oauth2 import OAuthClientProvider
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)
from mcp_types.version import LATEST_HANDSHAKE_VERSION
from pydantic import AnyUrl

from supervisor.errors import IssuerFailed, TimedOut

_PATIENCE = 300.0  # seconds for the person's browser to come back
_PATH = "/callback"


@dataclass(slots=True)
class Kept:
    """What the SDK keeps of a sign-in, in memory (its `TokenStorage`).

    Args:
        client: one that is registered already; None to register, or to show a document.
    """

    client: OAuthClientInformationFull | None = None
    tokens: OAuthToken | None = field(default=None, repr=False)

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """Where it was, and what it left. `secret`: of the client, "" for a public one."""

    issuer: str
    resource: str
    scope: str
    client_id: str
    secret: str
    refresh: str


def known(client_id: str, secret: str, redirect: str) -> OAuthClientInformationFull | None:
    """A client that the person has registered; None for none, or for one that is a document."""
    if not client_id or client_id.startswith("https://"):
        return None
    return OAuthClientInformationFull(
        client_id=client_id,
        client_secret=secret or None,
        redirect_uris=[AnyUrl(redirect)],
        token_endpoint_auth_method="client_secret_basic" if secret else "none",
    )


def authorization(
    url: str,
    kept: Kept,
    redirect: str,
    browse: Callable[[str], Awaitable[None]],
    answer: Callable[[], Awaitable[AuthorizationCodeResult]],
    *,
    document: str = "",
) -> OAuthClientProvider:
    """The SDK's client for one server.

    Args:
        redirect: where the browser comes back.
        browse: shows the person a page.
        answer: what came back.
        document: URL of a client metadata document that is this client, "" for none.
    """
    metadata = OAuthClientMetadata(
        client_name="taskpass",
        redirect_uris=[AnyUrl(redirect)],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",  # noqa: S106 - such a program keeps no secret
    )
    return OAuthClientProvider(
        url, metadata, kept, browse, answer, client_metadata_url=document or None
    )


async def sign_in(
    url: str,
    show: Callable[[str], None],
    tls: ssl.SSLContext,
    *,
    client_id: str = "",
    secret: str = "",
) -> SignedIn:
    """Sign in at the server behind `url`, in a browser on this machine.

    Raises:
        IssuerFailed: it wants no sign-in, refuses this one, or gives nothing to keep.
        TimedOut: nobody came back from the browser.
    """
    async with Callback() as callback:
        kept = Kept(known(client_id, secret, callback.redirect))
        document = client_id if client_id.startswith("https://") else ""

        async def browse(page: str) -> None:
            show(page)

        auth = authorization(
            url, kept, callback.redirect, browse, callback.answer, document=document
        )
        await _reach(url, auth, tls)
        tokens, client = kept.tokens, kept.client
        if tokens is None or client is None:
            raise IssuerFailed(
                f"{_host(url)} wants no sign-in.", hint="Use it as it is.", unclear=False
            )
        if not tokens.refresh_token:
            raise IssuerFailed(
                f"{_host(url)} gave no refresh token, so there is nothing to keep.",
                hint="Keep a token of it: taskpass credential add.",
                unclear=False,
            )
        context = auth.context
        return SignedIn(
            issuer=str(context.oauth_metadata.issuer) if context.oauth_metadata else "",
            resource=context.get_resource_url(),
            scope=tokens.scope or "",
            client_id=client.client_id,
            secret=client.client_secret or "",
            refresh=tokens.refresh_token,
        )


async def _reach(url: str, auth: OAuthClientProvider, tls: ssl.SSLContext) -> None:
    """Ask the server for something: it says what it wants first. Raises IssuerFailed, TimedOut."""
    hello = {
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {
            "protocolVersion": LATEST_HANDSHAKE_VERSION,
            "capabilities": {},
            "clientInfo": {"name": "taskpass", "version": ""},
        },
    }
    headers = {"accept": "application/json, text/event-stream"}
    try:
        async with (
            httpx2.AsyncClient(auth=auth, verify=tls, timeout=httpx2.Timeout(30.0)) as http,
            http.stream("POST", url, json=hello, headers=headers) as answer,
        ):
            status = answer.status_code
    except (OAuthFlowError, httpx2.HTTPError, ValueError) as error:
        # Only its kind: the text of some repeats what was sent.
        raise IssuerFailed(
            f"Nobody is signed in at {_host(url)} ({type(error).__name__}).",
            hint="Is it the right address, and does it know this client?",
        ) from None
    if status >= 400:
        raise IssuerFailed(f"{_host(url)} answers {status}, signed in or not.", hint="Try later.")


def _host(url: str) -> str:
    return urlsplit(url).netloc


class Callback:
    """The browser comes back: one listener on 127.0.0.1 (RFC 8252 section 7.3).

    The SDK compares `state`, and `iss` where the server names itself.
    """

    def __init__(self) -> None:
        self._came: asyncio.Future[AuthorizationCodeResult] = (
            asyncio.get_running_loop().create_future()
        )
        self._runner = web.ServerRunner(web.Server(self._serve), shutdown_timeout=1.0)
        self.redirect = ""

    async def __aenter__(self) -> Callback:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.redirect = f"http://127.0.0.1:{self._runner.addresses[0][1]}{_PATH}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._came.cancel()
        await self._runner.cleanup()

    async def answer(self) -> AuthorizationCodeResult:
        """What came back. Raises TimedOut: nothing did."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._came), _PATIENCE)
        except TimeoutError:
            raise TimedOut(
                "Nobody came back from the browser in time; nothing was signed in.",
                hint="Try again.",
            ) from None

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        query = request.query
        if request.path == _PATH and "state" in query and not self._came.done():
            self._came.set_result(
                AuthorizationCodeResult(
                    code=query.get("code", ""), state=query["state"], iss=query.get("iss")
                )
            )
            return web.Response(text="Go back to the terminal. You can close this page.")
        return web.Response(status=400, text="This page does not belong to a sign-in.")
