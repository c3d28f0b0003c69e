from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.errors import Denied, InvalidToken, NotFound
from supervisor.issuers import build_issuers
from supervisor.issuers.local_jwt import LocalJwtIssuer
from supervisor.issuers.stored import StoredSecretIssuer
from supervisor.model import CredentialSpec, Effect, KillMode, Verb
from supervisor.paths import Paths
from supervisor.ports import Issuer, Secret
from supervisor.tokens.keys import SigningKey
from supervisor.tokens.verify import TokenVerifier
from supervisor.vault.store import FileVault, open_vault
from tests.contract.issuer_contract import IssuerContract
from tests.support.credentials import mint_context

URL = "https://taskpass.invalid/s-1"
SECRET = "ghp_abcdEFGH1234567890abcdEFGH1234567890"


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    paths = Paths(tmp_path, tmp_path, tmp_path, tmp_path)
    return open_vault(paths, keyring=lambda state: None)


class TestStoredSecret(IssuerContract):
    @pytest.fixture
    async def spec(self, vault: FileVault) -> CredentialSpec:
        await vault.add(CredentialSpec("github", "stored", ("api.example.com",)), Secret(SECRET))
        return vault.specs()[0]

    @pytest.fixture
    def issuer(self, vault: FileVault) -> Issuer:
        return StoredSecretIssuer(vault)

    async def test_it_is_the_stored_secret_and_says_it_is_not_short_lived(
        self, issuer: Issuer, spec: CredentialSpec
    ) -> None:
        minted = await issuer.mint(spec, mint_context())
        assert minted.secret.value == SECRET
        assert minted.expires == 0.0
        assert issuer.kill_mode is KillMode.WIRE
        assert issuer.kill_bound(spec) == 0.1

    async def test_what_took_its_name_is_not_released_where_it_was_good(
        self, vault: FileVault, issuer: Issuer, spec: CredentialSpec
    ) -> None:
        # As when a person is asked about a use, and changes the credential before the answer.
        await vault.remove(spec.name)
        other = CredentialSpec(spec.name, "stored", ("other.example.com",))
        await vault.add(other, Secret("another-secret-for-another-host"))
        with pytest.raises(Denied, match="replaced"):
            await issuer.mint(spec, mint_context())

    async def test_a_removed_credential_is_not_released(
        self, vault: FileVault, issuer: Issuer, spec: CredentialSpec
    ) -> None:
        await issuer.mint(spec, mint_context())
        await vault.remove(spec.name)
        with pytest.raises(NotFound):
            await issuer.mint(spec, mint_context())


