"""The issuers of OAuth tokens, at a provider whose answers are bent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import jwt
import pytest

from supervisor.errors import IssuerFailed, UsageError, VaultLocked
from supervisor.issuers.oauth_exchange import TokenExchangeIssuer
from supervisor.issuers.oauth_refresh import OAuthIssuer
from supervisor.issuers.oauth_session import Sessions
from supervisor.issuers.oauth_tokens import TokenIssuer
from supervisor.model import CredentialSpec, Effect, KillMode, Verb
from supervisor.oauth.material import SignIn
from supervisor.ports import MintContext, Secret
from supervisor.tokens.keys import SigningKey
from tests.contract.issuer_contract import IssuerContract
from tests.support.credentials import mint_context
from tests.support.faulty_upstream import Fault
from tests.support.live import until
from tests.support.oauth_fake import CLIENT_SECRET, EXCHANGE, FakeProvider, SignInVault, signed_in

POST = Effect(Verb.HTTP, "api.example.com", {"method": "POST", "path": "/user"})
A_JWT = jwt.encode({"exp": 1}, "k" * 32)


def with_options(spec: CredentialSpec, **options: str) -> CredentialSpec:
    return replace(spec, options={**spec.options, **options})


def in_lease(lease: str) -> MintContext:
    return replace(mint_context(), lease=lease)


class TokenContract(IssuerContract):
    """What all of them do with a token, however they asked for it."""

    expiring = False

    @pytest.fixture
    def fake(self) -> FakeProvider:
        return FakeProvider(lifetime=5.0 if self.expiring else 60.0)

    @pytest.fixture
    def options(self) -> dict[str, str]:
        return {"lifetime": "5"} if self.expiring else {}

    @pytest.fixture
    async def signed(
        self, fake: FakeProvider, options: dict[str, str]
    ) -> AsyncIterator[tuple[Sessions, SignInVault]]:
        async with signed_in(fake, options=options) as both:
            yield both

    @pytest.fixture
    def vault(self, signed: tuple[Sessions, SignInVault]) -> SignInVault:
        return signed[1]

    @pytest.fixture
    def spec(self, vault: SignInVault) -> CredentialSpec:
        return vault.spec

    async def test_it_is_ended_at_the_provider_and_does_not_work_then(
        self, fake: FakeProvider, issuer: TokenIssuer, spec: CredentialSpec
    ) -> None:
        minted = await issuer.mint(spec, mint_context())
        assert minted.secret.value in fake.live()
        known = None if self.expiring else True
        assert await issuer.works(spec, minted.revocation) is known
        await issuer.revoke(spec, minted.revocation)
        assert minted.secret.value not in fake.live()
        assert await issuer.works(spec, minted.revocation) is (None if self.expiring else False)

    async def test_a_lease_uses_one_token_and_another_lease_another(
        self, issuer: TokenIssuer, spec: CredentialSpec
    ) -> None:
        first = await issuer.mint(spec, mint_context())
        again = await issuer.mint(spec, mint_context())
        other = await issuer.mint(spec, in_lease("l-2"))
        assert (again == first) is not self.expiring  # one that soon expires is not used again
        assert other.secret != first.secret

    async def test_requests_that_come_together_ask_once(
        self, fake: FakeProvider, issuer: TokenIssuer, spec: CredentialSpec
    ) -> None:
        fake.lifetime = 60.0
        spec = with_options(spec, lifetime="60")
        minted = await asyncio.gather(*(issuer.mint(spec, mint_context()) for _ in range(8)))
        assert len({each.secret for each in minted}) == 1

    async def test_an_ended_token_is_not_handed_out_again(
        self, issuer: TokenIssuer, spec: CredentialSpec
    ) -> None:
        first = await issuer.mint(spec, mint_context())
        await issuer.revoke(spec, first.revocation)
        assert (await issuer.mint(spec, mint_context())).secret != first.secret

    @pytest.mark.parametrize(
        ("bent", "why"),
        [
            ({"token_type": "DPoP"}, "no bearer token"),
            ({"token_type": None}, "no bearer token"),
            ({"access_token": None}, "no usable token"),
            ({"access_token": ""}, "no usable token"),
            ({"access_token": ["a"]}, "no usable token"),
            ({"access_token": "two words"}, "no usable token"),
            ({"access_token": "line\r\nX-Other: 1"}, "no usable token"),
            ({"expires_in": 0}, "lifetime that cannot be"),
            ({"expires_in": -60}, "lifetime that cannot be"),
            ({"expires_in": 1e12}, "lifetime that cannot be"),
            ({"expires_in": True}, "lifetime that cannot be"),
            ({"expires_in": "soon"}, "lifetime that cannot be"),
            ({"error": "server_error"}, "server_error"),
            ({"error": "<script>"}, "without a reason we know"),
        ],
        ids=str,
    )
    async def test_an_answer_that_cannot_be_right_is_one_sentence_without_secrets(
        self,
        fake: FakeProvider,
        issuer: TokenIssuer,
        spec: CredentialSpec,
        bent: dict[str, object],
        why: str,
    ) -> None:
        fake.answer_with = bent
        with pytest.raises(IssuerFailed) as failed:
            await issuer.mint(spec, mint_context())
        assert why in failed.value.message
        said = str(failed.value)
        secret = [CLIENT_SECRET, fake.refresh, *fake.access, *json.dumps(bent).split('"')[3:4]]
        assert not any(each in said for each in secret if len(each) > 12)
        assert "\n" not in said

    async def test_a_client_that_gives_up_leaves_no_token_behind(
        self, fake: FakeProvider, issuer: TokenIssuer, spec: CredentialSpec
    ) -> None:
        fake.upstream.fail(Fault.LATE, when=lambda asked: asked.path == "/token")
        asking = asyncio.ensure_future(issuer.mint(spec, mint_context()))
        await until(lambda: fake.live(), "the token to be made")
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        fake.upstream.release()
        await until(lambda: not fake.live(), "it to be ended")


class TestOAuth(TokenContract):
    @pytest.fixture
    def issuer(self, signed: tuple[Sessions, SignInVault]) -> TokenIssuer:
        return OAuthIssuer(signed[0], expiring=self.expiring)

    async def test_what_only_reads_gets_less_scope(
        self, fake: FakeProvider, issuer: TokenIssuer, spec: CredentialSpec
    ) -> None:
        spec = with_options(
            spec, scope="read write", read_scope="read", resource="https://api.example.com"
        )
        read = await issuer.mint(spec, mint_context())
        write = await issuer.mint(spec, mint_context(effect=POST))
        assert read.secret != write.secret
        assert [form["scope"] for form in fake.forms] == ["read", "read write"]
        assert {form["resource"] for form in fake.forms} == {"https://api.example.com"}

    async def test_removing_it_ends_the_sign_in(
        self, fake: FakeProvider, issuer: TokenIssuer, spec: CredentialSpec
    ) -> None:
        await issuer.retire(spec)
        assert fake.refresh == ""
        with pytest.raises(IssuerFailed, match="taken back there"):
            await issuer.mint(spec, mint_context())


class TestOAuthExpiring(TestOAuth):
    expiring = True

    async def test_a_token_that_lives_longer_than_was_said_is_not_used(
        self, fake: FakeProvider, issuer: TokenIssuer, spec: CredentialSpec
    ) -> None:
        fake.answer_with = {"expires_in": 6}
        with pytest.raises(IssuerFailed, match="longer than at the sign-in") as failed:
            await issuer.mint(spec, mint_context())
        assert "--lifetime 6" in failed.value.hint
        assert not fake.live()

    async def test_where_ending_one_ends_all_none_is_ended(
        self, fake: FakeProvider, issuer: TokenIssuer, spec: CredentialSpec
    ) -> None:
        fake.takes_along = True
        spec = with_options(spec, revocation="none")
        first = await issuer.mint(spec, mint_context())
        await issuer.revoke(spec, first.revocation)
        assert first.revocation == ""
        assert first.expires
        assert (await issuer.mint(spec, mint_context())).secret != first.secret
        assert issuer.kill_mode is KillMode.VERIFIER


class TestTokenExchange(TokenContract):
    @pytest.fixture
    def key(self, tmp_path: Path) -> SigningKey:
        return SigningKey.from_file(tmp_path / "token.key")

    @pytest.fixture
    def issuer(self, key: SigningKey, signed: tuple[Sessions, SignInVault]) -> TokenIssuer:
        return TokenExchangeIssuer(signed[0], key, expiring=self.expiring)

    async def test_it_says_who_acts_for_whom_and_where(
        self, fake: FakeProvider, issuer: TokenIssuer, spec: CredentialSpec, key: SigningKey
    ) -> None:
        spec = with_options(spec, details="tool-call", audience="urn:crm", scope="read")
        await issuer.mint(spec, mint_context(parent="t-0"))
        form = fake.forms[-1]
        actor = jwt.decode(
            form.pop("actor_token"),
            jwt.PyJWK(key.jwks()["keys"][0]),
            algorithms=["ES256"],
            audience=fake.upstream.url,
        )
        assert actor["sub"] == "agent:claude-code/t-1"
        assert actor["act"] == {"sub": "task:t-0"}
        assert actor["txn"] == "c-1"
        assert actor["exp"] - actor["iat"] == 60
        details = json.loads(form.pop("authorization_details"))
        assert details == [
            {
                "type": "tool-call",
                "actions": ["http.get"],
                "locations": ["https://api.example.com"],
                "identifier": "/user",
            }
        ]
        assert form.pop("subject_token").startswith("access-")
        assert form == {
            "grant_type": EXCHANGE,
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "actor_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "resource": "https://api.example.com",
            "audience": "urn:crm",
            "scope": "read",
            "client_id": "cli",
            "client_secret": CLIENT_SECRET,
        }

    async def test_many_at_once_share_the_persons_own_token(
        self, fake: FakeProvider, issuer: TokenIssuer, spec: CredentialSpec
    ) -> None:
        if self.expiring:
            fake.lifetime = 60.0
            spec = with_options(spec, lifetime="60")
        leases = [f"l-{number}" for number in range(8)]
        await asyncio.gather(*(issuer.mint(spec, in_lease(each)) for each in leases))
        assert [form["grant_type"] for form in fake.forms].count("refresh_token") == 1

    async def test_a_subject_that_was_ended_there_is_asked_for_again(
        self, fake: FakeProvider, signed: tuple[Sessions, SignInVault], key: SigningKey
    ) -> None:
        fake.lifetime = 600.0
        now = [1000.0]
        signed[0]._clock = lambda: now[0]
        issuer = TokenExchangeIssuer(signed[0], key)
        await issuer.mint(signed[1].spec, mint_context())
        fake.access.clear()
        now[0] += 60
        minted = await issuer.mint(signed[1].spec, in_lease("l-2"))
        assert minted.secret.value in fake.live()


class TestTokenExchangeExpiring(TestTokenExchange):
    expiring = True


class TestKeeping:
    """What is added by hand, and what replaces a sign-in."""

    @pytest.fixture
    async def signed(self) -> AsyncIterator[tuple[Sessions, SignInVault]]:
        async with signed_in(FakeProvider()) as both:
            yield both

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"issuer": "https://id.example.com"},
            {"issuer": "http://id.example.com", "client_id": "c"},
            {"issuer": "https://id.example.com", "client_id": "c", "lifetime": "soon"},
            {"issuer": "https://id.example.com", "client_id": "c", "lifetime": "-1"},
            {"issuer": "https://id.example.com", "client_id": "c",
             "works_at": "https://evil.example.com/"},
            {"issuer": "https://id.example.com", "client_id": "c",
             "works_at": "http://api.example.com/"},
        ],
        ids=str,
    )  # fmt: skip
    async def test_options_that_could_not_work_are_refused_when_it_is_added(
        self, signed: tuple[Sessions, SignInVault], options: dict[str, str]
    ) -> None:
        spec = CredentialSpec("crm", "oauth", ("api.example.com",), options=options)
        with pytest.raises(UsageError):
            await OAuthIssuer(signed[0]).prepare(spec)

    @pytest.mark.parametrize("typed", ["ghp_abcdEFGH1234567890", "{}", '{"refresh_token": ""}'])
    async def test_a_typed_secret_is_no_sign_in(
        self, signed: tuple[Sessions, SignInVault], typed: str
    ) -> None:
        issuer = OAuthIssuer(signed[0])
        with pytest.raises(UsageError, match="nobody can type") as refused:
            issuer.check(signed[1].spec, Secret(typed))
        assert typed not in str(refused.value)
        issuer.check(signed[1].spec, Secret(signed[1].text))

    async def test_nothing_of_the_sign_in_before_is_used_for_the_one_that_follows(
        self, tmp_path: Path
    ) -> None:
        fake = FakeProvider(lifetime=600.0)
        async with signed_in(fake) as (sessions, vault):
            issuer = TokenExchangeIssuer(sessions, SigningKey.from_file(tmp_path / "k"))
            await issuer.mint(vault.spec, mint_context())
            before = fake.forms[-1]["subject_token"]
            issuer.check(vault.spec, Secret(vault.text))
            await issuer.mint(vault.spec, in_lease("l-2"))
        assert fake.forms[-1]["subject_token"] != before

    async def test_a_refresh_of_the_sign_in_before_does_not_take_the_place_of_the_new_one(
        self,
    ) -> None:
        fake = FakeProvider()
        async with signed_in(fake) as (sessions, vault):
            fake.upstream.fail(Fault.LATE, when=lambda asked: asked.path == "/token")
            asking = asyncio.ensure_future(OAuthIssuer(sessions).mint(vault.spec, mint_context()))
            await until(lambda: fake.forms, "the refresh")
            new = SignIn("refresh-of-the-new-sign-in").text()
            OAuthIssuer(sessions).check(vault.spec, Secret(new))
            await vault.rotate("crm", Secret(new))
            fake.upstream.release()
            with pytest.raises(IssuerFailed, match="took the place of crm"):
                await asking
            assert vault.text == new
            await until(lambda: not fake.live(), "what came of it to be ended")

    async def test_a_new_sign_in_is_never_sent_to_the_provider_of_the_one_before(self) -> None:
        fake = FakeProvider()
        async with signed_in(fake) as (sessions, vault):
            before = vault.spec
            options = {"issuer": "https://other.example.com", "client_id": "cli"}
            vault.spec = replace(vault.spec, options=options)
            vault.text = SignIn("refresh-for-another-provider").text()
            with pytest.raises(IssuerFailed, match="took the place of crm"):
                await OAuthIssuer(sessions).mint(before, mint_context())
        assert not fake.forms


class TestRotation:
    """A refresh token that is replaced at each use is never lost."""

    @pytest.fixture
    def fake(self) -> FakeProvider:
        return FakeProvider()

    @pytest.fixture
    async def signed(self, fake: FakeProvider) -> AsyncIterator[tuple[Sessions, SignInVault]]:
        async with signed_in(fake) as both:
            yield both

    async def test_the_new_one_is_kept_before_its_token_is_used(
        self, fake: FakeProvider, signed: tuple[Sessions, SignInVault]
    ) -> None:
        sessions, vault = signed
        vault.full = True
        with pytest.raises(VaultLocked):
            await sessions.access(vault.spec)
        assert not fake.forms  # nothing was sent: it could not have been kept

    async def test_where_the_vault_locks_meanwhile_it_is_not_lost_while_we_live(
        self, fake: FakeProvider, signed: tuple[Sessions, SignInVault]
    ) -> None:
        sessions, vault = signed
        fake.upstream.fail(Fault.LATE, when=lambda asked: asked.path == "/token")
        asking = asyncio.ensure_future(sessions.access(vault.spec))
        await until(lambda: fake.forms, "the refresh")
        vault.full = True
        fake.upstream.release()
        with pytest.raises(VaultLocked):
            await asking
        assert not fake.live()  # what came with it is not used, and ended
        vault.full = False
        await sessions.access(vault.spec)
        assert vault.sign_in.refresh_token == fake.refresh

    async def test_many_at_once_do_not_look_like_a_theft(
        self, fake: FakeProvider, signed: tuple[Sessions, SignInVault]
    ) -> None:
        sessions, vault = signed
        asked = await asyncio.gather(*(sessions.access(vault.spec) for _ in range(8)))
        assert len({each.tokens.access for each in asked}) == 8
        assert vault.sign_in.refresh_token == fake.refresh
        assert vault.sign_in.rotates is True

    async def test_who_gives_up_does_not_lose_it(
        self, fake: FakeProvider, signed: tuple[Sessions, SignInVault]
    ) -> None:
        sessions, vault = signed
        fake.upstream.fail(Fault.LATE, when=lambda asked: asked.path == "/token")
        asking = asyncio.ensure_future(sessions.access(vault.spec))
        await until(lambda: fake.forms, "the refresh")
        asking.cancel()
        fake.upstream.release()
        await until(lambda: vault.sign_in.refresh_token == fake.refresh, "it to be kept")
        assert (await sessions.access(vault.spec)).tokens.access in fake.live()

    async def test_an_answer_lost_on_the_way_is_told_as_such_even_by_the_next_supervisor(
        self, fake: FakeProvider, signed: tuple[Sessions, SignInVault]
    ) -> None:
        sessions, vault = signed
        fake.upstream.fail(Fault.CUT, when=lambda asked: asked.path == "/token")
        with pytest.raises(IssuerFailed) as lost:
            await sessions.access(vault.spec)
        assert lost.value.unclear
        assert vault.sign_in.sent
        following = Sessions(vault, lambda: sessions.http)
        with pytest.raises(IssuerFailed, match="the last refresh was lost on the way") as over:
            await following.access(vault.spec)
        assert "taskpass credential signin crm" in over.value.hint
        assert not over.value.unclear

    async def test_a_refusal_takes_nothing_away(
        self, fake: FakeProvider, signed: tuple[Sessions, SignInVault]
    ) -> None:
        sessions, vault = signed
        fake.upstream.fail(Fault.SERVER_ERROR, when=lambda asked: asked.path == "/token")
        with pytest.raises(IssuerFailed, match="failed on a token"):
            await sessions.access(vault.spec)
        await sessions.access(vault.spec)
        assert vault.sign_in.sent == 0.0

    async def test_where_nothing_rotates_nothing_is_written_twice(
        self, fake: FakeProvider, signed: tuple[Sessions, SignInVault]
    ) -> None:
        sessions, vault = signed
        fake.rotates = False
        for _ in range(3):
            await sessions.access(vault.spec)
        assert len(vault.kept) == 2  # noted as sent, then as not rotating
        fake.rotates = True  # and when it begins to, it is kept
        await sessions.access(vault.spec)
        assert vault.sign_in.refresh_token == fake.refresh

    async def test_a_sign_in_that_ended_with_a_token_says_how_to_keep_it_next_time(
        self, fake: FakeProvider, signed: tuple[Sessions, SignInVault]
    ) -> None:
        sessions, vault = signed
        fake.takes_along = True
        issuer = OAuthIssuer(sessions)
        minted = await issuer.mint(vault.spec, mint_context())
        await issuer.revoke(vault.spec, minted.revocation)
        with pytest.raises(IssuerFailed, match="together with a token") as over:
            await issuer.mint(vault.spec, in_lease("l-2"))
        assert "--revocation none" in over.value.hint


async def test_a_provider_that_cannot_be_told_does_not_keep_a_sign_in_here() -> None:
    fake = FakeProvider(metadata={"revocation_endpoint": None})
    async with signed_in(fake) as (sessions, vault):
        await OAuthIssuer(sessions, expiring=True).retire(vault.spec)
    fake = FakeProvider()
    async with signed_in(fake, patience=0.3) as (sessions, vault):
        await sessions.provider(vault.spec)
        fake.upstream.fail(Fault.HANG)
        with pytest.raises(IssuerFailed, match="did not answer"):  # this one can be told, later
            await OAuthIssuer(sessions).retire(vault.spec)


async def test_a_token_that_nobody_can_end_is_not_passed_off_as_one_that_can() -> None:
    fake = FakeProvider(answer_with={"access_token": A_JWT})
    async with signed_in(fake) as (sessions, vault):
        with pytest.raises(IssuerFailed, match="nobody can end before it expires") as failed:
            await OAuthIssuer(sessions).mint(vault.spec, mint_context())
    assert "--revocation none" in failed.value.hint
    assert A_JWT not in str(failed.value)


async def test_without_a_lifetime_it_is_the_one_that_was_documented() -> None:
    fake = FakeProvider(answer_with={"expires_in": None})
    async with signed_in(fake) as (sessions, vault):
        with pytest.raises(IssuerFailed, match="how long its tokens live"):
            await OAuthIssuer(sessions).mint(vault.spec, mint_context())
        assert not fake.live()
    async with signed_in(FakeProvider(), options={"lifetime": "90"}) as (sessions, vault):
        minted = await OAuthIssuer(sessions).mint(vault.spec, mint_context())
    assert minted.expires
