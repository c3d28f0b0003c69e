"""What a provider says of itself (RFC 8414, OpenID Connect Discovery 1.0)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from supervisor.errors import IssuerFailed, UsageError
from supervisor.oauth.http import Http

_ENDPOINTS = (
    "authorization_endpoint", "device_authorization_endpoint", "registration_endpoint",
    "revocation_endpoint", "introspection_endpoint", "jwks_uri",
)  # fmt: skip
_DEFAULT_METHODS = ("client_secret_basic",)  # RFC 8414 section 2


@dataclass(frozen=True, slots=True)
class Provider:
    """Its endpoints, "" where it has none, and what of the protocol it does."""

    issuer: str
    token_endpoint: str
    authorization_endpoint: str = ""
    device_authorization_endpoint: str = ""
    registration_endpoint: str = ""
    revocation_endpoint: str = ""
    introspection_endpoint: str = ""
    jwks_uri: str = ""
    auth_methods: tuple[str, ...] = _DEFAULT_METHODS
    signing_algorithms: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    names_itself: bool = False  # in the authorization response (RFC 9207)

    @property
    def host(self) -> str:
        return urlsplit(self.issuer).netloc


async def discover(http: Http, issuer: str) -> Provider:
    """Ask `issuer` about itself: OpenID's document, then OAuth's.

    Raises:
        UsageError: it is not an address that an issuer can have.
        IssuerFailed: there is no such document, or it is not the issuer's own.
    """
    issuer = checked_issuer(issuer)
    for url in _documents(issuer):
        answer = await http.get(url)
        if answer.status == 200 and answer.body:
            return provider_of(issuer, answer.body)
        if answer.status >= 500:
            raise IssuerFailed(
                f"{answer.host} failed when asked about itself ({answer.status}).",
                hint="Try again later.",
            )
    raise IssuerFailed(
        f"{issuer} does not say how one signs in there (no OpenID or OAuth metadata).",
        hint="Is it the issuer's address, as its documentation gives it?",
    )


def checked_issuer(issuer: str) -> str:
    """Raises UsageError: only `https://host[:port][/path]` names an issuer (RFC 8414 section 2)."""
    if not _is_address(issuer) or urlsplit(issuer).query:
        raise UsageError(
            f"{issuer[:100]!r} is not an issuer's address.",
            hint="It looks like https://id.example.com.",
        )
    return issuer


def provider_of(issuer: str, document: Mapping[str, Any]) -> Provider:
    """The provider that `document` describes.

    Raises:
        IssuerFailed: it describes another one, or cannot be used.
    """
    named = document.get("issuer")
    # Many write a slash at the end that the person left out, and the other way round.
    if not isinstance(named, str) or named.rstrip("/") != issuer.rstrip("/"):
        raise IssuerFailed(
            f"{issuer} answers with the metadata of another issuer.",
            hint="Give the address exactly as the provider's documentation has it.",
        )
    endpoints = {name: _endpoint(document, name, issuer) for name in _ENDPOINTS}
    token_endpoint = _endpoint(document, "token_endpoint", issuer)
    if not token_endpoint:
        raise IssuerFailed(f"{issuer} has no token endpoint.", hint="It gives no tokens to us.")
    pkce = _texts(document, "code_challenge_methods_supported")
    if pkce and "S256" not in pkce:
        raise IssuerFailed(
            f"{issuer} takes no PKCE with S256.", hint="Without it a code could be stolen."
        )
    return Provider(
        issuer=named,
        token_endpoint=token_endpoint,
        auth_methods=_texts(document, "token_endpoint_auth_methods_supported") or _DEFAULT_METHODS,
        signing_algorithms=_texts(document, "id_token_signing_alg_values_supported"),
        scopes=_texts(document, "scopes_supported"),
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        **endpoints,
    )


def _documents(issuer: str) -> tuple[str, str]:
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    openid = parts._replace(path=f"{path}/.well-known/openid-configuration")
    oauth = parts._replace(path=f"/.well-known/oauth-authorization-server{path}")
    return urlunsplit(openid), urlunsplit(oauth)


def _endpoint(document: Mapping[str, Any], name: str, issuer: str) -> str:
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not _is_address(value):
        raise IssuerFailed(
            f"{issuer} names a {name} that is no https address.", hint="Nothing was sent there."
        )
    return value


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return (
        parts.scheme == "https"
        and named
        and not parts.fragment
        and "@" not in parts.netloc
        and text.isascii()
        and text.isprintable()
        and " " not in text
    )


def _texts(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = document.get(name)
    if not isinstance(value, list):
        return ()
    return tuple(item for item in value if isinstance(item, str))
