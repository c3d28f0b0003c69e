"""The history on a terminal, one line a record."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.cli.history import line

ABOUT = {"seq": 7, "time": 1_790_000_000.0, "task": "t-1", "purpose": "fix the login",
         "lease": "l-1", "credential": "app", "issuer": "github-app"}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("lease.revoked", {"works": "no"}, "app of github-app: confirmed, refused when tried"),
        ("lease.revoked", {"works": "cannot be asked"}, "confirmed, cannot be tried"),
        ("lease.unconfirmed", {"until": 1.0, "problem": "It hangs."}, "It hangs."),
        ("lease.irrevocable", {"until": 1.0, "problem": "Lost."}, "dies by itself at"),
        ("lease.expired", {}, "app of github-app"),
    ],
)
def test_it_says_what_became_of_a_credential(kind: str, more: dict[str, Any], said: str) -> None:
    told = line(ABOUT | {"kind": kind} | more)
    assert said in told
    assert "t-1" in told
    assert "\n" not in told


def test_a_lease_that_delivered_nothing_needs_no_words() -> None:
    record = {"seq": 7, "time": 1.0, "kind": "lease.closed", "task": "t-1", "leases": ["l-1"]}
    assert "lease.closed" in line(record)
