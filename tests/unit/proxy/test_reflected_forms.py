"""A secret that comes back is found in the forms that servers write, wherever they cut it."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.channels.http import inflate, reflection
from supervisor.channels.http.message import BadGateway, Field

SECRETS = st.text(alphabet='abcXYZ019_-.=/+ "\\é', min_size=8, max_size=40).filter(
    lambda text: text == text.strip()
)
TEXT = st.binary(max_size=40)
FORMS: dict[str, Callable[[bytes, bytes, bytes], bytes]] = {
    "raw": lambda before, secret, after: before + secret + after,
    "base64": lambda before, secret, after: base64.b64encode(before + secret + after),
    "base64url": lambda before, secret, after: base64.urlsafe_b64encode(before + secret + after),
    "url": lambda before, secret, after: b"x=" + quote(secret, safe="").encode() + b"&y=" + after,
    "path": lambda before, secret, after: b"/x/" + quote(secret).encode() + b"?y",
    "form": lambda before, secret, after: b"x=" + quote_plus(secret).encode(),
    "url, lower case": lambda before, secret, after: quote(secret, safe="").encode().replace(
        b"%2B", b"%2b").replace(b"%2F", b"%2f").replace(b"%3D", b"%3d"),
    "json": lambda before, secret, after: json.dumps({"x": secret.decode("latin-1")}).encode(),
}  # fmt: skip


def fields(coding: str = "") -> list[Field]:
    return [(b"content-encoding", b"Content-Encoding", coding.encode())] if coding else []


def passed(watch: reflection.Watch, body: bytes, sizes: list[int]) -> bytes:
    """What gets through of a body that comes in pieces of these sizes; raises Reflected."""
    out, at = b"", 0
    for size in [*sizes, len(body)]:
        out += watch.feed(body[at : at + size])
        at += size
        if at >= len(body):
            break
    return out + watch.rest()


@given(TEXT, SECRETS, TEXT, st.sampled_from(sorted(FORMS)), st.lists(st.integers(1, 9)))
def test_a_secret_is_found_in_every_form_however_it_is_cut(
    before: bytes, secret: str, after: bytes, form: str, sizes: list[int]
) -> None:
    value = secret.encode("latin-1")
    if "lower" in form and not set('"\\é ').isdisjoint(secret):
        return
    wanted = reflection.needles((value,))
    body = FORMS[form](before, value, after)
    with pytest.raises(reflection.Reflected):
        passed(reflection.Scanner(wanted), body, sizes)


@given(st.binary(max_size=400), SECRETS, st.lists(st.integers(1, 60)))
def test_what_holds_no_secret_passes_unchanged(body: bytes, secret: str, sizes: list[int]) -> None:
    wanted = reflection.needles((secret.encode("latin-1"),))
    if any(needle in body for needle in wanted):
        return
    assert passed(reflection.Scanner(wanted), body, sizes) == body
    packed = gzip.compress(body)
    assert passed(inflate.watch(fields("gzip"), wanted), packed, sizes) == packed


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("GZip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data)[2:-4]),  # without header, as some do
        ("gzip", lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:])),
        ("identity", lambda data: data),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_compressed_echo_is_found_before_it_is_through(
    coding: str, pack: Callable[[bytes], bytes], size: int
) -> None:
    secret = b"tok_real_5ecret_111111111"
    body = b'{"headers": {"authorization": "Bearer ' + secret + b'"}}' + bytes(range(256)) * 8
    watch = inflate.watch(fields(coding), reflection.needles((secret,)))
    packed = pack(body)
    through: list[bytes] = []

    def feed() -> None:
        through.extend(watch.feed(packed[at : at + size]) for at in range(0, len(packed), size))

    with pytest.raises(reflection.Reflected):
        feed()
    out = b"".join(through)
    if coding != "identity":
        out = zlib.decompressobj(47 if packed[:1] in b"\x1f\x78" else -15).decompress(out)
    assert secret not in out
    assert not out.endswith(secret[:9])


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress"])
def test_what_cannot_be_looked_through_is_not_passed_on(coding: str) -> None:
    with pytest.raises(BadGateway, match="looked through"):
        inflate.watch(fields(coding), (b"a-secret",))


@pytest.mark.parametrize(
    "body", [b"not compressed", gzip.compress(b"x") + b"and more", gzip.compress(bytes(1 << 26))]
)
def test_a_body_that_is_not_what_it_says_is_not_passed_on(body: bytes) -> None:
    watch = inflate.watch(fields("gzip"), (b"a-secret",))
    with pytest.raises(BadGateway):
        watch.feed(body)


@pytest.mark.parametrize(
    "value",
    [
        "https://api.example/next?token={}",
        "Bearer {}",
        "x=%74%6f%6b_real%5F5ecret_%31%31%31%31%31%31%31%31%31",
    ],
)
def test_headers_are_masked_and_the_others_stay(value: str) -> None:
    secret = b"tok_real_5ecret_111111111"
    echo = value.format(secret.decode()).encode()
    named = b"X-" + secret
    sent: list[Field] = [
        (b"location", b"Location", echo),
        (b"etag", b"ETag", b'"%22"'),
        (named.lower(), named, b"1"),
    ]
    result = reflection.mask_fields(sent, reflection.needles((secret,)))
    assert [name for _, name, _ in result] == [b"Location", b"ETag"]
    assert secret not in result[0][2]
    assert reflection.MASK in result[0][2]
    assert result[1] == sent[1]


def test_a_short_value_is_not_looked_for() -> None:
    assert reflection.needles((b"short",)) == ()
