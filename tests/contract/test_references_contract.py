from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from supervisor.errors import IssuerFailed, UsageError
from supervisor.issuers.reference import ReferenceIssuer
from supervisor.model import CredentialSpec
from supervisor.paths import Paths
from supervisor.ports import Issuer, Secret
from supervisor.vault.store import FileVault, open_vault
from tests.contract.issuer_contract import IssuerContract
from tests.support.credentials import mint_context

TOKEN = "gho_abcdEFGH1234567890abcdEFGH1234567890"


def files_with(text: str, folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if text.encode() in path.read_bytes()]


class OtherVault:
    """Answers with a token a second; what it was asked is counted."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.fails = False
        self.answer = asyncio.Event()
        self.answer.set()
        self.now = 0.0

    async def look(self, argv: tuple[str, ...], told: Mapping[str, str]) -> Secret:
        self.asked.append(argv)
        await self.answer.wait()
        if self.fails:
            raise IssuerFailed("`gh auth token` ended with 4.")
        return Secret(TOKEN)


class TestReference(IssuerContract):
    @pytest.fixture
    def vault(self, tmp_path: Path) -> FileVault:
        return open_vault(Paths(tmp_path, tmp_path, tmp_path, tmp_path), keyring=lambda state: None)

    @pytest.fixture
    def other(self) -> OtherVault:
        return OtherVault()

    @pytest.fixture
    def issuer(self, vault: FileVault, other: OtherVault) -> Issuer:
        return ReferenceIssuer(vault, other.look, lambda: other.now)

    @pytest.fixture
    async def spec(self, vault: FileVault) -> CredentialSpec:
        options = {"from": "cmd://gh auth token", "program": "/usr/bin/gh"}
        await vault.add(
            CredentialSpec("github", "reference", ("api.example.com",), options=options), Secret("")
        )
        return vault.specs()[0]

    async def test_one_call_asks_once_and_the_next_one_again(
        self, issuer: Issuer, spec: CredentialSpec, other: OtherVault
    ) -> None:
        other.answer.clear()
        asking = [asyncio.ensure_future(issuer.mint(spec, mint_context())) for _ in range(5)]
        await asyncio.sleep(0)
        asking[0].cancel()  # who goes away leaves the others their answer
        other.answer.set()
        given = await asyncio.gather(*asking[1:])
        assert {minted.secret.value for minted in given} == {TOKEN}
        assert other.asked == [("/usr/bin/gh", "auth", "token")]
        await issuer.mint(spec, mint_context(call="c-2"))
        assert len(other.asked) == 2
        other.now = 61.0
        await issuer.mint(spec, mint_context())
        assert len(other.asked) == 3

    async def test_a_failure_is_not_remembered(
        self, issuer: Issuer, spec: CredentialSpec, other: OtherVault
    ) -> None:
        other.fails = True
        with pytest.raises(IssuerFailed):
            await issuer.mint(spec, mint_context())
        other.fails = False
        assert (await issuer.mint(spec, mint_context())).secret.value == TOKEN

    async def test_it_is_looked_up_when_added_and_only_its_shape_is_kept(
        self, issuer: Issuer, spec: CredentialSpec, vault: FileVault, tmp_path: Path
    ) -> None:
        ready = await issuer.prepare(spec)
        await vault.remove(spec.name)
        await vault.add(ready, Secret(""))
        text = await vault.surrogate("github", "t-1")
        assert text.startswith("gho_")
        assert len(text) == len(TOKEN)
        assert text != TOKEN
        assert files_with(TOKEN, tmp_path) == []

    async def test_one_that_never_works_is_not_kept(
        self, issuer: Issuer, spec: CredentialSpec, other: OtherVault
    ) -> None:
        other.fails = True
        with pytest.raises(IssuerFailed):
            await issuer.prepare(spec)
        with pytest.raises(UsageError):
            await issuer.prepare(CredentialSpec("x", "reference", ("a.test",)))

    async def test_it_is_masked_while_its_task_lives(
        self, issuer: Issuer, spec: CredentialSpec, vault: FileVault
    ) -> None:
        await issuer.mint(spec, mint_context())
        assert TOKEN not in vault.redact(f"token {TOKEN}")
        vault.forget("t-1")
        assert vault.redact(TOKEN) == TOKEN

    async def test_a_variable_is_that_of_the_task_that_was_started_with_it(
        self, issuer: Issuer, vault: FileVault, other: OtherVault
    ) -> None:
        spec = CredentialSpec(
            "ci", "reference", ("api.example.com",), options={"from": "env://CI_TOKEN"}
        )
        with pytest.raises(IssuerFailed, match="CI_TOKEN was not set"):
            await issuer.mint(spec, mint_context())
        vault.borrow("t-1", "ci", Secret(TOKEN))
        vault.borrow("t-2", "ci", Secret("another-one"))
        assert (await issuer.mint(spec, mint_context())).secret.value == TOKEN
        vault.forget("t-1")
        with pytest.raises(IssuerFailed):
            await issuer.mint(spec, mint_context())
        assert other.asked == []
