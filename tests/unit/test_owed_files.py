"""What is owed to issuers, on the disk: whole, sealed, and bound to what it is about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from supervisor.calls.owed import Owed, OwedFiles
from supervisor.errors import ConfigError, VaultLocked
from supervisor.model import CredentialSpec
from supervisor.paths import Paths
from supervisor.vault.store import FileVault, open_vault

SPEC = CredentialSpec("api", "desk", ("api.example",), ttl=600, options={"scope": "read"})
OWED = Owed("o-1", "l-1", SPEC, 100.0, 700.0, {"user": "ana@host", "task": "t-1", "epoch": 1})
REVOCATION = "desk_4fz81kq90xvwpl27mncb"


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    paths = Paths(tmp_path, tmp_path, tmp_path, tmp_path)
    return open_vault(paths, keyring=lambda state: None)


@pytest.fixture
def files(tmp_path: Path, vault: FileVault) -> OwedFiles:
    return OwedFiles(tmp_path / "owed", vault)


async def test_the_next_supervisor_reads_it_back(
    files: OwedFiles, tmp_path: Path, vault: FileVault
) -> None:
    await files.put(OWED, REVOCATION)
    later = OwedFiles(tmp_path / "owed", vault)
    assert list(await later.load()) == [OWED]
    assert await later.revocation(OWED) == REVOCATION


async def test_what_nothing_is_known_of_is_kept_too(files: OwedFiles) -> None:
    await files.put(OWED, "")
    assert list(await files.load()) == [OWED]
    assert await files.revocation(OWED) == ""


async def test_nobody_else_can_read_it(files: OwedFiles, tmp_path: Path) -> None:
    await files.put(OWED, REVOCATION)
    (file,) = (tmp_path / "owed").iterdir()
    assert REVOCATION.encode() not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_it_cannot_be_moved_to_another_credential(files: OwedFiles, tmp_path: Path) -> None:
    await files.put(OWED, REVOCATION)
    (file,) = (tmp_path / "owed").iterdir()
    content = json.loads(file.read_bytes())
    content["about"] = content["about"].replace("api.example", "evil.example")
    file.write_text(json.dumps(content))
    (owed,) = await files.load()
    with pytest.raises(VaultLocked):
        await files.revocation(owed)


async def test_what_is_dead_is_gone_and_may_be_gone_already(files: OwedFiles) -> None:
    await files.put(OWED, REVOCATION)
    await files.drop(OWED.id)
    await files.drop(OWED.id)
    assert list(await files.load()) == []


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff", b"[]", b'{"v": 9, "about": "{}"}', b'{"v": 1, "about": "{}"}']
)
async def test_a_file_that_cannot_be_read_spares_the_others(
    files: OwedFiles, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await files.put(OWED, REVOCATION)
    (tmp_path / "owed" / "o-0.json").write_bytes(content)
    assert list(await files.load()) == [OWED]
    assert "o-0.json" in caplog.text


async def test_a_disk_that_takes_nothing_is_told(tmp_path: Path, vault: FileVault) -> None:
    (tmp_path / "owed").mkdir(mode=0o700)
    (tmp_path / "owed" / "o-1.json").mkdir()
    with pytest.raises(ConfigError):
        await OwedFiles(tmp_path / "owed", vault).put(OWED, REVOCATION)
