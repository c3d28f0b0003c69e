"""Where credentials come from: one file for each issuer."""

from __future__ import annotations

import time
from collections.abc import Callable

from supervisor.issuers.local_jwt import LocalJwtIssuer, Signer
from supervisor.issuers.reference import ReferenceIssuer
from supervisor.issuers.stored import StoredSecretIssuer
from supervisor.ports import Issuer, Vault


def build_issuers(
    vault: Vault, signer: Signer, issuer_url: str = "", *, clock: Callable[[], float] = time.time
) -> dict[str, Issuer]:
    """All issuers by the name that `CredentialSpec.issuer` uses."""
    issuers: tuple[Issuer, ...] = (
        StoredSecretIssuer(vault),
        ReferenceIssuer(vault),
        LocalJwtIssuer(signer, issuer_url, clock),
    )
    return {issuer.name: issuer for issuer in issuers}
