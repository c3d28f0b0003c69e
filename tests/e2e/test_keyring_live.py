"""Secrets in a real desktop keyring, which then goes away."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live import ApiServer, Install
from tests.support.secret_service import Desktop, desktop


@pytest.fixture
def logged_in(install: Install, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    with desktop(install.root / "desktop") as found:
        install.environ["DBUS_SESSION_BUS_ADDRESS"] = found.address
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", found.address)
        yield found


@pytest.mark.full  # brings a bus and a keyring with it
def test_secrets_lie_in_the_desktops_keyring_and_nowhere_else(
    logged_in: Desktop, install: Install, api: ApiServer
) -> None:
    assert "system keyring" in install.cli("credential", "list").stdout
    call = f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}/me'
    run = ("run", "--headless", "--", "sh", "-c", call)
    done = install.cli(*run)
    assert done.stdout == '{"hello": "ana"}', done.stderr
    assert files_with(api.token, install.root) == []

    # Logged out: nothing takes the keyring's place.
    install.cli("stop")
    logged_in.lock_up()
    refused = install.cli(*run)
    assert refused.returncode != 0
    assert "keyring" in refused.stderr
    other = install.cli("credential", "add", "other", "--host", "a.test", stdin=api.token + "\n")
    assert other.returncode == 1
    assert "keyring" in other.stderr
    assert files_with(api.token, install.root) == []
    assert not (install.paths.state / "secrets.file").exists()


def files_with(text: str, folder: Path) -> list[Path]:
    found = []
    for path in folder.rglob("*"):
        # What a task that has ended leaves goes while we look.
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and not path.is_symlink() and text.encode() in path.read_bytes():
                found.append(path)
    return found
