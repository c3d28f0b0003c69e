"""The front as one ASGI application: the SDK's OAuth endpoints, ours around them, and MCP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from mcp.server.auth.handlers.authorize import AuthorizationHandler
from mcp.server.auth.handlers.token import TokenHandler
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend
from mcp.server.auth.middleware.client_auth import AuthenticationError, ClientAuthenticator
from mcp.server.auth.provider import AccessToken, TokenVerifier, construct_redirect_uri
from mcp.server.auth.routes import (
    build_metadata,
    build_resource_metadata_url,
    cors_middleware,
    create_auth_routes,
    create_protected_resource_routes,
)
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions
from mcp.server.streamable_http_manager import (
    StreamableHTTPASGIApp,
    StreamableHTTPSessionManager,
)
from mcp.server.transport_security import (
    DEFAULT_MAX_REQUEST_BODY_SIZE,
    RequestBodyLimitMiddleware,
    TransportSecuritySettings,
)
from mcp.shared.auth import OAuthMetadata
from pydantic import AnyHttpUrl, ConfigDict, TypeAdapter
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from supervisor.gateway.front import pages
from supervisor.gateway.front.clients import SCOPES
from supervisor.gateway.front.guard import Guard
from supervisor.gateway.front.provider import Provider
from supervisor.gateway.front.relay import Endpoint

MCP_PATH = "/mcp"
_PATIENCE = 15.0  # seconds that a page waits for an answer before it shows itself again
_METHODS = ["none", "client_secret_post", "client_secret_basic"]
_URL = TypeAdapter(AnyHttpUrl, config=ConfigDict(url_preserve_empty_path=True))
# Clients that want to be asked for more in a call's result, by where their answers go.
_IN_RESULT = ("chatgpt.com", "chat.openai.com")


def application(provider: Provider) -> Starlette:
    """The front of `provider`'s server."""
    host = urlsplit(provider.issuer).netloc
    manager = StreamableHTTPSessionManager(
        Endpoint(provider.server, provider.issuer).server,
        security_settings=TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=[host],
            allowed_origins=[provider.issuer],
        ),
    )
    resource = _URL.validate_python(provider.resource)
    guarded = Guard(
        StreamableHTTPASGIApp(manager),
        provider.server,
        str(build_resource_metadata_url(resource)),
        _in_result,
    )
    verifier = BearerAuthBackend(_Verifier(provider), resource_server_url=resource)

    @asynccontextmanager
    async def running(app: Starlette) -> AsyncIterator[None]:
        async with manager.run():
            try:
                yield
            finally:
                await provider.close()

    return Starlette(
        routes=[Route(MCP_PATH, endpoint=guarded), *_oauth(provider, resource)],
        middleware=[
            Middleware(AuthenticationMiddleware, backend=verifier),
            Middleware(AuthContextMiddleware),
        ],
        lifespan=running,
    )


class _Verifier(TokenVerifier):
    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def verify_token(self, token: str) -> AccessToken | None:
        return await self._provider.load_access_token(token)


def _in_result(redirect: str) -> bool:
    return urlsplit(redirect).hostname in _IN_RESULT


def _oauth(provider: Provider, resource: AnyHttpUrl) -> list[Route]:
    issuer = _URL.validate_python(provider.issuer)
    registration = ClientRegistrationOptions(
        enabled=True, valid_scopes=list(SCOPES), default_scopes=list(SCOPES[:1])
    )
    revocation = RevocationOptions(enabled=True)
    metadata = build_metadata(issuer, None, registration, revocation).model_copy(
        update={
            "token_endpoint_auth_methods_supported": _METHODS,
            "revocation_endpoint_auth_methods_supported": _METHODS,
            "client_id_metadata_document_supported": True,
            "authorization_response_iss_parameter_supported": True,
        }
    )
    ours = {"/authorize", "/token", "/revoke", "/.well-known/oauth-authorization-server"}
    theirs = create_auth_routes(
        provider,
        issuer,
        client_registration_options=registration,
        revocation_options=revocation,
    )
    return [
        *(route for route in theirs if route.path not in ours),
        *create_protected_resource_routes(resource, [issuer], list(SCOPES), provider.server),
        *_metadata(metadata),
        _token(provider),
        _revoke(provider),
        *_pages(provider),
    ]


