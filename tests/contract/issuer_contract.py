"""What every Issuer must do. Inherit, and provide the `issuer` and `spec` fixtures."""

from __future__ import annotations

import pytest

from supervisor.errors import Denied
from supervisor.model import CredentialSpec, Effect, Verb
from supervisor.ports import Issuer
from tests.support.credentials import mint_context


class IssuerContract:
    async def test_it_gives_a_credential_for_a_bound_request(
        self, issuer: Issuer, spec: CredentialSpec
    ) -> None:
        minted = await issuer.mint(spec, mint_context())
        assert minted.secret.value
        assert minted.secret.value not in repr(minted)
        assert minted.secret.value not in str(minted.secret)

    @pytest.mark.parametrize(
        "effect",
        [
            Effect(Verb.HTTP, "evil.example.com", {"method": "GET", "path": "/"}),
            Effect(Verb.HTTP, "api.example.com:8443", {"method": "GET", "path": "/"}),
            Effect(Verb.HTTP, "api.example.com.evil.example", {"method": "GET", "path": "/"}),
            Effect(Verb.CONNECT, "api.example.com:443"),
            Effect(Verb.RUN, "curl"),
        ],
        ids=lambda effect: effect.label,
    )
    async def test_it_refuses_what_the_credential_is_not_bound_to(
        self, issuer: Issuer, spec: CredentialSpec, effect: Effect
    ) -> None:
        with pytest.raises(Denied) as refusal:
            await issuer.mint(spec, mint_context(effect=effect))
        assert "api.example.com" in refusal.value.hint  # the way that works

    async def test_it_says_how_and_how_soon_it_ends(
        self, issuer: Issuer, spec: CredentialSpec
    ) -> None:
        assert issuer.kill_mode
        assert 0 < issuer.kill_bound(spec) <= 65.0

    async def test_revoking_is_idempotent_and_takes_what_it_does_not_know(
        self, issuer: Issuer, spec: CredentialSpec
    ) -> None:
        minted = await issuer.mint(spec, mint_context())
        await issuer.revoke(spec, minted.revocation)
        await issuer.revoke(spec, minted.revocation)
        await issuer.revoke(spec, "never heard of")
