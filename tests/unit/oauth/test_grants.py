"""What is asked of a token endpoint, and what becomes of its answers, whatever they are."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.errors import IssuerFailed
from supervisor.oauth import grants
from supervisor.oauth.client import Client, register
from supervisor.oauth.http import Answer, Http
from supervisor.oauth.provider import Provider
from supervisor.oauth.refusal import Refused

HOST = "id.example.com"
PROVIDER = Provider(f"https://{HOST}", f"https://{HOST}/token",
                    registration_endpoint=f"https://{HOST}/reg")  # fmt: skip
SECRETS = ("refresh-4fz81kq90xvwpl27", "client-4fz81kq90xvwpl27")
CLIENT = Client("cli", SECRETS[1], "client_secret_post")


class Answers(Http):
    """Always this answer, without a network."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(ssl.create_default_context)
        self.answer = Answer(HOST, status, body)
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        self.asked.append((url, form))
        return self.answer

    async def post_json(self, url: str, content: Mapping[str, Any], *, bearer: str = "") -> Answer:
        self.asked.append((url, content))
        return self.answer


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_MEMBERS = st.sampled_from(["access_token", "token_type", "expires_in", "refresh_token",
                            "id_token", "scope", "error", "error_description"])  # fmt: skip
_RIGHT = {"access_token": "a-token", "token_type": "Bearer", "expires_in": 60}


@given(st.integers(200, 599), st.dictionaries(_MEMBERS, _JSON | st.sampled_from(SECRETS)))
async def test_any_answer_is_a_token_or_one_clean_sentence(
    status: int, bent: dict[str, Any]
) -> None:
    http = Answers(status, _RIGHT | bent)
    try:
        tokens = await grants.by_refresh(http, PROVIDER, CLIENT, SECRETS[0])
    except IssuerFailed as error:
        told = str(error)
        assert told.isprintable()
        assert len(told) < 400
        assert not any(secret in told for secret in SECRETS)
    else:
        assert status == 200
        assert tokens.access.isascii()
        assert tokens.access.isprintable()
        assert " " not in tokens.access
        assert 0 <= tokens.lifetime < 1e9
        assert not any(each in repr(tokens) for each in (tokens.access, tokens.refresh) if each)


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_whether_it_is_a_jwt_can_be_asked_of_anything(text: str) -> None:
    assert grants.is_jwt(text) in (True, False)


def test_a_jwt_is_one_and_an_opaque_token_with_dots_is_not() -> None:
    assert grants.is_jwt(jwt.encode({}, "k" * 32))
    for text in ("a.b.c", "ya29.a0Af.x", "v2.local.abc", "", "..", "eyJ9.x.y"):
        assert not grants.is_jwt(text)


@pytest.mark.parametrize(("value", "lifetime"), [(3600, 3600.0), ("3600", 3600.0), (None, 0.0)])
async def test_a_lifetime_is_seconds_also_in_quotes(value: object, lifetime: float) -> None:
    http = Answers(200, _RIGHT | {"expires_in": value})
    tokens = await grants.by_refresh(http, PROVIDER, CLIENT, "r")
    assert tokens.lifetime == lifetime


@pytest.mark.parametrize(
    ("status", "body", "ends"),
    [
        (200, {}, True),
        (400, {"error": "invalid_token"}, True),  # not known any more: RFC 7009 section 2.2
        (400, {"error": "invalid_client"}, False),
        (400, {"error": "unsupported_token_type"}, False),
        (503, {}, False),
        (404, {}, False),
    ],
)
async def test_an_end_counts_when_the_provider_confirms_it(
    status: int, body: dict[str, str], ends: bool
) -> None:
    http = Answers(status, body)
    if ends:
        await grants.revoke(http, f"https://{HOST}/revoke", CLIENT, "a-token")
    else:
        with pytest.raises(IssuerFailed, match="end a token"):
            await grants.revoke(http, f"https://{HOST}/revoke", CLIENT, "a-token")
    ((url, form),) = http.asked
    assert url == f"https://{HOST}/revoke"
    assert (form["token"], form["token_type_hint"]) == ("a-token", "access_token")
    assert form["client_secret"] == SECRETS[1]


@pytest.mark.parametrize("told", [None, "true", 1, []])
async def test_an_introspection_that_does_not_answer_is_no_answer(told: object) -> None:
    http = Answers(200, {"active": told})
    with pytest.raises(IssuerFailed, match="does not say"):
        await grants.active(http, f"https://{HOST}/introspect", CLIENT, "a-token")


@pytest.mark.parametrize("told", [True, False])
async def test_an_introspection_is_believed(told: bool) -> None:
    http = Answers(200, {"active": told})
    assert await grants.active(http, f"https://{HOST}/i", CLIENT, "a-token") is told


@pytest.mark.parametrize(
    ("body", "client"),
    [
        ({"client_id": "c1"}, Client("c1")),
        ({"client_id": "c1", "token_endpoint_auth_method": "none"}, Client("c1")),
        # RFC 7591 section 2: without a method it is basic.
        ({"client_id": "c1", "client_secret": "s"}, Client("c1", "s", "client_secret_basic")),
        (
            {"client_id": "c1", "client_secret": "s",
             "token_endpoint_auth_method": "client_secret_post"},
            Client("c1", "s", "client_secret_post"),
        ),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)  # fmt: skip
async def test_a_registered_client_is_as_the_provider_made_it(
    body: dict[str, str], client: Client
) -> None:
    http = Answers(201, body)
    assert await register(http, PROVIDER, "http://127.0.0.1:1/callback", "read") == client
    ((_, asked),) = http.asked
    assert asked["redirect_uris"] == ["http://127.0.0.1:1/callback"]
    assert (asked["application_type"], asked["token_endpoint_auth_method"]) == ("native", "none")


@pytest.mark.parametrize("body", [{}, {"client_id": 7}, {"client_id": "a\x1b[2J"}], ids=str)
async def test_a_client_without_a_usable_id_is_none(body: dict[str, Any]) -> None:
    with pytest.raises(IssuerFailed, match="no usable id"):
        await register(Answers(201, body), PROVIDER, "http://127.0.0.1:1/callback", "")


async def test_a_provider_that_registers_nobody_says_what_to_do() -> None:
    with pytest.raises(Refused) as refused:
        await register(Answers(401, {"error": "invalid_token"}), PROVIDER, "http://x", "")
    assert "--client-id" in refused.value.hint
