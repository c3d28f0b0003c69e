"""Who asks: the client, and how it shows itself to the provider (RFC 6749 section 2.3)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import quote_plus

from supervisor.errors import IssuerFailed
from supervisor.oauth.http import Http
from supervisor.oauth.provider import Provider
from supervisor.oauth.refusal import refused

_METHODS = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True, repr=False)  # a repr would hold the secret
class Client:
    """A client's name at a provider, and its secret ("" for a public one)."""

    id: str
    secret: str = ""
    method: str = "none"  # "none" | "client_secret_basic" | "client_secret_post"

    def signed(self, form: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """The form with what shows who asks, and the headers that go with it."""
        if self.method == "client_secret_basic":
            # Both are form-encoded before they are joined.
            pair = f"{quote_plus(self.id)}:{quote_plus(self.secret)}"
            return form, {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        form = {**form, "client_id": self.id}
        if self.method == "client_secret_post":
            form["client_secret"] = self.secret
        return form, {}


def client_of(provider: Provider, client_id: str, secret: str = "") -> Client:
    """The client as `provider` wants it to show itself.

    Raises:
        IssuerFailed: it wants a way that we do not have (a key of the client's own, say).
    """
    if not secret:
        return Client(client_id)
    for method in _METHODS:
        if method in provider.auth_methods:
            return Client(client_id, secret, method)
    raise IssuerFailed(
        f"{provider.host} does not take a client's secret, but {', '.join(provider.auth_methods)}.",
        hint="Register a client of type `native`, and give its id alone.",
    )


async def register(http: Http, provider: Provider, redirect_uri: str, scope: str) -> Client:
    """Have the provider make a public client for this machine (RFC 7591, RFC 8252).

    Raises:
        IssuerFailed: it does not do that for strangers, or answers nonsense.
    """
    what = "to register a client"
    if not provider.registration_endpoint:
        raise IssuerFailed(
            f"{provider.host} registers no clients by itself.",
            hint="Register one there by hand, then give --client-id.",
        )
    grants = ["authorization_code", "refresh_token"]
    if provider.device_authorization_endpoint:
        grants.append("urn:ietf:params:oauth:grant-type:device_code")
    answer = await http.post_json(
        provider.registration_endpoint,
        {
            "client_name": "taskpass",
            "application_type": "native",
            "redirect_uris": [redirect_uri],
            "grant_types": grants,
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "scope": scope,
        },
    )
    if answer.status not in (200, 201):
        raise refused(answer, what, "Register one there by hand, then give --client-id.")
    client_id, secret = answer.text("client_id"), answer.text("client_secret")
    if not client_id or not (client_id + secret).isprintable():
        raise IssuerFailed(f"{provider.host} registered a client and gave it no usable id.")
    method = answer.text("token_endpoint_auth_method") or _METHODS[0]
    return Client(client_id, secret, method) if secret and method != "none" else Client(client_id)