class TestLocalJwt(IssuerContract):
    now_is = 1_000_000.75

    @pytest.fixture
    def now(self) -> float:
        return self.now_is

    @pytest.fixture
    def key(self, tmp_path: Path) -> SigningKey:
        return SigningKey.from_file(tmp_path / "token.key")

    @pytest.fixture
    def spec(self) -> CredentialSpec:
        return CredentialSpec("deploy", "local-jwt", ("api.example.com", "localhost:8443"), ttl=60)

    @pytest.fixture
    def issuer(self, key: SigningKey) -> Issuer:
        return LocalJwtIssuer(key, URL, lambda: self.now_is)

    @pytest.fixture
    def verify(self, key: SigningKey) -> Callable[..., dict[str, Any]]:
        def verify(token: str, audience: str, at: float = 0.0) -> dict[str, Any]:
            verifier = TokenVerifier(key.jwks(), URL, clock=lambda: at or self.now_is)
            return verifier.verify(token, audience=audience)

        return verify

    async def test_its_claims_tell_who_acts_for_whom_in_which_call(
        self, issuer: Issuer, spec: CredentialSpec, verify: Callable[..., dict[str, Any]]
    ) -> None:
        minted = await issuer.mint(spec, mint_context(approval="a-1", parent="t-0"))
        claims = verify(minted.secret.value, "https://api.example.com")
        assert len(claims.pop("jti")) == 32
        assert claims == {
            "iss": URL,
            "aud": "https://api.example.com",
            "sub": "user:ana@host",
            "iat": 1_000_000,
            "nbf": 1_000_000,
            "exp": 1_000_060,
            "client_id": "claude-code",
            "act": {"sub": "agent:claude-code/t-1", "act": {"sub": "task:t-0"}},
            "txn": "c-1",
            "rctx": {
                "runtime": "laptop",
                "evidence": "os",
                "tier": "A",
                "sandbox_profile": "sha256:11",
            },
            "tctx": {
                "task": "t-1",
                "epoch": 3,
                "call_hash": "sha256:22",
                "call_identity": "call",
                "policy_hash": "sha256:33",
                "approval_id": "a-1",
            },
            "authorization_details": [
                {
                    "type": "tool-call",
                    "actions": ["http.get"],
                    "locations": ["https://api.example.com"],
                    "identifier": "/user",
                }
            ],
        }

    @pytest.mark.parametrize(("asked", "given"), [(60, 60), (3600, 60), (10, 10), (0.2, 1)])
    async def test_it_never_lives_longer_than_a_minute(
        self, key: SigningKey, issuer: Issuer, asked: float, given: float
    ) -> None:
        spec = CredentialSpec("deploy", "local-jwt", ("api.example.com",), ttl=asked)
        minted = await issuer.mint(spec, mint_context())
        assert minted.expires == int(self.now_is) + given
        assert issuer.kill_bound(spec) == given + 5.0

    async def test_after_the_bound_a_verifier_takes_it_no_more(
        self, issuer: Issuer, spec: CredentialSpec, verify: Callable[..., dict[str, Any]]
    ) -> None:
        token = (await issuer.mint(spec, mint_context())).secret.value
        bound = issuer.kill_bound(spec)
        assert verify(token, "https://api.example.com", self.now_is + bound - 1)
        with pytest.raises(InvalidToken, match="expired"):
            verify(token, "https://api.example.com", self.now_is + bound)

    async def test_without_an_address_the_issuer_is_the_key_itself(
        self, key: SigningKey, spec: CredentialSpec
    ) -> None:
        minted = await LocalJwtIssuer(key).mint(spec, mint_context())
        name = f"urn:ietf:params:oauth:jwk-thumbprint:sha-256:{key.kid}"
        assert TokenVerifier(key.jwks(), name).verify(
            minted.secret.value, audience="https://api.example.com"
        )

    async def test_no_two_are_alike(self, issuer: Issuer, spec: CredentialSpec) -> None:
        tokens = {(await issuer.mint(spec, mint_context())).secret.value for _ in range(20)}
        assert len(tokens) == 20

    async def test_the_audience_is_the_host_or_what_the_spec_says(
        self, issuer: Issuer, spec: CredentialSpec, verify: Callable[..., dict[str, Any]]
    ) -> None:
        local = Effect(Verb.HTTP, "localhost:8443", {"method": "GET", "path": "/"})
        minted = await issuer.mint(spec, mint_context(effect=local))
        assert verify(minted.secret.value, "https://localhost:8443")
        named = CredentialSpec(
            "x", "local-jwt", ("api.example.com",), options={"audience": "urn:deploy"}
        )
        minted = await issuer.mint(named, mint_context())
        assert verify(minted.secret.value, "urn:deploy")
        with pytest.raises(InvalidToken, match="another audience"):
            verify(minted.secret.value, "https://api.example.com")


def test_every_issuer_is_found_by_the_name_in_the_spec(vault: FileVault, tmp_path: Path) -> None:
    issuers = build_issuers(vault, SigningKey.from_file(tmp_path / "k"), URL)
    assert set(issuers) >= {"stored", "reference", "local-jwt"}
    assert all(name == issuer.name for name, issuer in issuers.items())
