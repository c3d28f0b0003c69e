"""What lies on the disk, what changes to it do, and what happens after a restart."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

from supervisor.errors import ConfigError, NotFound, VaultLocked
from supervisor.model import CredentialSpec
from supervisor.paths import Paths
from supervisor.ports import Secret
from supervisor.vault.redact import Redactor
from supervisor.vault.store import FileVault, open_vault
from supervisor.vault.system_keyring import SystemKeyring, find_keyring

SECRET = "ghp_abcdEFGH1234567890abcdEFGH1234567890"
SPEC = CredentialSpec("github", "stored", ("api.example.com",), env="GH_TOKEN", created=5.0)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path, tmp_path, tmp_path, tmp_path)


def reopen(paths: Paths, passphrase: str = "") -> FileVault:
    return open_vault(
        paths,
        passphrase=Secret(passphrase) if passphrase else None,
        keyring=lambda state: None,
    )


@pytest.mark.parametrize("passphrase", ["", "correct horse"])
async def test_no_file_holds_the_secret_and_all_are_private(paths: Paths, passphrase: str) -> None:
    vault = reopen(paths, passphrase)
    await vault.add(SPEC, Secret(SECRET))
    await vault.surrogate("github", "t-1")
    scan = Redactor({"github": SECRET, "passphrase": passphrase})
    files = [path for path in paths.state.iterdir() if path.is_file()]
    assert len(files) >= 3
    for path in files:
        assert scan.find(path.read_bytes()) == [], path
        assert path.stat().st_mode & 0o077 == 0, path
    assert (await reopen(paths, passphrase).secret("github")).value == SECRET
    assert vault.specs()[0].protection == ("passphrase" if passphrase else "file key")


async def test_stand_ins_outlive_the_supervisor(paths: Paths) -> None:
    vault = reopen(paths)
    await vault.add(SPEC, Secret(SECRET))
    before = await vault.surrogate("github", "t-1")
    gone = await vault.surrogate("github", "t-2")
    vault.forget("t-2")
    after = reopen(paths)
    assert after.resolve("t-1", before) == "github"
    assert after.resolve("t-2", gone) == ""
    assert after.resolve("t-2", before) == ""
    assert await after.surrogate("github", "t-1") == before
    await after.remove("github")
    assert reopen(paths).resolve("t-1", before) == ""


async def test_stand_ins_are_known_while_the_secrets_are_locked(paths: Paths) -> None:
    vault = reopen(paths, "correct horse")
    await vault.add(SPEC, Secret(SECRET))
    before = await vault.surrogate("github", "t-1")
    locked = reopen(paths)
    assert locked.resolve("t-1", before) == "github"
    with pytest.raises(VaultLocked):
        await locked.secret("github")


async def test_no_file_tells_a_stand_in(paths: Paths) -> None:
    vault = reopen(paths)
    await vault.add(SPEC, Secret(SECRET))
    scan = Redactor({"stand-in": await vault.surrogate("github", "t-1")})
    for path in paths.state.iterdir():
        assert scan.find(path.read_bytes()) == [], path


@pytest.mark.parametrize("content", ["{", "[]", '{"x": 1}', '{"x": ["t-1"]}', "\xff"])
async def test_a_broken_list_of_stand_ins_resolves_nothing(paths: Paths, content: str) -> None:
    vault = reopen(paths)
    await vault.add(SPEC, Secret(SECRET))
    before = await vault.surrogate("github", "t-1")
    (paths.runtime / "stand-ins.json").write_text(content, encoding="latin-1")
    after = reopen(paths)
    assert after.resolve("t-1", before) == ""
    assert await after.surrogate("github", "t-1") == before
    assert after.resolve("t-1", before) == "github"


async def test_a_wrong_or_missing_passphrase_locks(paths: Paths) -> None:
    await reopen(paths, "correct horse").add(SPEC, Secret(SECRET))
    with pytest.raises(VaultLocked, match="wrong passphrase"):
        await reopen(paths, "wrong horse").secret("github")
    locked = reopen(paths)
    with pytest.raises(VaultLocked, match="locked by a passphrase"):
        await locked.secret("github")
    with pytest.raises(VaultLocked):
        await locked.unlock(Secret("wrong horse"))
    await locked.unlock(Secret("correct horse"))
    assert (await locked.secret("github")).value == SECRET


@pytest.mark.parametrize("where", ["sealed", "nonce", "kdf", "v", "not json"])
async def test_a_changed_file_of_secrets_is_refused(paths: Paths, where: str) -> None:
    await reopen(paths).add(SPEC, Secret(SECRET))
    path = paths.state / "secrets.file"
    content = json.loads(path.read_text())
    if where == "not json":
        path.write_text("{")
    else:
        value = content[where]
        content[where] = value + 1 if isinstance(value, int) else value[::-1]
        path.write_text(json.dumps(content))
    with pytest.raises(VaultLocked):
        await reopen(paths).secret("github")


async def test_weaker_scrypt_parameters_are_refused(paths: Paths) -> None:
    await reopen(paths, "correct horse").add(SPEC, Secret(SECRET))
    path = paths.state / "secrets.passphrase"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"n": 2}))
    with pytest.raises(VaultLocked):
        await reopen(paths, "correct horse").secret("github")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("api.example.com", "evil.example.com"),
        ('header = "authorization"', 'header = "x-log-me"'),
        ('env = "GH_TOKEN"', 'env = "PATH"'),
    ],
)
async def test_editing_the_plain_file_cannot_redirect_a_secret(
    paths: Paths, old: str, new: str
) -> None:
    await reopen(paths).add(SPEC, Secret(SECRET))
    path = paths.state / "credentials.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(VaultLocked, match="changed outside"):
        await reopen(paths).secret("github")


async def test_editing_the_plain_file_cannot_send_an_issuer_elsewhere(paths: Paths) -> None:
    spec = CredentialSpec("app", "oauth", ("api.example.com",), options={"token": "https://a.test"})
    await reopen(paths).add(spec, Secret(SECRET))
    path = paths.state / "credentials.toml"
    path.write_text(path.read_text().replace("https://a.test", "https://evil.test"))
    with pytest.raises(VaultLocked, match="changed outside"):
        await reopen(paths).secret("app")


async def test_who_reads_while_it_is_rotated_gets_the_new_one(paths: Paths) -> None:
    asked, answer = threading.Event(), threading.Event()

    class Slow:
        protection = "system keyring"
        items: dict[str, str] = {}  # noqa: RUF012 - one desktop

        def get(self, name: str) -> str | None:
            value = self.items.get(name)
            asked.set()
            assert answer.wait(10)
            return value

        def put(self, name: str, value: str) -> None:
            self.items[name] = value

        def delete(self, name: str) -> None: ...

    await open_vault(paths, keyring=lambda state: Slow()).add(SPEC, Secret(SECRET))
    vault = open_vault(paths, keyring=lambda state: Slow())
    reading = asyncio.ensure_future(vault.secret("github"))
    assert await asyncio.to_thread(asked.wait, 10)
    await vault.rotate("github", Secret(SECRET[::-1]))
    answer.set()
    assert (await reading).value == SECRET[::-1]
    assert (await vault.secret("github")).value == SECRET[::-1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[github\n", "line 1, column 8"),
        ("github = 1", "not a table"),
        ('[github]\nissuer = "stored"', "needs issuer and hosts"),
        ('[github]\nissuer = "stored"\nhosts = "x"', "hosts"),
        ('[github]\nissuer = "stored"\nhosts = [1]', "more than text"),
        ('[github]\nissuer = "stored"\nhosts = ["x"]\nsecret = "y"', "unknown key 'secret'"),
        ('[github]\nissuer = "stored"\nhosts = ["https://x"]', "not a host"),
        ('[github]\nissuer = "stored"\nhosts = ["x"]\noptions = 1', "options"),
    ],
)
def test_a_malformed_file_of_specs_says_where(paths: Paths, text: str, says: str) -> None:
    (paths.state / "credentials.toml").write_text(text)
    with pytest.raises(ConfigError) as refusal:
        reopen(paths)
    assert says in refusal.value.message
    assert "credentials.toml" in refusal.value.message


async def test_a_secret_is_looked_for_only_where_it_was_put(paths: Paths) -> None:
    # A keyring that is away is a locked keyring: nothing weaker takes its place.
    class Desktop:
        protection = "system keyring"
        items: dict[str, str] = {}  # noqa: RUF012 - one desktop

        def get(self, name: str) -> str | None:
            return self.items.get(name)

        def put(self, name: str, value: str) -> None:
            self.items[name] = value

        def delete(self, name: str) -> None:
            del self.items[name]

    await open_vault(paths, keyring=lambda state: Desktop()).add(SPEC, Secret(SECRET))
    with pytest.raises(VaultLocked, match="keyring does not answer"):
        await reopen(paths).secret("github")
    with pytest.raises(VaultLocked):
        await reopen(paths).remove("github")
    assert not (paths.state / "secrets.file").exists()


async def test_when_the_store_refuses_nothing_is_left_behind(paths: Paths) -> None:
    class Locked:
        protection = "system keyring"

        def get(self, name: str) -> str | None:
            return None

        def put(self, name: str, value: str) -> None:
            raise VaultLocked("The system keyring refused (KeyringLocked).")

        def delete(self, name: str) -> None: ...

    vault = open_vault(paths, keyring=lambda state: Locked())
    with pytest.raises(VaultLocked):
        await vault.add(SPEC, Secret(SECRET))
    assert vault.specs() == ()
    assert not (paths.state / "credentials.toml").exists()


async def test_when_the_spec_cannot_be_written_the_secret_is_taken_back(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = reopen(paths)

    def full(*_: object) -> None:
        raise ConfigError("Cannot write credentials.toml: No space left on device.")

    with monkeypatch.context() as patch:
        patch.setattr("supervisor.vault.specs.replace_file", full)
        with pytest.raises(ConfigError):
            await vault.add(SPEC, Secret(SECRET))
    assert vault.specs() == ()
    await vault.add(SPEC, Secret(SECRET))  # the name is free


async def test_what_is_removed_while_it_is_being_read_is_not_given(paths: Paths) -> None:
    asked, answer = threading.Event(), threading.Event()

    class Slow:
        protection = "system keyring"
        items: dict[str, str] = {}  # noqa: RUF012 - one desktop

        def get(self, name: str) -> str | None:
            value = self.items.get(name)
            asked.set()
            assert answer.wait(10)
            return value

        def put(self, name: str, value: str) -> None:
            self.items[name] = value

        def delete(self, name: str) -> None:
            del self.items[name]

    await open_vault(paths, keyring=lambda state: Slow()).add(SPEC, Secret(SECRET))
    vault = open_vault(paths, keyring=lambda state: Slow())
    reading = asyncio.ensure_future(vault.secret("github"))
    assert await asyncio.to_thread(asked.wait, 10)
    await vault.remove("github")
    answer.set()
    with pytest.raises(NotFound):
        await reading
    assert vault.redactor().find(SECRET) == []  # and it is not kept


async def test_a_key_file_that_others_can_read_is_refused(paths: Paths) -> None:
    await reopen(paths).add(SPEC, Secret(SECRET))
    (paths.state / "secrets.key").chmod(0o644)
    with pytest.raises(ConfigError, match="Others can read"):
        await reopen(paths).secret("github")


async def test_a_key_file_that_is_a_link_is_refused(paths: Paths, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(bytes(32))
    target.chmod(0o600)
    (paths.state / "surrogate.key").symlink_to(target)
    with pytest.raises(ConfigError):
        reopen(paths)


def test_a_keyring_that_keeps_plain_text_is_refused() -> None:
    from keyring.backends.null import Keyring as NullKeyring

    class PlaintextKeyring(NullKeyring):
        """As keyrings.alt has it."""

    for backend in (PlaintextKeyring(), NullKeyring()):
        with pytest.raises(VaultLocked, match="not one we trust"):
            SystemKeyring(backend, "taskpass")


def test_the_environment_cannot_choose_the_keyring(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
    assert find_keyring(tmp_path) is None


async def test_masks_cover_what_was_loaded(paths: Paths) -> None:
    vault = reopen(paths)
    assert vault.redactor().mask(SECRET) == SECRET
    await vault.add(SPEC, Secret(SECRET))
    assert SECRET not in vault.redactor().mask(f"token {SECRET}")