def _metadata(metadata: OAuthMetadata) -> list[Route]:
    """RFC 8414; under OpenID's name as well, where some clients look alone."""
    body = metadata.model_dump_json(exclude_none=True)

    async def tell(request: Request) -> Response:
        headers = {"access-control-allow-origin": "*", "cache-control": "public, max-age=3600"}
        return Response(body, media_type="application/json", headers=headers)

    names = ("oauth-authorization-server", "openid-configuration")
    return [Route(f"/.well-known/{name}", tell, methods=["GET"]) for name in names]


def _token(provider: Provider) -> Route:
    handler = TokenHandler(provider, ClientAuthenticator(provider))

    async def exchange(request: Request) -> Response:
        asked = (await request.form()).get("resource")
        if asked is not None and str(asked).rstrip("/") != provider.resource:
            # RFC 8707 section 2.2: the SDK's handler leaves that to us.
            told = {"error": "invalid_target", "error_description": "Tokens are for us only."}
            return JSONResponse(told, 400, {"cache-control": "no-store"})
        response: Response = await handler.handle(request)
        return response

    return _form("/token", exchange)


def _revoke(provider: Provider) -> Route:
    authenticator = ClientAuthenticator(provider)

    async def revoke(request: Request) -> Response:
        # Not by the SDK's handler, which wants a secret of clients that have none.
        try:
            client = await authenticator.authenticate_request(request)
        except AuthenticationError:
            return JSONResponse({"error": "invalid_client"}, 401)
        token = (await request.form()).get("token")
        if not isinstance(token, str):
            return JSONResponse({"error": "invalid_request"}, 400)
        await provider.revoke(client.client_id, token)
        return Response(headers={"cache-control": "no-store"})

    return _form("/revoke", revoke)


def _form(path: str, handler: Callable[[Request], Awaitable[Response]]) -> Route:
    """An endpoint for forms, from other origins too, that takes no more than it needs."""
    answer = cors_middleware(handler, ["POST", "OPTIONS"])
    limited = RequestBodyLimitMiddleware(answer, DEFAULT_MAX_REQUEST_BODY_SIZE)
    return Route(path, limited, methods=["POST", "OPTIONS"])


def _pages(provider: Provider) -> list[Route]:
    handler = AuthorizationHandler(provider)

    async def authorize(request: Request) -> Response:
        response = await handler.handle(request)
        location = response.headers.get("location", "")
        if location and not location.startswith(f"{provider.issuer}/consent/"):
            # RFC 9207: a refusal says whose it is, too.
            response.headers["location"] = construct_redirect_uri(location, iss=provider.issuer)
        return response

    async def consent(request: Request) -> Response:
        asked = provider.request(request.path_params["id"])
        if asked is None:
            page = pages.plain("Nothing waits here", "Start again at the client.")
            return HTMLResponse(page, 404, pages.HEADERS)
        if location := await provider.outcome(asked, _PATIENCE):
            return RedirectResponse(location, 302, {"cache-control": "no-store"})
        visitor = asked.guest.visitor
        named = visitor.name or visitor.client
        shown = pages.waiting(visitor.code, named, visitor.server, " ".join(asked.scopes))
        return HTMLResponse(shown, headers=pages.HEADERS)

    async def approval(request: Request) -> Response:
        page = pages.plain(
            "A call waits for you", "Answer it in taskpass, on your own machine; then go on here."
        )
        return HTMLResponse(page, headers=pages.HEADERS)

    return [
        Route("/authorize", authorize, methods=["GET"]),
        Route("/consent/{id}", consent, methods=["GET"]),
        Route("/approval/{id}", approval, methods=["GET"]),
    ]
