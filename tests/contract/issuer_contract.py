"""What every Issuer must do. Inherit, and provide the `issuer` and `spec` fixtures."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import replace

import pytest

from supervisor.errors import Denied, TaskpassError
from supervisor.model import CredentialSpec, Effect, KillMode, Verb
from supervisor.ports import Issuer
from tests.support.credentials import mint_context


class IssuerContract:
    @pytest.fixture
    def now(self) -> float:
        """By the clock that the issuer was given."""
        return time.time()

    async def test_its_kind_says_all_that_a_person_asks(self, issuer: Issuer) -> None:
        kind = issuer.kind()
        assert (kind.name, kind.kill_mode) == (issuer.name, issuer.kill_mode)
        assert all((kind.title, kind.resource, kind.verb, kind.lifetime, kind.bound))

    async def test_its_credentials_live_no_longer_than_it_says(
        self, issuer: Issuer, spec: CredentialSpec, now: float
    ) -> None:
        minted = await issuer.mint(spec, mint_context())
        if issuer.kill_mode is KillMode.WIRE:
            assert minted.expires == 0.0  # it stands; what ends is our putting it on the wire
        else:
            assert 0 < issuer.lifetime(spec) < math.inf
            assert now < minted.expires <= now + issuer.lifetime(spec) + 5
        assert 0 < issuer.patience <= 60

    async def test_what_lives_elsewhere_can_be_ended_there(
        self, issuer: Issuer, spec: CredentialSpec
    ) -> None:
        minted = await issuer.mint(spec, mint_context())
        assert minted.revocation or issuer.kill_mode is not KillMode.UPSTREAM
        assert await issuer.works(spec, minted.revocation) is not False or not minted.revocation
        await issuer.revoke(spec, minted.revocation)
        assert not await issuer.works(spec, minted.revocation)

    async def test_many_may_ask_at_once(self, issuer: Issuer, spec: CredentialSpec) -> None:
        minted = await asyncio.gather(*(issuer.mint(spec, mint_context()) for _ in range(8)))
        assert all(each.secret.value for each in minted)

    @pytest.mark.parametrize(
        "junk",
        ["", "\r\nX-Admin: 1", "nul\0", "x" * 10_000, "../../etc", "-1", "1e999", "{", "nan", "ü"],
        ids=lambda junk: ascii(junk[:12]),
    )
    async def test_malformed_options_are_one_sentence(
        self, issuer: Issuer, spec: CredentialSpec, junk: str
    ) -> None:
        for option in spec.options:
            broken = replace(spec, options={**spec.options, option: junk})
            told = ""
            try:
                await issuer.mint(broken, mint_context())
            except TaskpassError as error:
                told = error.message
            assert told.isprintable()
            assert len(told) < 500

    @pytest.mark.parametrize("ttl", [0.0, -1.0, 1e18, math.nan, math.inf, -math.inf])
    async def test_no_time_to_live_makes_it_live_for_ever(
        self, issuer: Issuer, spec: CredentialSpec, ttl: float, now: float
    ) -> None:
        odd = replace(spec, ttl=ttl)
        try:
            minted = await issuer.mint(odd, mint_context())
        except TaskpassError:
            return
        assert minted.expires < now + 366 * 86_400

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
