"""Somebody else's credential at a host where one of ours is bound: an attacker's key would turn an
allowed host into a way out. It is left out wherever a request can carry one; elsewhere nothing is
changed."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.proxy_fakes import SECRET, SURROGATE, Rig, proxy_rig
from tests.support.proxy_requests import BEARER

FOREIGN = "atk_0123456789abcdef0123"
_BASIC = base64.b64encode(f"ana:{FOREIGN}".encode()).decode()

IN_HEADERS = [
    f"Authorization: Bearer {FOREIGN}",
    f"Authorization: token {FOREIGN}",
    f"Authorization: Basic {_BASIC}",
    f"Authorization: AWS4-HMAC-SHA256 Credential={FOREIGN}/20260101/x, Signature=0",
    f"aUTHORIZATION:   Bearer {FOREIGN}",
    f"X-Api-Key: {FOREIGN}",
    f"Private-Token: {FOREIGN}",
    f"DD-Application-Key: {FOREIGN}",
    f"X-Shopify-Access-Token: {FOREIGN}",
    f"X-Amz-Security-Token: {FOREIGN}",
    f"X-Vault-Token: {FOREIGN}",
    f"Cookie: session={FOREIGN}",
    f"Cookie: a=b; user_session={FOREIGN}; c=d",
]
IN_QUERIES = [
    f"access_token={FOREIGN}",
    f"page=2&private_token={FOREIGN}",
    f"API-KEY={FOREIGN}&page=2",
    f"%61ccess_token={FOREIGN}",
    f"page=2;access_token={FOREIGN}",
    f"X-Amz-Credential={FOREIGN}&X-Amz-Signature={FOREIGN}",
    f"client_id=x&client_secret={FOREIGN}",
    f"access_token={FOREIGN}&access_token={FOREIGN}",
]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with proxy_rig(tmp_path) as made:
        yield made


async def received(rig: Rig, *words: str, target: str = "/v1/x") -> str:
    """Everything that the server was sent of one request."""
    code, _, err = await rig.curl(*words, f"https://{rig.origin}{target}")
    assert code == 0, err
    return rig.upstream.received.decode("latin-1")


@pytest.mark.parametrize("header", IN_HEADERS)
@pytest.mark.parametrize("ours", [True, False], ids=["beside ours", "alone"])
async def test_it_is_left_out_of_headers(rig: Rig, header: str, ours: bool) -> None:
    words = ("-H", BEARER) if ours else ()
    sent = await received(rig, *words, "-H", header, "-H", "X-Kept: yes")
    assert FOREIGN not in sent
    assert _BASIC not in sent
    assert "X-Kept: yes" in sent
    assert rig.upstream.seen[0].get("authorization") == ([f"Bearer {SECRET}"] if ours else [])


@pytest.mark.parametrize("query", IN_QUERIES)
@pytest.mark.parametrize("ours", [True, False], ids=["beside ours", "alone"])
async def test_it_is_left_out_of_a_query(rig: Rig, query: str, ours: bool) -> None:
    sent = await received(rig, *(("-H", BEARER) if ours else ()), target=f"/v1/x?{query}")
    assert FOREIGN not in sent
    if "page=2" in query:
        assert "/v1/x?page=2 " in sent


async def test_of_several_in_our_own_header_ours_alone_is_sent(rig: Rig) -> None:
    await received(rig, "-H", f"Authorization: Bearer {FOREIGN}", "-H", BEARER, "-H", BEARER)
    assert rig.upstream.seen[0].get("authorization") == [f"Bearer {SECRET}"]


async def test_the_persons_netrc_and_url_do_not_get_past_it(rig: Rig, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine localhost login ana password {FOREIGN}\n")
    for words in (("--netrc-file", str(netrc)), ("-u", f"ana:{FOREIGN}")):
        assert _BASIC not in await received(rig, *words)


async def test_our_stand_in_in_a_query_is_refused_with_the_place_where_it_is_good(rig: Rig) -> None:
    _, out, _ = await rig.curl(f"https://{rig.origin}/v1/x?access_token={SURROGATE}")
    assert "was not sent in its own header (authorization)" in out
    assert rig.upstream.seen == []


async def test_elsewhere_a_programs_own_credential_is_its_own(rig: Rig) -> None:
    rig.authorize.hosts = set()
    sent = await received(
        rig, "-H", f"Authorization: Bearer {FOREIGN}", target=f"/v1/x?access_token={FOREIGN}"
    )
    assert sent.count(FOREIGN) == 2
