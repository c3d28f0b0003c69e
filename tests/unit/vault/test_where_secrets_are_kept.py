"""Secrets stay where the first of them went, until the person says otherwise."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.errors import VaultLocked
from supervisor.model import CredentialSpec
from supervisor.paths import Paths
from supervisor.ports import Secret
from supervisor.vault.backend import FILE_KEY, KEYRING, PASSPHRASE
from supervisor.vault.encrypted_file import EncryptedFile
from supervisor.vault.store import FileVault, open_vault
from supervisor.vault.system_keyring import SystemKeyring

SECRET = "ghp_abcdEFGH1234567890abcdEFGH1234567890"
WORDS = {"keyring": KEYRING, "passphrase": PASSPHRASE, "file": FILE_KEY}


def spec(name: str = "github") -> CredentialSpec:
    return CredentialSpec(name, "stored", ("api.example.com",), created=5.0)


class Desktop:
    protection = KEYRING

    def __init__(self) -> None:
        self.items: dict[str, str] = {}
        self.away = False

    def get(self, name: str) -> str | None:
        return self.items.get(name)

    def put(self, name: str, value: str) -> None:
        if self.away:
            raise VaultLocked("The system keyring refused (KeyringLocked).")
        self.items[name] = value

    def delete(self, name: str) -> None:
        self.items.pop(name, None)


class Machine:
    """One install, and a desktop that comes and goes."""

    def __init__(self, root: Path) -> None:
        self.paths = Paths(root, root, root, root)
        self.desktop = Desktop()
        self.logged_in = False

    def start(self, passphrase: str = "") -> FileVault:
        return open_vault(
            self.paths,
            passphrase=Secret(passphrase) if passphrase else None,
            keyring=lambda state: self.desktop if self.logged_in else None,
        )

    def holds(self, text: str) -> set[str]:
        """Which stores hold something of this name."""
        found = {"keyring"} if text in self.desktop.items else set()
        for word, store in (("file", self._file_key()), ("passphrase", self._passphrase())):
            if store.get(text) is not None:
                found.add(word)
        return found

    def _file_key(self) -> EncryptedFile:
        state = self.paths.state
        return EncryptedFile.with_file_key(state / "secrets.file", state / "secrets.key")

    def _passphrase(self) -> EncryptedFile:
        path = self.paths.state / "secrets.passphrase"
        return EncryptedFile.with_passphrase(path, Secret("correct horse"))


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.vault.encrypted_file._N", 2**4)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


async def test_a_keyring_that_vanishes_is_not_replaced_by_something_weaker(
    machine: Machine,
) -> None:
    machine.logged_in = True
    await machine.start().add(spec(), Secret(SECRET))
    machine.logged_in = False
    vault = machine.start()
    with pytest.raises(VaultLocked, match="keyring does not answer"):
        await vault.add(spec("other"), Secret(SECRET))
    with pytest.raises(VaultLocked):
        await vault.seal("undo", b"a file")
    assert [each.name for each in vault.specs()] == ["github"]
    assert machine.holds("other") == set()


async def test_a_keyring_that_appears_is_used_when_the_person_says_so(machine: Machine) -> None:
    await machine.start().add(spec(), Secret(SECRET))
    machine.logged_in = True
    vault = machine.start()
    await vault.add(spec("other"), Secret(SECRET))
    assert {each.protection for each in vault.specs()} == {FILE_KEY}
    sealed = await vault.seal("undo", b"a file")
    assert await vault.protect(KEYRING) == ("github", "other")
    for opened in (vault, machine.start()):
        assert {each.protection for each in opened.specs()} == {KEYRING}
        assert (await opened.secret("github")).value == SECRET
        assert await opened.unseal("undo", sealed) == b"a file"
        assert await opened.protection() == KEYRING
    assert machine.holds("github") == machine.holds("+sealing") == {"keyring"}


async def test_secrets_move_under_a_passphrase_that_each_start_asks_for(machine: Machine) -> None:
    vault = machine.start()
    await vault.add(spec(), Secret(SECRET))
    assert not vault.locked
    await vault.unlock(Secret("correct horse"))
    await vault.protect(PASSPHRASE)
    assert machine.holds("github") == {"passphrase"}
    later = machine.start()
    assert later.locked
    with pytest.raises(VaultLocked, match="taskpass unlock") as refusal:
        await later.add(spec("other"), Secret(SECRET))
    assert "locked by a passphrase" in refusal.value.message
    await later.unlock(Secret("correct horse"))
    assert not later.locked
    await later.add(spec("other"), Secret(SECRET))
    assert later.specs()[1].protection == PASSPHRASE


async def test_what_was_interrupted_is_finished_by_the_next_one(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.logged_in = True
    vault = machine.start()
    machine.logged_in = False
    plain = machine.start()
    await plain.add(spec(), Secret(SECRET))
    machine.logged_in = True
    vault = machine.start()
    # The disk is full when the list is written: nothing has moved as far as anybody can tell.
    with monkeypatch.context() as patch:
        patch.setattr("supervisor.vault.specs.replace_file", _full)
        with pytest.raises(OSError, match="full"):
            await vault.protect(KEYRING)
    assert (await machine.start().secret("github")).value == SECRET
    # It ends right after: both places hold it, and the next one takes the old one away.
    with monkeypatch.context() as patch:
        patch.setattr("supervisor.vault.store._drop", _full)
        with pytest.raises(OSError, match="full"):
            await machine.start().protect(KEYRING)
    assert machine.holds("github") == {"keyring", "file"}
    again = machine.start()
    assert await again.protect(KEYRING) == ()
    assert machine.holds("github") == {"keyring"}
    assert (await again.secret("github")).value == SECRET


def _full(*_: object) -> None:
    raise OSError("the disk is full")


@settings(max_examples=30, deadline=None)
@given(
    moves=st.lists(
        st.sampled_from(["keyring", "passphrase", "file", "log in", "log out", "add", "start"]),
        max_size=12,
    )
)
async def test_whatever_comes_and_goes_no_secret_is_lost_or_in_two_places(
    moves: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("machine")
    machine = Machine(root)
    vault = machine.start("correct horse")
    added: list[str] = []
    try:
        for move in moves:
            if move == "start":
                vault = machine.start("correct horse")
            elif move in ("log in", "log out"):
                machine.logged_in = move == "log in"
            else:
                try:
                    if move == "add":
                        await vault.add(spec(f"c{len(added)}"), Secret(f"{SECRET}{len(added)}"))
                        added.append(f"c{len(added)}")
                    else:
                        await vault.protect(WORDS[move])
                except VaultLocked:
                    continue
        machine.logged_in = True
        vault = machine.start("correct horse")
        for number, name in enumerate(added):
            assert (await vault.secret(name)).value == f"{SECRET}{number}"
            assert len(machine.holds(name)) == 1
    finally:
        shutil.rmtree(root)


async def test_a_pin_that_says_nothing_is_refused(machine: Machine) -> None:
    await machine.start().add(spec(), Secret(SECRET))
    (machine.paths.state / "protection").write_text("nowhere\n")
    with pytest.raises(VaultLocked, match="does not say where"):
        await machine.start().add(spec("other"), Secret(SECRET))


@pytest.mark.parametrize(
    "changes",
    [
        {"n": 2**3}, {"r": 4}, {"p": 0}, {"n": 2**4 + 1}, {"n": 2**40}, {"p": 2**20}, {"r": 2**30},
        {"salt": "AAAA"}, {"n": "many"}, {"n": None},
    ],
    ids=str,
)  # fmt: skip
def test_parameters_that_are_weak_or_hold_us_up_are_refused(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    path = tmp_path / "secrets"
    EncryptedFile.with_passphrase(path, Secret("correct horse")).put("a", SECRET)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(VaultLocked):
        EncryptedFile.with_passphrase(path, Secret("correct horse")).get("a")


def test_a_file_made_with_more_than_the_least_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secrets"
    monkeypatch.setattr("supervisor.vault.encrypted_file._N", 2**6)
    EncryptedFile.with_passphrase(path, Secret("correct horse")).put("a", SECRET)
    monkeypatch.setattr("supervisor.vault.encrypted_file._N", 2**4)
    store = EncryptedFile.with_passphrase(path, Secret("correct horse"))
    store.put("b", SECRET)
    assert json.loads(path.read_text())["n"] == 2**6
    assert store.get("a") == SECRET


def test_an_older_copy_of_the_file_is_noticed_by_who_has_seen_the_newer(tmp_path: Path) -> None:
    path, key = tmp_path / "secrets", tmp_path / "key"
    store = EncryptedFile.with_file_key(path, key)
    store.put("a", SECRET)
    older = path.read_bytes()
    store.delete("a")
    path.write_bytes(older)
    with pytest.raises(VaultLocked, match="older than"):
        store.get("a")
    with pytest.raises(VaultLocked, match="older than"):
        store.put("b", SECRET)


def _put(path: str, key: str, name: str) -> None:
    store = EncryptedFile.with_file_key(Path(path), Path(key))
    for number in range(5):
        store.put(f"{name}{number}", SECRET)


def test_writers_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path, key = tmp_path / "secrets", tmp_path / "key"
    EncryptedFile.with_file_key(path, key).put("first", SECRET)
    context = multiprocessing.get_context("fork")
    writers = [
        context.Process(target=_put, args=(str(path), str(key), name)) for name in ("a", "b", "c")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    store = EncryptedFile.with_file_key(path, key)
    for name in ("first", *(f"{each}{number}" for each in "abc" for number in range(5))):
        assert store.get(name) == SECRET


def test_a_chain_of_backends_is_refused_whatever_is_in_it() -> None:
    from keyring.backends.chainer import ChainerBackend
    from keyring.backends.fail import Keyring as FailKeyring

    for backend in (ChainerBackend(), FailKeyring()):
        with pytest.raises(VaultLocked, match="not one we trust") as refusal:
            SystemKeyring(backend, "taskpass")
        assert "Secret Service" in refusal.value.hint  # the way that works
