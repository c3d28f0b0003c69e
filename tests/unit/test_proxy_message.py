"""Heads and rewriting as pure functions: invariants, and h11 as the second opinion."""

from __future__ import annotations

import base64
import contextlib
import ipaddress

import h11
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from supervisor.channels.http import address, message, reflection, rewrite
from supervisor.errors import Denied
from supervisor.ports import Release, Secret

ORIGIN = message.Origin("api.example", 443, tls=True)
TOKEN = st.text("abcXYZ019-_!", min_size=1, max_size=8).map(str.encode)
VALUE = st.binary(max_size=24)
NAME = st.one_of(
    TOKEN,
    st.sampled_from(
        [b"Host", b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Expect"]
    ),
)
USUAL = st.sampled_from(
    [b"api.example", b"chunked", b"3", b"0", b"close", b"keep-alive, x", b"3, 3", b" 3 ", b"\t"]
)
LINES = st.lists(st.tuples(NAME, st.one_of(USUAL, VALUE)), max_size=6)


def head_of(lines: list[tuple[bytes, bytes]], first: bytes) -> bytes:
    return b"\r\n".join([first, *(name + b": " + value for name, value in lines), b"", b""])


@given(LINES, st.sampled_from([b"GET / HTTP/1.1", b"POST /a?b HTTP/1.1", b"HEAD / HTTP/1.0"]))
def test_what_we_accept_h11_reads_the_same(lines: list[tuple[bytes, bytes]], first: bytes) -> None:
    raw = head_of([*lines, (b"Host", b"api.example")], first)
    assume(raw.count(b"\r\n\r\n") == 1)
    try:
        ours = message.parse_request(raw)
    except message.BadRequest:
        return
    conn = h11.Connection(h11.SERVER)
    conn.receive_data(raw)
    theirs = conn.next_event()
    assert isinstance(theirs, h11.Request)
    assert theirs.method.decode() == ours.method
    assert theirs.target.decode() == ours.target
    got = {(key, value) for key, _, value in ours.fields}
    for key, value in theirs.headers:
        # h11 rewrites these two to their meaning.
        if key not in (b"transfer-encoding", b"content-length"):
            assert (key, value) in got
    framing = dict(theirs.headers)
    if ours.body == message.CHUNKED:
        assert framing[b"transfer-encoding"] == b"chunked"
    else:
        assert b"transfer-encoding" not in framing
        assert int(framing.get(b"content-length", b"0")) == ours.body


@given(LINES, st.sampled_from([b"GET", b"POST", b"OPTIONS"]))
def test_what_we_write_is_read_as_what_we_understood(
    lines: list[tuple[bytes, bytes]], method: bytes
) -> None:
    raw = head_of([*lines, (b"Host", b"api.example")], method + b" /x HTTP/1.1")
    assume(raw.count(b"\r\n\r\n") == 1)
    try:
        ours = message.parse_request(raw)
    except message.BadRequest:
        return
    wire = message.write_request(ours, ORIGIN, "/x", ours.fields)
    again = message.parse_request(wire)
    assert (again.method, again.target, again.body) == (ours.method, "/x", ours.body)
    assert again.host == "api.example"
    assert not again.field(b"proxy-authorization")


@given(st.binary(max_size=200))
def test_no_bytes_but_a_head_or_a_refusal(raw: bytes) -> None:
    with contextlib.suppress(message.BadRequest):
        assert message.parse_request(raw + b"\r\n\r\n").method in raw.decode("latin-1")
    with contextlib.suppress(message.BadGateway):
        assert 100 <= message.parse_response(raw + b"\r\n\r\n", "GET").status <= 999


@given(st.text(alphabet="/.%2eE5cfFaA?\\", max_size=16))
def test_a_judged_path_is_what_is_sent_and_holds_no_dot_segment(text: str) -> None:
    try:
        path, target = message.normal_target("/" + text, "GET")
    except message.BadRequest:
        return
    assert target.partition("?")[0] == path
    assert not {".", ".."} & set(path.split("/"))
    assert "%2e" not in path.lower()
    assert "%61" not in path
    assert message.normal_target(target, "GET") == (path, target)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("api.example", "api.example", 443),
        ("API.Example.:8443", "api.example", 8443),
        ("[::1]:9", "::1", 9),
        ("127.0.0.1:80", "127.0.0.1", 80),
    ],
)
def test_authorities(text: str, host: str, port: int) -> None:
    origin = message.parse_authority(text, tls=True, default=443)
    assert (origin.host, origin.port) == (host, port)
    assert message.parse_authority(origin.authority, tls=True, default=None) == origin


@pytest.mark.parametrize(
    "text", ["", ":443", "a:0", "a:65536", "u@a:443", "a b:443", "a/b", "[::1", "a:443:443", "ä"]
)
def test_malformed_authorities(text: str) -> None:
    with pytest.raises(message.BadRequest):
        message.parse_authority(text, tls=True, default=443)


# ── surrogates ──────────────────────────────────────────────────────────────────────────

STAND_IN = "ghp_" + "s" * 20
RELEASE = Release("l-1", "u-1", Secret("unused"), STAND_IN, "authorization", "Bearer")
SECRETS = st.text(alphabet="abcdefXYZ0189_-.=/+", min_size=8, max_size=60)


