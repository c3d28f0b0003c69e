"""Who the user is: the account, and for a time the person whom a provider vouched for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.identity.evidence import current_user
from supervisor.identity.person import KnownPerson
from supervisor.issuers.local_jwt import LocalJwtIssuer
from supervisor.model import CredentialSpec, Evidence, User, Verified
from supervisor.tokens.keys import SigningKey
from supervisor.tokens.verify import TokenVerifier
from tests.support.credentials import GET_USER, mint_context

ANA = Verified("https://id.example.com", "00u1", "ana@example.com", until=2000.0)


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    return SigningKey.from_file(tmp_path / "token.key")


@pytest.fixture
def known(tmp_path: Path, key: SigningKey) -> Callable[[float], KnownPerson]:
    """The person as a supervisor that starts at `now` knows them."""
    return lambda now: KnownPerson(tmp_path / "person.jwt", key, lambda: now)


def test_nobody_signed_in_is_the_account(known: Callable[[float], KnownPerson]) -> None:
    user = known(1000.0).user()
    assert user == current_user()
    assert user.evidence(1000.0) is Evidence.OS


def test_it_holds_over_restarts_until_it_expires(known: Callable[[float], KnownPerson]) -> None:
    known(1000.0).keep(ANA)
    user = known(1999.0).user()
    assert user.verified == ANA
    assert user.evidence(1999.0) is Evidence.OIDC
    assert user.evidence(2000.0) is Evidence.OS  # also for a task that began before
    assert known(2000.0).user() == current_user()


def test_signed_out_is_the_account_again(known: Callable[[float], KnownPerson]) -> None:
    person = known(1000.0)
    person.keep(ANA)
    person.forget()
    person.forget()
    assert person.user() == known(1000.0).user() == current_user()


@pytest.mark.parametrize("damage", ["other key", "changed", "cut", "no text", "a call token"])
def test_what_is_not_signed_by_this_supervisor_says_nothing(
    known: Callable[[float], KnownPerson], key: SigningKey, tmp_path: Path, damage: str
) -> None:
    file = tmp_path / "person.jwt"
    known(1000.0).keep(ANA)
    text = file.read_text()
    if damage == "other key":
        other = SigningKey.from_file(tmp_path / "other.key")
        KnownPerson(file, other, lambda: 1000.0).keep(ANA)
    elif damage == "changed":
        head, body, signature = text.split(".")
        file.write_text(f"{head}.{body[:-4]}AAAA.{signature}")
    elif damage == "cut":
        file.write_text(text[: len(text) // 2])
    elif damage == "no text":
        file.write_bytes(b"\xff\xfe\x00")
    else:
        claims = {"issuer": "x", "subject": "root", "name": "root", "until": 9e9}
        file.write_text(key.sign(claims, typ="at+jwt"))
    assert known(1000.0).user() == current_user()


def test_the_file_is_the_accounts_own(
    known: Callable[[float], KnownPerson], tmp_path: Path
) -> None:
    known(1000.0).keep(ANA)
    assert (tmp_path / "person.jwt").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("now", "told"), [(1000.0, True), (2000.0, False)])
async def test_a_call_token_names_the_person_as_long_as_the_provider_does(
    key: SigningKey, now: float, told: bool
) -> None:
    context = mint_context()
    task = context.task
    user = User(task.user.uid, task.user.name, task.user.host, ANA)
    context = replace(context, task=replace(task, user=user))
    spec = CredentialSpec("api", "local-jwt", ("api.example.com",))
    minted = await LocalJwtIssuer(key, "https://us", lambda: now).mint(spec, context)
    claims = TokenVerifier(key.jwks(), "https://us", clock=lambda: now).verify(
        minted.secret.value, audience=f"https://{GET_USER.resource}"
    )
    named = {"format": "iss_sub", "iss": ANA.issuer, "sub": ANA.subject}
    assert claims.get("sub_id") == (named if told else None)
    assert claims["sub"] == "user:ana@host"
