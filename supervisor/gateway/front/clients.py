"""Who a client is: by registration here (RFC 7591), or by a document at the URL that is its name.

Either way its redirect addresses are fixed before anybody is asked about it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mcp.server.auth.provider import RegistrationError
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import ValidationError

SCOPES = ("mcp:read", "mcp:write")
_MOST = 500  # registrations that are remembered: anybody may register
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(slots=True)
class Clients:
    """Those that are known.

    Args:
        fetch: gets a document. Raises OSError: there is none.
    """

    fetch: Callable[[str], Awaitable[bytes]]
    _registered: OrderedDict[str, OAuthClientInformationFull] = field(default_factory=OrderedDict)

    def register(self, client: OAuthClientInformationFull) -> None:
        """Remember a registration.

        Raises:
            RegistrationError: its answers could go where anybody reads them.
        """
        if not all(_safe(str(uri)) for uri in client.redirect_uris or ()):
            raise RegistrationError(
                "invalid_redirect_uri", "Redirect addresses are https, or on the loopback."
            )
        self._registered[client.client_id] = client
        while len(self._registered) > _MOST:
            self._registered.popitem(last=False)

    async def find(self, client_id: str) -> OAuthClientInformationFull | None:
        """One client, None for one that is not known. What it may ask for is not its own choice."""
        found = self._registered.get(client_id)
        if found is None and client_id.startswith("https://"):
            found = await self._document(client_id)
        return found.model_copy(update={"scope": " ".join(SCOPES)}) if found else None

    async def _document(self, url: str) -> OAuthClientInformationFull | None:
        """Client ID Metadata Document: a URL with a path, that says the same URL of itself."""
        parts = urlsplit(url)
        if parts.path in ("", "/") or parts.username or parts.fragment or "/." in parts.path:
            return None
        try:
            found = OAuthClientInformationFull.model_validate_json(await self.fetch(url))
        except (OSError, ValidationError):
            return None
        uris = found.redirect_uris or []
        open_client = found.token_endpoint_auth_method in (None, "none") and not found.client_secret
        if found.client_id != url or not open_client:
            return None
        if not uris or not all(_safe(str(uri)) for uri in uris):
            return None
        return found.model_copy(update={"token_endpoint_auth_method": "none"})


def _safe(uri: str) -> bool:
    parts = urlsplit(uri)
    if parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
