"""What a provider says of itself is checked before anything is sent where it points."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.errors import IssuerFailed, UsageError
from supervisor.oauth.http import Http
from supervisor.oauth.provider import checked_issuer, discover, provider_of
from tests.support.faulty_upstream import Answer, Asked, Fault
from tests.support.oauth_fake import FakeProvider

ISSUER = "https://id.example.com"
DOCUMENT = {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token"}


@pytest.mark.parametrize(
    "text",
    ["http://id.example.com", "id.example.com", "https://", "https://id.example.com/#top",
     "https://id.example.com/?x=1", "https://user@id.example.com", "https://id.example.com:0",
     "https://id.example.com:99999", "https://id.example.com/a b", "https://id.éxample.com",
     "https://id.example.com\r\nx: y", "file:///etc/passwd", ""],
)  # fmt: skip
def test_only_an_https_address_names_an_issuer(text: str) -> None:
    with pytest.raises(UsageError, match="not an issuer's address"):
        checked_issuer(text)


def test_what_it_leaves_out_has_the_defaults_of_the_standard() -> None:
    provider = provider_of(ISSUER, DOCUMENT)
    assert provider.auth_methods == ("client_secret_basic",)
    assert (provider.revocation_endpoint, provider.names_itself) == ("", False)
    assert provider.host == "id.example.com"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_slash_at_the_end_makes_no_other_issuer(slash: str) -> None:
    named = f"{ISSUER}{slash}"
    assert provider_of(f"{ISSUER}/", {**DOCUMENT, "issuer": named}).issuer == named


@pytest.mark.parametrize(
    ("bent", "why"),
    [
        ({"issuer": "https://evil.example.com"}, "another issuer"),
        ({"issuer": f"{ISSUER}.evil.example"}, "another issuer"),
        ({"issuer": None}, "another issuer"),
        ({"token_endpoint": None}, "no token endpoint"),
        ({"token_endpoint": "http://id.example.com/token"}, "no https address"),
        ({"revocation_endpoint": "javascript:alert(1)"}, "no https address"),
        ({"introspection_endpoint": ["https://id.example.com"]}, "no https address"),
        ({"jwks_uri": "https://a@b"}, "no https address"),
        ({"code_challenge_methods_supported": ["plain"]}, "no PKCE"),
    ],
    ids=str,
)
def test_metadata_that_cannot_be_used_is_refused(bent: dict[str, Any], why: str) -> None:
    with pytest.raises(IssuerFailed, match=why):
        provider_of(ISSUER, DOCUMENT | bent)


async def test_openids_document_is_asked_for_first_then_oauths_with_its_path_behind() -> None:
    fake = FakeProvider()
    asked: list[str] = []

    async def answer(request: Asked) -> Answer:
        asked.append(request.path)
        if request.path != "/.well-known/oauth-authorization-server/tenant":
            return Answer(404)
        url = f"{fake.upstream.url}/tenant"
        return Answer.of({"issuer": url, "token_endpoint": f"{url}/token"})

    fake.upstream._handle = answer
    async with fake.upstream as upstream:
        http = Http(lambda: fake.trust)
        provider = await discover(http, f"{upstream.url}/tenant")
        await http.close()
    assert provider.token_endpoint.endswith("/tenant/token")
    assert asked == [
        "/tenant/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/tenant",
    ]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault.HANG, "did not answer within"),
        (Fault.SERVER_ERROR, "failed when asked about itself"),
        (Fault.GARBAGE, "does not say how one signs in"),
        (Fault.CUT, "cannot be asked"),
    ],
    ids=str,
)
async def test_a_provider_that_fails_is_one_sentence(fault: Fault, why: str) -> None:
    fake = FakeProvider()
    async with fake.upstream as upstream:
        upstream.fail(fault, times=-1)
        http = Http(lambda: fake.trust, patience=0.3)
        with pytest.raises(IssuerFailed, match=why) as failed:
            await discover(http, upstream.url)
        await http.close()
    assert "\n" not in str(failed.value)


async def test_a_certificate_by_nobody_we_trust_is_named_with_the_way_that_works() -> None:
    fake, stranger = FakeProvider(), FakeProvider()
    async with fake.upstream as upstream:
        http = Http(lambda: stranger.trust)
        with pytest.raises(IssuerFailed, match="certificate") as failed:
            await discover(http, upstream.url)
        await http.close()
    assert "network.extra_roots" in failed.value.hint
    assert fake.upstream.asked == []


async def test_nobody_is_followed_elsewhere() -> None:
    fake, elsewhere = FakeProvider(), FakeProvider()
    async with fake.upstream as upstream, elsewhere.upstream as other:

        async def answer(request: Asked) -> Answer:
            return Answer(307, b"", {"location": f"{other.url}/token"})

        upstream._handle = answer
        http = Http(lambda: fake.trust)
        with pytest.raises(IssuerFailed, match="sends us elsewhere"):
            await http.post(f"{upstream.url}/token", {"refresh_token": "secret"})
        await http.close()
    assert elsewhere.upstream.asked == []


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    fake = FakeProvider()

    async def answer(request: Asked) -> Answer:
        return Answer(200, b"x" * (1 << 21))

    fake.upstream._handle = answer
    async with fake.upstream as upstream:
        http = Http(lambda: fake.trust)
        with pytest.raises(IssuerFailed, match="more than 1 MB"):
            await http.get(upstream.url)
        await http.close()
