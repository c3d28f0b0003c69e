from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.paths import Paths
from supervisor.ports import Secret
from supervisor.vault.backend import KEYRING
from supervisor.vault.store import FileVault, open_vault
from tests.contract.vault_contract import VaultContract


class Desktop:
    """A system keyring that is unlocked."""

    protection = KEYRING

    def __init__(self) -> None:
        self.items: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        return self.items.get(name)

    def put(self, name: str, value: str) -> None:
        self.items[name] = value

    def delete(self, name: str) -> None:
        self.items.pop(name, None)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path, tmp_path, tmp_path, tmp_path)


class TestFileKey(VaultContract):
    @pytest.fixture
    def vault(self, paths: Paths) -> FileVault:
        return open_vault(paths, keyring=lambda state: None)


class TestPassphrase(VaultContract):
    @pytest.fixture
    def vault(self, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> FileVault:
        # The real cost is 0.4 s for each vault; one test in unit/vault pays it.
        monkeypatch.setattr("supervisor.vault.encrypted_file._N", 2**4)
        return open_vault(paths, passphrase=Secret("correct horse"), keyring=lambda state: None)


class TestKeyring(VaultContract):
    @pytest.fixture
    def vault(self, paths: Paths) -> FileVault:
        desktop = Desktop()
        return open_vault(paths, keyring=lambda state: desktop)
