"""An agent attacks its supervisor. The matrix in SECURITY.md is what this test shows.

Every attack is also run uncontained, so that one which never could succeed is seen as such.
"""

from __future__ import annotations

import secrets

import pytest

from tests.support.accounts import Account, Drive

pytest_plugins = ("tests.support.task_fixtures",)

# What an agent of the same account can do when nothing contains it, on any kernel and as any user.
ALWAYS_OPEN_UNCONTAINED = {
    "read_key_file",
    "tamper_with_ledger",
    "see_state_directory",
    "supervisor_socket",
    "abstract_socket",
    "host_loopback",
    "see_supervisor",
    "signal_supervisor",
    "supervisor_descriptor",
    "process_vm_readv",
    "ptrace",
    "pidfd_getfd",
    "sock_diag",
    "shadow",
}


@pytest.fixture
def state(account: Account) -> str:
    """A directory in the account's home, where the supervisor's own state would lie."""
    return str(account.home / f".taskpass-attack-{secrets.token_hex(4)}")


def test_no_attack_succeeds_in_tier_a(drive: Drive, state: str) -> None:
    result = drive("attacks", tier="A", state=state)
    assert "attacks" in result, result["output"]
    assert [name for name, came in result["attacks"].items() if came == "succeeded"] == []
    assert result["attacks"]["type_into_terminal"] == "EPERM"
    assert result["attacks"]["io_uring"] == "ENOSYS"
    assert result["attacks"]["mount"] == "EPERM"
    assert result["attacks"]["clone3"] == "ENOSYS"


def test_attacks_are_real(drive: Drive, state: str) -> None:
    result = drive("attacks", tier="uncontained", state=state)
    succeeded = {name for name, came in result["attacks"].items() if came == "succeeded"}
    assert succeeded >= ALWAYS_OPEN_UNCONTAINED
