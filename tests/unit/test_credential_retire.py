"""Forgetting a credential ends what stands behind it; where it cannot, the credential is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from supervisor.errors import IssuerFailed
from supervisor.model import CredentialSpec
from supervisor.routes.credentials import CredentialRoutes
from tests.support.core_fakes import CountingIssuer, OneCredential, World


@dataclass
class Forgetting(OneCredential):
    forgot: list[str] = field(default_factory=list)

    async def remove(self, name: str) -> None:
        self.forgot.append(name)


@dataclass
class SignedIn(CountingIssuer):
    """A provider that hears of the end of a sign-in, or does not."""

    reached: bool = True
    retired: list[str] = field(default_factory=list)

    async def retire(self, spec: CredentialSpec) -> None:
        if not self.reached:
            raise IssuerFailed("id.example.com did not answer within 10 s.")
        self.retired.append(spec.name)


@pytest.mark.parametrize(
    ("reached", "options", "retired", "forgot"),
    [
        (True, {}, ["api"], ["api"]),
        (False, {}, [], []),
        (False, {"forced": True}, [], ["api"]),
        (True, {"replaced": True}, [], ["api"]),
    ],
    ids=str,
)
async def test_its_sign_in_ends_with_it(
    reached: bool, options: dict[str, Any], retired: list[str], forgot: list[str]
) -> None:
    vault, issuer = Forgetting(), SignedIn(reached=reached)
    world = World(vault=vault, issuer=issuer)
    routes = CredentialRoutes(world.engine, probe=None)  # type: ignore[arg-type]
    if forgot:
        await routes.remove("api", **options)
    else:
        with pytest.raises(IssuerFailed, match="api is kept") as kept:
            await routes.remove("api", **options)
        assert "did not answer" in kept.value.message
        assert "remove --force api" in kept.value.hint
    assert (issuer.retired, vault.forgot) == (retired, forgot)
    assert ("credential.removed" in world.ledger.kinds) is bool(forgot)
