"""Where credentials come from: one file for each issuer, loaded when something first asks for it.

A supervisor starts before any is needed, and most people use one or two.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from supervisor.issuers.local_jwt import LocalJwtIssuer, Signer
from supervisor.issuers.stored import StoredSecretIssuer
from supervisor.ports import Issuer, Vault

if TYPE_CHECKING:
    from supervisor.issuers.oauth_session import Sessions


class Issuers(Mapping[str, Issuer]):
    """Issuers by name, each made at its first look-up."""

    def __init__(self, makers: Mapping[str, Callable[[], Issuer]]) -> None:
        self._makers = makers
        self._made: dict[str, Issuer] = {}

    def __getitem__(self, name: str) -> Issuer:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    async def close(self) -> None:
        """Let go of what those that were made hold."""
        for issuer in self._made.values():
            await issuer.close()


def build_issuers(
    vault: Vault,
    signer: Signer,
    issuer_url: str = "",
    *,
    clock: Callable[[], float] = time.time,
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    via: Callable[[str], tuple[str, str] | None] = lambda url: None,
) -> Issuers:
    """All issuers by the name that `CredentialSpec.issuer` uses.

    Args:
        tls: makes what verifies the servers that issuers ask.
        via: the network's proxy for a URL (`oauth.http.Http`).
    """

    def reference() -> Issuer:
        from supervisor.issuers.reference import ReferenceIssuer

        return ReferenceIssuer(vault)

    def github_app() -> Issuer:
        from supervisor.issuers.github_app import GitHubAppIssuer
        from supervisor.oauth.http import Http

        return GitHubAppIssuer(vault, lambda: Http(tls, via=via), clock)

    @cache
    def sign_ins() -> Sessions:
        from supervisor.issuers.oauth_session import Sessions
        from supervisor.oauth.http import Http

        return Sessions(vault, lambda: Http(tls, via=via), clock)

    def oauth(*, expiring: bool) -> Issuer:
        from supervisor.issuers.oauth_refresh import OAuthIssuer

        return OAuthIssuer(sign_ins(), expiring=expiring)

    def exchange(*, expiring: bool) -> Issuer:
        from supervisor.issuers.oauth_exchange import TokenExchangeIssuer

        return TokenExchangeIssuer(sign_ins(), signer, expiring=expiring)

    return Issuers(
        {
            "stored": lambda: StoredSecretIssuer(vault),
            "reference": reference,
            "local-jwt": lambda: LocalJwtIssuer(signer, issuer_url, clock),
            "github-app": github_app,
            "oauth": lambda: oauth(expiring=False),
            "oauth-expiring": lambda: oauth(expiring=True),
            "token-exchange": lambda: exchange(expiring=False),
            "token-exchange-expiring": lambda: exchange(expiring=True),
        }
    )
