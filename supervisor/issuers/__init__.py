"""Where credentials come from: one file for each issuer."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable

from supervisor.issuers.github_app import GitHubAppIssuer
from supervisor.issuers.local_jwt import LocalJwtIssuer, Signer
from supervisor.issuers.oauth_exchange import TokenExchangeIssuer
from supervisor.issuers.oauth_refresh import OAuthIssuer
from supervisor.issuers.oauth_session import Sessions
from supervisor.issuers.reference import ReferenceIssuer
from supervisor.issuers.stored import StoredSecretIssuer
from supervisor.oauth.http import Http
from supervisor.ports import Issuer, Vault


def build_issuers(
    vault: Vault,
    signer: Signer,
    issuer_url: str = "",
    *,
    clock: Callable[[], float] = time.time,
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    via: Callable[[str], tuple[str, str] | None] = lambda url: None,
) -> dict[str, Issuer]:
    """All issuers by the name that `CredentialSpec.issuer` uses.

    Args:
        tls: makes what verifies the servers that issuers ask.
        via: the network's proxy for a URL (`oauth.http.Http`).
    """
    sign_ins = Sessions(vault, lambda: Http(tls, via=via), clock)
    issuers: tuple[Issuer, ...] = (
        StoredSecretIssuer(vault),
        ReferenceIssuer(vault),
        LocalJwtIssuer(signer, issuer_url, clock),
        GitHubAppIssuer(vault, lambda: Http(tls, via=via), clock),
        OAuthIssuer(sign_ins),
        OAuthIssuer(sign_ins, expiring=True),
        TokenExchangeIssuer(sign_ins, signer),
        TokenExchangeIssuer(sign_ins, signer, expiring=True),
    )
    return {issuer.name: issuer for issuer in issuers}
