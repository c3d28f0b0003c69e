"""Secrets are found in every encoding they travel in, and nothing of them is left."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.vault.redact import MASK, Redactor

SECRET = "s3cr3t/VALUE+with=signs&ünïcode 42"
SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=8, max_size=60)

ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda raw: raw,
    "base64": base64.b64encode,
    "base64url": base64.urlsafe_b64encode,
    "base64url without padding": lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"="),
    "url": lambda raw: quote(raw, safe="").encode(),
    "url path": lambda raw: quote(raw).encode(),
    "url form": lambda raw: quote_plus(raw).encode(),
    "url lower case": lambda raw: quote(raw, safe="").replace("%C3", "%c3").encode(),
    "hex": binascii.hexlify,
    "HEX": lambda raw: binascii.hexlify(raw).upper(),
    "json": lambda raw: json.dumps(raw.decode()).encode(),
    "json unicode": lambda raw: json.dumps(raw.decode(), ensure_ascii=False).encode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_each_encoding_is_found_and_masked(encoding: str) -> None:
    redactor = Redactor({"github": SECRET})
    planted = b'{"x": "' + ENCODINGS[encoding](SECRET.encode()) + b'"}'
    (finding,) = redactor.find(planted)
    assert finding.name == "github"
    assert SECRET not in repr(finding)
    masked = redactor.mask(planted)
    assert MASK.encode() in masked
    assert redactor.find(masked) == []


@given(secret=SECRETS, before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_base64_is_found_wherever_it_stands_in_a_longer_text(
    secret: str, before: bytes, after: bytes
) -> None:
    redactor = Redactor({"n": secret})
    whole = before + secret.encode() + after
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        (finding,) = redactor.find(encode(whole))
        # All characters that hold a bit of the secret lie inside of what is masked.
        assert finding.start <= len(before) * 8 // 6
        assert finding.end >= -(-(len(before) + len(secret.encode())) * 8 // 6)


@given(secret=SECRETS, encoding=st.sampled_from(sorted(ENCODINGS)), around=st.text(max_size=20))
def test_whatever_the_secret_nothing_of_it_is_left(secret: str, encoding: str, around: str) -> None:
    redactor = Redactor({"n": secret})
    text = around + ENCODINGS[encoding](secret.encode()).decode() + around
    assert redactor.find(text)
    assert ENCODINGS[encoding](secret.encode()).decode() not in redactor.mask(text)


@given(st.text(alphabet="abcdefg 0123", max_size=200))
def test_text_without_secrets_is_left_alone(text: str) -> None:
    redactor = Redactor({"n": SECRET})
    assert redactor.mask(text) == text
    assert redactor.find(text.encode()) == []


def test_of_two_secrets_the_longer_one_is_masked_whole() -> None:
    redactor = Redactor({"short": "abcdefgh", "long": "abcdefgh-and-more"})
    assert redactor.mask("x abcdefgh-and-more y abcdefgh z") == f"x {MASK} y {MASK} z"
    assert [finding.name for finding in redactor.find("abcdefgh-and-more abcdefgh")] == [
        "long",
        "short",
    ]


def test_no_secrets_no_findings() -> None:
    assert Redactor({}).mask("anything") == "anything"
    assert Redactor({"empty": ""}).find("anything") == []


def test_text_that_is_not_unicode_passes_through() -> None:
    redactor = Redactor({"n": SECRET})
    assert redactor.mask(b"\xff\xfe" + SECRET.encode()) == b"\xff\xfe" + MASK.encode()
    assert redactor.mask("\udcff" + SECRET) == "\udcff" + MASK
