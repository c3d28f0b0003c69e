"""What every Vault must do. Inherit, and provide the `vault` fixture."""

from __future__ import annotations

import asyncio

import pytest

from supervisor.errors import NotFound, UsageError
from supervisor.model import CredentialSpec
from supervisor.ports import Secret, Vault

SECRET = "ghp_abcdEFGH1234567890abcdEFGH1234567890"


def github(**changes: object) -> CredentialSpec:
    values: dict[str, object] = {
        "name": "github",
        "issuer": "stored",
        "hosts": ("api.example.com",),
        "env": "GH_TOKEN",
    }
    return CredentialSpec(**(values | changes))  # type: ignore[arg-type]


class VaultContract:
    async def test_it_gives_back_what_it_was_given(self, vault: Vault) -> None:
        await vault.add(github(), Secret(SECRET))
        assert (await vault.secret("github")).value == SECRET
        (spec,) = vault.specs()
        assert (spec.name, spec.hosts, spec.env) == ("github", ("api.example.com",), "GH_TOKEN")
        assert spec.protection
        assert spec.created > 0

    async def test_what_is_removed_is_gone_with_its_stand_ins(self, vault: Vault) -> None:
        await vault.add(github(), Secret(SECRET))
        text = await vault.surrogate("github", "t-1")
        await vault.remove("github")
        assert vault.specs() == ()
        assert vault.resolve("t-1", text) == ""
        with pytest.raises(NotFound):
            await vault.secret("github")
        with pytest.raises(NotFound):
            await vault.remove("github")
        await vault.add(github(), Secret(SECRET[::-1]))
        assert (await vault.secret("github")).value == SECRET[::-1]

    async def test_another_secret_takes_the_place_of_the_first(self, vault: Vault) -> None:
        await vault.add(github(), Secret(SECRET))
        await vault.secret("github")
        await vault.rotate("github", Secret(SECRET[::-1]))
        assert (await vault.secret("github")).value == SECRET[::-1]
        assert vault.specs()[0].hosts == ("api.example.com",)

    async def test_a_refused_rotation_changes_nothing(self, vault: Vault) -> None:
        await vault.add(github(), Secret(SECRET))
        await vault.add(github(name="deploy", issuer="local-jwt"), Secret(""))
        for wrong in ("", "short", "two\nlines of it"):
            with pytest.raises(UsageError):
                await vault.rotate("github", Secret(wrong))
        with pytest.raises(UsageError, match="no stored secret"):
            await vault.rotate("deploy", Secret(SECRET))
        with pytest.raises(NotFound):
            await vault.rotate("gitlab", Secret(SECRET))
        assert (await vault.secret("github")).value == SECRET

    async def test_an_issuers_key_may_have_lines_and_lends_it_no_shape(self, vault: Vault) -> None:
        key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----\n"
        await vault.add(github(issuer="github-app"), Secret(key))
        assert (await vault.secret("github")).value == key
        text = await vault.surrogate("github", "t-1")
        assert text.startswith("ghs_")
        assert "\n" not in text

    async def test_a_name_is_not_taken_twice(self, vault: Vault) -> None:
        await vault.add(github(), Secret(SECRET))
        with pytest.raises(UsageError, match="already"):
            await vault.add(github(hosts=("evil.example.com",)), Secret("another secret"))
        assert (await vault.secret("github")).value == SECRET
        assert vault.specs()[0].hosts == ("api.example.com",)

    @pytest.mark.parametrize(
        "secret",
        ["", "s3cr3t!", "x" * 9000, "two\nlines of it", "carriage\rreturn", "a nul\0 inside"],
        ids=["empty", "short", "long", "newline", "return", "nul"],
    )
    async def test_a_secret_that_cannot_be_used_is_refused(self, vault: Vault, secret: str) -> None:
        with pytest.raises(UsageError) as refusal:
            await vault.add(github(), Secret(secret))
        assert not secret or secret not in str(refusal.value)
        assert vault.specs() == ()

    @pytest.mark.parametrize(
        "changes",
        [
            {"name": "../x"},
            {"name": ""},
            {"hosts": ()},
            {"hosts": ("https://api.example.com",)},
            {"hosts": ("*",)},
            {"env": "A=B"},
            {"header": "x: y"},
            {"header": "x\r\ny"},
            {"scheme": "Bearer x"},
            {"ttl": 0.0},
            {"ttl": float("nan")},
        ],
        ids=str,
    )
    async def test_a_spec_that_would_be_misread_is_refused(
        self, vault: Vault, changes: dict[str, object]
    ) -> None:
        with pytest.raises(UsageError):
            await vault.add(github(**changes), Secret(SECRET))
        assert vault.specs() == ()

    async def test_a_stand_in_belongs_to_one_task_and_name(self, vault: Vault) -> None:
        await vault.add(github(), Secret(SECRET))
        await vault.add(github(name="other"), Secret(SECRET))
        ours = await vault.surrogate("github", "t-1")
        assert ours == await vault.surrogate("github", "t-1")
        theirs = await vault.surrogate("github", "t-2")
        other = await vault.surrogate("other", "t-1")
        assert len({ours, theirs, other, SECRET}) == 4
        assert vault.resolve("t-1", ours) == "github"
        assert vault.resolve("t-1", other) == "other"
        for wrong in (theirs, SECRET, ours[:-1], ours + "x", ours.swapcase(), "", "\ud800"):
            assert vault.resolve("t-1", wrong) == ""

    async def test_two_that_ask_at_once_get_the_same_stand_in(self, vault: Vault) -> None:
        await vault.add(github(), Secret(SECRET))
        texts = await asyncio.gather(*(vault.surrogate("github", "t-1") for _ in range(8)))
        assert len(set(texts)) == 1

    async def test_a_task_is_equipped_with_several_at_once(self, vault: Vault) -> None:
        await vault.add(github(), Secret(SECRET))
        await vault.add(github(name="other"), Secret(SECRET))
        texts = await vault.equip("t-1", ["github", "other"])
        for name, text in texts.items():
            assert text == await vault.surrogate(name, "t-1")
            assert vault.resolve("t-1", text) == name
        assert len({*texts.values(), SECRET}) == 3
        assert await vault.equip("t-1", []) == {}

    async def test_a_forgotten_task_has_no_stand_ins(self, vault: Vault) -> None:
        await vault.add(github(), Secret(SECRET))
        ours, theirs = [await vault.surrogate("github", task) for task in ("t-1", "t-2")]
        vault.forget("t-1")
        vault.forget("t-1")
        assert vault.resolve("t-1", ours) == ""
        assert vault.resolve("t-2", theirs) == "github"

    async def test_what_is_minted_has_a_stand_in_and_no_secret(self, vault: Vault) -> None:
        await vault.add(github(name="deploy", issuer="local-jwt"), Secret(""))
        text = await vault.surrogate("deploy", "t-1")
        assert vault.resolve("t-1", text) == "deploy"
        assert vault.specs()[0].protection == ""
        with pytest.raises(NotFound):
            await vault.secret("deploy")

    async def test_an_unknown_name_says_which_there_are(self, vault: Vault) -> None:
        await vault.add(github(), Secret(SECRET))
        with pytest.raises(NotFound, match="github"):
            await vault.secret("gitlab")
        with pytest.raises(NotFound):
            await vault.surrogate("gitlab", "t-1")
