"""What a person is told of issuers and channels is the same everywhere, and is what they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from supervisor.channels.http.kinds import BOUND, KINDS
from supervisor.channels.http.proxy import HttpProxyChannel
from supervisor.issuers import build_issuers
from supervisor.model import KillMode
from supervisor.paths import Paths
from supervisor.ports import Kind
from supervisor.tokens.keys import SigningKey
from supervisor.vault.store import open_vault

SECURITY = (Path(__file__).parents[2] / "SECURITY.md").read_text()


@pytest.fixture
def issuers(tmp_path: Path) -> tuple[Kind, ...]:
    vault = open_vault(Paths(tmp_path, tmp_path, tmp_path, tmp_path), keyring=lambda state: None)
    built = build_issuers(vault, SigningKey.from_file(tmp_path / "token.key"))
    return tuple(issuer.kind() for issuer in built.values())


def row(kind: Kind) -> str:
    scope = f"{kind.resource}; {kind.verb}"
    return f"| `{kind.name}` | {scope} | {kind.lifetime} | {kind.kill_mode}: {kind.bound} |"


def test_security_lists_every_issuer_as_it_is(issuers: tuple[Kind, ...]) -> None:
    assert [row(kind) for kind in issuers if row(kind) + "\n" not in SECURITY] == []


def test_security_lists_every_channel_with_what_was_measured() -> None:
    for kind in KINDS:
        measured = re.search(re.escape(row(kind)) + r" (\d+) ms \| (\d+) ms \|\n", SECURITY)
        assert measured, f"not in SECURITY.md as it is: {row(kind)}"
        told, last = (int(figure) / 1000 for figure in measured.groups())
        assert max(told, last) <= BOUND


def test_no_two_are_called_alike(issuers: tuple[Kind, ...]) -> None:
    names = [kind.name for kind in (*issuers, *KINDS)]
    assert len(set(names)) == len(names)


def test_all_that_the_proxy_carries_ends_on_the_wire() -> None:
    assert HttpProxyChannel.kinds() == KINDS
    assert {kind.kill_mode for kind in KINDS} == {KillMode.WIRE}
    assert all(f"{BOUND:g} s" in kind.bound for kind in KINDS)
