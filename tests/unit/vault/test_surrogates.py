"""A stand-in passes format checks and is never the secret."""

from __future__ import annotations

import base64
import json
import re
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from supervisor.vault.surrogate import PREFIXES, like_a_token, same_shape

KEY = bytes(range(32))
SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=80)
TYPICAL = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", *PREFIXES]),
        st.text(string.ascii_letters + string.digits + "-_./+=", min_size=8, max_size=80),
    ),
)


@given(SECRETS | TYPICAL, st.text(max_size=12), st.text(max_size=12))
def test_it_is_never_the_secret_and_has_its_length(secret: str, task: str, name: str) -> None:
    text = same_shape(secret, KEY, task, name)
    assert text != secret
    assert len(text) == len(secret)


@given(TYPICAL)
def test_prefix_punctuation_and_alphabet_are_kept(secret: str) -> None:
    assume(any(character.isalnum() for character in secret[-8:]))
    text = same_shape(secret, KEY, "t-1", "n")
    prefix = max((each for each in PREFIXES if secret.startswith(each)), key=len, default="")
    if len(secret) - len(prefix) < 8:
        prefix = ""
    assert text.startswith(prefix)
    for real, shown in zip(secret, text, strict=True):
        assert (real == shown) if real in "-_./+=" else shown.isalnum()
    for of_one_kind in (str.isdigit, str.islower, str.isupper):
        rest = [character for character in secret[len(prefix) :] if character.isalnum()]
        if rest and not any(map(of_one_kind, rest)):
            assert not any(map(of_one_kind, text[len(prefix) :]))


@given(TYPICAL)
def test_it_is_stable_and_differs_by_task_name_key_and_attempt(secret: str) -> None:
    assume(sum(character.isalnum() for character in secret[-8:]) >= 8)
    texts = [
        same_shape(secret, KEY, "t-1", "n"),
        same_shape(secret, KEY, "t-2", "n"),
        same_shape(secret, KEY, "t-1", "m"),
        same_shape(secret, KEY[::-1], "t-1", "n"),
        same_shape(secret, KEY, "t-1", "n", attempt=1),
    ]
    assert texts[0] == same_shape(secret, KEY, "t-1", "n")
    if len(set(secret[-8:]) & set(string.ascii_letters)) >= 1:
        assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("secret", "shape"),
    [
        ("ghp_" + "a1B2" * 9, r"ghp_[0-9A-Za-z]{36}"),
        ("github_pat_" + "A1" * 11 + "_" + "b2C3" * 14, r"github_pat_\w{22}_\w{56}"),
        ("sk_live_" + "a1B2" * 6, r"sk_live_[0-9A-Za-z]{24}"),
        ("sk-ant-api03-" + "aB_1" * 20, r"sk-ant-api03-[\w-]{80}"),
        ("xoxb-123456789012-1234567890123-" + "aB1" * 8, r"xoxb-\w{12}-\w{13}-\w{24}"),
        ("AKIA" + "I0SFODNN7EXAMPLE", r"AKIA[0-9A-Z]{16}"),
        ("0123456789abcdef" * 2, r"[0-9a-f]{32}"),
        ("0123456789ABCDEF" * 2, r"[0-9A-F]{32}"),
        ("8f14e45f-ceea-467f-a830-5c7a1b2d3e4f", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ("1234567890", r"[0-9]{10}"),
    ],
)
def test_known_kinds_of_tokens_keep_their_form(secret: str, shape: str) -> None:
    assert re.fullmatch(shape, secret), "the example itself has the form"
    assert re.fullmatch(shape, same_shape(secret, KEY, "t-1", "n"))


def test_it_does_not_tell_where_the_secret_has_its_digits() -> None:
    secret = "a" * 20 + "1" * 20
    text = same_shape(secret, KEY, "t-1", "n")
    assert any(map(str.isdigit, text[:20]))
    assert any(map(str.isalpha, text[20:]))


def test_an_empty_secret_has_none() -> None:
    with pytest.raises(ValueError, match="empty"):
        same_shape("", KEY, "t-1", "n")


def test_the_stand_in_for_a_minted_token_parses_as_one() -> None:
    text = like_a_token(KEY, "t-1", "deploy")
    header, claims, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in text.split(".")
    )
    assert json.loads(header)["alg"] == "ES256"
    assert json.loads(claims)["sub"] == "stand-in"
    assert len(signature) == 64
    assert text != like_a_token(KEY, "t-2", "deploy")