def field(name: str, value: str) -> message.Field:
    return (name.lower().encode(), name.encode(), value.encode())


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


SHAPES = st.sampled_from(
    [
        f"Bearer {STAND_IN}",
        f"token {STAND_IN}",
        STAND_IN,
        basic("x-access-token", STAND_IN),
        basic(STAND_IN, ""),
    ]
)


@given(SHAPES, SECRETS)
def test_the_stand_in_is_found_and_replaced_in_every_shape(shape: str, secret: str) -> None:
    fields = [field("Accept", "*/*"), field("Authorization", shape)]
    assert STAND_IN in rewrite.candidates(fields)
    result, known = rewrite.put_secret(fields, RELEASE, secret)
    (value,) = (value for key, _, value in result if key == b"authorization")
    plain = base64.b64decode(value[6:]) if value.startswith(b"Basic ") else value
    assert secret.encode() in plain
    assert STAND_IN.encode() not in plain
    assert secret.encode() in known
    assert any(form in value for form in known)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Authorization", "X-Api-Key", "Cookie", "X-Other", "Private-Token"]),
            st.one_of(SHAPES, st.just("Bearer somebody-elses"), st.just(f"a={STAND_IN}")),
        ),
        max_size=5,
    ),
    SECRETS,
)
def test_one_credential_leaves_and_it_is_ours(others: list[tuple[str, str]], secret: str) -> None:
    fields = [field(*pair) for pair in others]
    try:
        result, _ = rewrite.put_secret(fields, RELEASE, secret)
    except Denied:
        return
    credentials = [entry for entry in result if rewrite.is_credential(entry[0])]
    assert [key for key, _, _ in credentials] == [b"authorization"]
    assert not any(STAND_IN.encode() in value for _, _, value in result)


@pytest.mark.parametrize("secret", ["a\r\nX: y", "a\nb", "", " a", "a\x00b", "ä" * 9])
def test_a_secret_that_would_break_the_head_is_not_sent(secret: str) -> None:
    fields = [field("Authorization", f"Bearer {STAND_IN}")]
    with pytest.raises(Denied) as caught:
        rewrite.put_secret(fields, RELEASE, secret)
    assert len(secret) < 3 or secret not in str(caught.value)


def test_cookies_and_other_headers() -> None:
    release = Release("l", "u", Secret("x"), STAND_IN, "cookie", "")
    fields = [field("Cookie", f"theme=dark; session={STAND_IN}")]
    assert STAND_IN in rewrite.candidates(fields)
    result, _ = rewrite.put_secret(fields, release, "the-real-one")
    assert result == [field("Cookie", "session=the-real-one")]
    release = Release("l", "u", Secret("x"), STAND_IN, "X-Custom-Key", "")
    fields = [field("x-custom-key", STAND_IN), field("Authorization", "Bearer foreign")]
    assert STAND_IN in rewrite.candidates(fields)
    result, _ = rewrite.put_secret(fields, release, "the-real-one")
    assert result == [field("x-custom-key", "the-real-one")]


# ── reflection ──────────────────────────────────────────────────────────────────────────


@given(
    st.lists(st.binary(max_size=12), max_size=12),
    st.binary(min_size=8, max_size=12),
    st.integers(0, 12),
    st.booleans(),
)
def test_a_secret_never_passes_however_it_is_cut(
    pieces: list[bytes], secret: bytes, cut: int, planted: bool
) -> None:
    if planted:
        pieces = [*pieces, secret[:cut], secret[cut:], b"end"]
    scanner = reflection.Scanner((secret,))
    passed = b""
    try:
        for piece in pieces:
            passed += scanner.feed(piece)
        passed += scanner.rest()
    except reflection.Reflected:
        assert secret in b"".join(pieces)
        assert secret not in passed
    else:
        assert passed == b"".join(pieces)
        assert secret not in passed


# ── addresses ───────────────────────────────────────────────────────────────────────────


@given(st.ip_addresses(network="169.254.0.0/16") | st.ip_addresses(network="fe80::/10"))
def test_link_local_is_never_dialled(
    found: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    assert not address.allowed(found, private=True)


@pytest.mark.parametrize(
    "text",
    [
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "0.0.0.0",
        "224.0.0.1",
        "fd00:ec2::254",
        "100.100.100.200",
    ],
)
def test_disguises_of_addresses_never_dialled(text: str) -> None:
    assert not address.allowed(ipaddress.ip_address(text), private=True)


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "100.64.0.1", "::1", "fd12::1"]
)
def test_private_addresses_need_a_persons_word(text: str) -> None:
    assert not address.allowed(ipaddress.ip_address(text), private=False)
    assert address.allowed(ipaddress.ip_address(text), private=True)


def test_public_addresses() -> None:
    for text in ("93.184.216.34", "2606:2800:220:1::1"):
        assert address.allowed(ipaddress.ip_address(text), private=False)


async def test_one_public_answer_among_private_ones_is_the_one_dialled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that answers with both kinds (a rebinding name server) leads to the public one."""
    import asyncio

    async def answers(*_args: object, **_more: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", (text, 443)) for text in ("10.0.0.1", "93.184.216.34", "127.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answers)
    assert await address.resolve(ORIGIN, private=False) == ["93.184.216.34"]
