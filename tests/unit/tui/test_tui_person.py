"""The header names the person whom a provider vouches for, as long as it does."""

from __future__ import annotations

import pytest

from tests.support.fake_client import task_view
from tui.lines import identity
from tui.screens.dialog import IdentityPage

SIGNED_IN = {"person": "ana@example.com", "person_issuer": "https://id.example.com",
             "person_until": 2000.0}  # fmt: skip


@pytest.mark.parametrize(
    ("now", "width", "shown"),
    [
        (1999.0, 200, "ana@example.com (oidc)"),
        (2000.0, 200, "ana@laptop"),
        (1999.0, 40, "ana"),
    ],
)
def test_the_account_is_shown_when_nobody_vouches(now: float, width: int, shown: str) -> None:
    assert identity(task_view(1, "fix it", **SIGNED_IN), width, now).plain.startswith(f"{shown} ")


def test_the_identity_page_says_who_vouches_and_until_when() -> None:
    text = IdentityPage(task_view(1, "fix it", **SIGNED_IN)).text(100).plain
    assert "ana@example.com by https://id.example.com, until " in text
    assert "signed in" not in IdentityPage(task_view(1, "fix it")).text(100).plain
