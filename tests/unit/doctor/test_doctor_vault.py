"""What the doctor says of where secrets are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.doctor import install
from supervisor.doctor.report import State
from supervisor.vault.backend import FILE_KEY, KEYRING, PASSPHRASE


@pytest.mark.parametrize(
    ("kept", "keyring", "state", "step"),
    [
        ("", True, State.OK, ""),
        ("", False, State.NOTE, "protect passphrase"),
        (FILE_KEY, False, State.NOTE, "protect passphrase"),
        (FILE_KEY, True, State.NOTE, "protect keyring"),
        (KEYRING, True, State.OK, ""),
        (KEYRING, False, State.PROBLEM, "log in"),
        (PASSPHRASE, True, State.OK, ""),
        (PASSPHRASE, False, State.OK, ""),
        ("nowhere", True, State.PROBLEM, "Write one of these"),
    ],
)
def test_where_secrets_are_kept_and_what_would_be_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    kept: str, keyring: bool, state: State, step: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(install, "find_keyring", lambda state: object() if keyring else None)
    if kept:
        (tmp_path / "protection").write_text(f"{kept}\n")
    (finding,) = install.vault(str(tmp_path))
    assert finding.state is state
    assert step in finding.next
    assert bool(step) is bool(finding.next)
