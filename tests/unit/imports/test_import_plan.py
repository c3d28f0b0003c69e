"""What an import of a file would do, before it is done."""

from __future__ import annotations

import pytest

from supervisor.errors import UsageError
from supervisor.imports.plan import Contents, contents

STRIPE = "sk_live_4fz81kq90xvwpl27mncb"
GITHUB = "ghp_abcdEFGH1234567890abcdEFGH1234567890"


def plan(text: str, **options: object) -> Contents:
    return contents(text.encode(), lambda text: "", **options)  # type: ignore[arg-type]


def test_one_secret_under_two_names_is_one_credential() -> None:
    found = plan(f"GH_TOKEN={GITHUB}\nGITHUB_TOKEN='{GITHUB}'\nPORT=3000\n")
    assert [(row.name, row.credential) for row in found.rows] == [
        ("GH_TOKEN", "gh-token"), ("GITHUB_TOKEN", "gh-token"), ("PORT", ""),
    ]  # fmt: skip
    assert len(found.moving) == 1
    assert found.safe


def test_one_name_with_two_secrets_is_two_credentials() -> None:
    found = plan(f"STRIPE={STRIPE}\nSTRIPE={STRIPE}2\n", taken={"stripe"})
    assert [each.credential for each in found.moving] == ["stripe-2", "stripe-3"]


@pytest.mark.parametrize(
    "line",
    [
        "JWT_SECRET=0123456789abcdefXYZ", "ACME_API_KEY=0123456789abcdefXYZ0", f'K="{STRIPE} x"',
        f"# was sk_live_{'a1' * 12}", "DATABASE_URL=postgres://a:b@c.test/d",
    ],
)  # fmt: skip
def test_a_file_in_which_a_secret_stays_is_not_safe(line: str) -> None:
    found = plan(f"STRIPE={STRIPE}\n{line}\n")
    assert len(found.moving) == 1
    assert not found.safe


def test_what_the_person_says_moves_or_stays() -> None:
    text = f"STRIPE={STRIPE}\nACME_KEY=0123456789abcdefXYZ\n"
    found = plan(text, bind={"ACME_KEY": ("api.acme.test",)}, leave={"STRIPE"})
    assert [each.credential for each in found.moving] == ["acme-key"]
    assert found.moving[0].provider.hosts == ("api.acme.test",)
    with pytest.raises(UsageError, match="no variable OTHER"):
        plan(text, bind={"OTHER": ("x.test",)})
    with pytest.raises(UsageError, match="cannot be moved"):
        plan("A='with \"quotes\" in it'\n", bind={"A": ("x.test",)})


def test_a_stand_in_stays_and_is_no_secret() -> None:
    found = contents(f"A={STRIPE}\n".encode(), lambda text: "stripe" if text == STRIPE else "")
    assert not found.moving
    assert found.safe
    assert found.rows[0].why == "the stand-in for stripe already"


def test_a_name_cannot_write_to_the_persons_terminal() -> None:
    found = contents(
        b"\x1b]0;owned\x07=1\n\xff\xfe=1\nA\xe2\x80\xaeB=" + STRIPE.encode(), lambda _: ""
    )
    assert len(found.rows) == 3
    assert all(row.name.isascii() and row.name.isprintable() for row in found.rows)
    assert not found.moving
    assert not found.safe


def test_a_name_that_no_environment_has_moves_without_one() -> None:
    (moving,) = plan(f"stripe.key={STRIPE}\n").moving
    assert (moving.credential, moving.variable) == ("stripe-key", "")


def test_no_repr_tells_a_secret() -> None:
    found = plan(f"A={STRIPE}\n# {STRIPE}\n")
    for each in (found, found.file, *found.file.values, *found.moving, *found.rows):
        assert STRIPE not in repr(each)
