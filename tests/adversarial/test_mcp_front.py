"""Attacks on the gateway's front: its OAuth endpoints, and what its tokens are worth.

The front is the real application; the task behind a client is one that does what the test says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from supervisor.gateway.front import provider as providing
from supervisor.gateway.front.app import application
from supervisor.gateway.front.clients import Clients
from supervisor.gateway.front.fetching import fetcher
from supervisor.gateway.front.guests import Guest
from supervisor.gateway.front.provider import Provider
from supervisor.gateway.front.tokens import Tokens
from tests.support.clock import Clock

FRONT = "https://mcp.example.com"
BACK = "https://chat.example.com/callback"
VERIFIER = "v" * 64
_DIGEST = hashlib.sha256(VERIFIER.encode()).digest()
CHALLENGE = base64.urlsafe_b64encode(_DIGEST).decode().rstrip("=")


class Tame(Guest):
    """A guest without a task. It is let in unless `refused`."""

    refused = False
    over = False

    def enter(self) -> None:
        self.session = None if self.refused else object()  # type: ignore[assignment]

    @property
    def live(self) -> bool:
        return self.session is not None and not self.over

    async def answers(self) -> bool:
        return self.live

    async def admitted(self, patience: float) -> bool | None:
        return self.live

    async def leave(self) -> None:
        self.over = True
        self.gone(self)


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000_000.0)


@pytest.fixture
def provider(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Provider:
    monkeypatch.setattr(providing, "Guest", Tame)
    monkeypatch.setattr(providing.time, "time", clock)

    async def nothing(url: str) -> bytes:
        raise OSError("no network here")

    return Provider(FRONT, f"{FRONT}/mcp", "notes", "/work", Clients(nothing), Tokens(clock))


@pytest.fixture
async def web(provider: Provider) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=application(provider))
    async with httpx2.AsyncClient(transport=transport, base_url=FRONT) as client:
        yield client


async def registered(web: httpx2.AsyncClient, **changes: Any) -> dict[str, Any]:
    asked = {"redirect_uris": [BACK], "token_endpoint_auth_method": "none", "client_name": "Chat"}
    answer = await web.post("/register", json=asked | changes)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def authorize(web: httpx2.AsyncClient, client: str, **changes: Any) -> httpx2.Response:
    asked = {
        "client_id": client, "redirect_uri": BACK, "response_type": "code", "state": "s1",
        "code_challenge": CHALLENGE, "code_challenge_method": "S256", "scope": "mcp:read",
        "resource": f"{FRONT}/mcp",
    }  # fmt: skip
    params = {name: value for name, value in (asked | changes).items() if value is not None}
    return await web.get("/authorize", params=params)


async def code_of(web: httpx2.AsyncClient, client: str, **changes: Any) -> str:
    page = await authorize(web, client, **changes)
    assert page.headers["location"].startswith(f"{FRONT}/consent/"), page.headers
    back = await web.get(page.headers["location"])
    told = parse_qs(urlsplit(back.headers["location"]).query)
    assert told["iss"] == [FRONT]
    assert told["state"] == ["s1"]
    return told["code"][0]


async def exchange(web: httpx2.AsyncClient, client: str, code: str, **changes: Any) -> Any:
    form = {
        "grant_type": "authorization_code", "code": code, "client_id": client,
        "redirect_uri": BACK, "code_verifier": VERIFIER, "resource": f"{FRONT}/mcp",
    }  # fmt: skip
    return await web.post("/token", data=form | changes)


async def refresh(web: httpx2.AsyncClient, client: str, token: str) -> Any:
    form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": client}
    return await web.post("/token", data=form)


async def status(web: httpx2.AsyncClient, token: str) -> int:
    """Of a request with this token: 401, or anything else where it was taken."""
    try:
        answer = await web.post("/mcp", headers={"authorization": f"Bearer {token}"}, json={})
    except RuntimeError:  # past the guard: the endpoint itself is not started here
        return 200
    return answer.status_code


async def test_what_the_front_says_of_itself(web: httpx2.AsyncClient) -> None:
    told = (await web.get("/.well-known/oauth-authorization-server")).json()
    assert told["issuer"] == FRONT
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["client_id_metadata_document_supported"] is True
    assert "none" in told["token_endpoint_auth_methods_supported"]
    resource = (await web.get("/.well-known/oauth-protected-resource/mcp")).json()
    assert resource["resource"] == f"{FRONT}/mcp"
    assert resource["authorization_servers"] == [FRONT]
    refused = await web.post("/mcp", json={})
    assert refused.status_code == 401
    challenge = refused.headers["www-authenticate"]
    assert f'resource_metadata="{FRONT}/.well-known/oauth-protected-resource/mcp"' in challenge
    assert 'scope="mcp:read"' in challenge


async def test_a_code_becomes_tokens_once(web: httpx2.AsyncClient) -> None:
    client = (await registered(web))["client_id"]
    code = await code_of(web, client)
    tokens = (await exchange(web, client, code)).json()
    assert await status(web, tokens["access_token"]) == 200
    # Shown again, one of the two who have it stole it: all of it ends.
    assert (await exchange(web, client, code)).json()["error"] == "invalid_grant"
    assert await status(web, tokens["access_token"]) == 401


async def test_a_refresh_token_is_good_once(web: httpx2.AsyncClient) -> None:
    client = (await registered(web))["client_id"]
    first = (await exchange(web, client, await code_of(web, client))).json()
    second = (await refresh(web, client, first["refresh_token"])).json()
    assert await status(web, second["access_token"]) == 200
    assert (await refresh(web, client, first["refresh_token"])).status_code == 400
    assert await status(web, second["access_token"]) == 401


@pytest.mark.parametrize(
    "damage",
    [
        {"code_verifier": "w" * 64},
        {"code_verifier": ""},
        {"redirect_uri": "https://chat.example.com/other"},
        {"resource": "https://other.example.com/mcp"},
    ],
)
async def test_a_stolen_code_is_worth_nothing(
    web: httpx2.AsyncClient, damage: dict[str, str]
) -> None:
    client = (await registered(web))["client_id"]
    answer = await exchange(web, client, await code_of(web, client), **damage)
    assert answer.status_code == 400
    assert "access_token" not in answer.text


async def test_another_client_cannot_use_a_code_or_a_token(web: httpx2.AsyncClient) -> None:
    mine = (await registered(web))["client_id"]
    theirs = (await registered(web))["client_id"]
    assert (await exchange(web, theirs, await code_of(web, mine))).status_code == 400
    tokens = (await exchange(web, mine, await code_of(web, mine))).json()
    assert (await refresh(web, theirs, tokens["refresh_token"])).status_code == 400


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"resource": "https://other.example.com/mcp"}, "invalid_target"),
        ({"scope": "admin"}, "invalid_scope"),
    ],
)
async def test_a_request_that_is_wrong_is_sent_back(
    web: httpx2.AsyncClient, damage: dict[str, Any], error: str
) -> None:
    client = (await registered(web))["client_id"]
    answer = await authorize(web, client, **damage)
    location = urlsplit(answer.headers["location"])
    told = parse_qs(location.query)
    assert (f"{location.scheme}://{location.netloc}{location.path}", told["error"]) == (
        BACK, [error],
    )  # fmt: skip
    assert told["iss"] == [FRONT]


@pytest.mark.parametrize("redirect", ["https://evil.example.com/callback", f"{BACK}/../x", ""])
async def test_nobody_is_sent_to_an_address_that_was_not_registered(
    web: httpx2.AsyncClient, redirect: str
) -> None:
    client = (await registered(web))["client_id"]
    answer = await authorize(web, client, redirect_uri=redirect)
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "redirect", ["http://chat.example.com/callback", "javascript:alert(1)", f"{BACK}#part"]
)
async def test_no_client_is_registered_whose_answers_others_read(
    web: httpx2.AsyncClient, redirect: str
) -> None:
    answer = await web.post("/register", json={"redirect_uris": [redirect]})
    assert answer.status_code == 400


async def test_whom_a_person_turns_away_gets_no_code(
    web: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tame, "refused", True)
    client = (await registered(web))["client_id"]
    page = await authorize(web, client)
    back = await web.get(page.headers["location"])
    assert parse_qs(urlsplit(back.headers["location"]).query)["error"] == ["access_denied"]


async def test_strangers_cannot_flood_the_person(
    web: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tame, "refused", True)  # so that none of them is in yet
    client = (await registered(web))["client_id"]
    pages = [await authorize(web, client) for _ in range(8)]
    asked = [p for p in pages if p.headers["location"].startswith(f"{FRONT}/consent/")]
    assert len(asked) == 4
    assert "error=access_denied" in pages[-1].headers["location"]


async def test_tokens_expire_and_end_with_their_task(
    web: httpx2.AsyncClient, provider: Provider, clock: Clock
) -> None:
    client = (await registered(web))["client_id"]
    tokens = (await exchange(web, client, await code_of(web, client))).json()
    clock.now += 599
    assert await status(web, tokens["access_token"]) == 200
    clock.now += 2
    assert await status(web, tokens["access_token"]) == 401
    newer = (await refresh(web, client, tokens["refresh_token"])).json()
    assert await status(web, newer["access_token"]) == 200
    await provider.close()  # as when its task is revoked
    assert await status(web, newer["access_token"]) == 401
    assert (await refresh(web, client, newer["refresh_token"])).status_code == 400


async def test_a_client_can_give_its_access_back(web: httpx2.AsyncClient) -> None:
    client = (await registered(web))["client_id"]
    tokens = (await exchange(web, client, await code_of(web, client))).json()
    stranger = (await registered(web))["client_id"]

    async def revoke(client: str, token: str) -> int:
        return (await web.post("/revoke", data={"token": token, "client_id": client})).status_code

    assert await revoke(stranger, tokens["refresh_token"]) == 200  # as RFC 7009 has it …
    assert await status(web, tokens["access_token"]) == 200  # … and nothing is ended by it
    assert await revoke(client, tokens["access_token"]) == 200
    assert await status(web, tokens["access_token"]) == 401
    newer = (await refresh(web, client, tokens["refresh_token"])).json()
    assert await status(web, newer["access_token"]) == 200
    assert await revoke(client, newer["refresh_token"]) == 200
    assert await status(web, newer["access_token"]) == 401


async def test_more_takes_the_place_of_what_a_client_had(web: httpx2.AsyncClient) -> None:
    client = (await registered(web))["client_id"]
    less = (await exchange(web, client, await code_of(web, client))).json()
    code = await code_of(web, client, scope="mcp:read mcp:write")
    more = (await exchange(web, client, code)).json()
    assert more["scope"] == "mcp:read mcp:write"
    assert await status(web, less["access_token"]) == 401
    assert await status(web, more["access_token"]) == 200


@pytest.mark.parametrize(
    ("redirect", "expected"), [(BACK, 403), ("https://chatgpt.com/connector/oauth/abc", 200)]
)
async def test_a_call_that_needs_more_says_so(
    web: httpx2.AsyncClient, redirect: str, expected: int
) -> None:
    client = (await registered(web, redirect_uris=[redirect]))["client_id"]
    code = await code_of(web, client, redirect_uri=redirect)
    tokens = (await exchange(web, client, code, redirect_uri=redirect)).json()
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "save_note"}}
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    try:
        answer = await web.post("/mcp", headers=headers, json=call)
    except RuntimeError:
        assert expected == 200  # passed on, to be answered in the call's result
        return
    assert answer.status_code == expected
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="mcp:read mcp:write"' in challenge


async def test_a_page_shows_what_a_client_says_as_text(
    web: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def waits(self: Tame, patience: float) -> None:
        return None

    monkeypatch.setattr(Tame, "admitted", waits)
    client = (await registered(web, client_name="<script>alert(1)</script>"))["client_id"]
    page = await web.get((await authorize(web, client)).headers["location"])
    assert "<script>" not in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_a_client_may_be_a_document_but_not_within_the_network(
    provider: Provider, web: httpx2.AsyncClient
) -> None:
    name = "https://agent.example.com/client.json"
    documents: dict[str, bytes] = {}

    async def fetch(url: str) -> bytes:
        try:
            return documents[url]
        except KeyError:
            raise OSError from None

    provider.clients.fetch = fetch
    whole = {"client_id": name, "redirect_uris": [BACK], "client_name": "Agent"}
    documents[name] = json.dumps(whole).encode()
    tokens = (await exchange(web, name, await code_of(web, name))).json()
    assert await status(web, tokens["access_token"]) == 200
    for damage in (
        {"client_id": "https://agent.example.com/other.json"},
        {"redirect_uris": ["http://agent.example.com/callback"]},
        {"redirect_uris": []},
        {"client_secret": "s", "token_endpoint_auth_method": "client_secret_post"},
    ):
        documents[name] = json.dumps(whole | damage).encode()
        assert (await authorize(web, name)).status_code == 400, damage
    documents[name] = b"not JSON"
    assert (await authorize(web, name)).status_code == 400


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost:9/client.json",
        "https://127.0.0.1:9/client.json",
        "https://[::1]:9/client.json",
        "https://169.254.169.254/latest/meta-data",
    ],
)
async def test_a_stranger_does_not_have_us_ask_within_the_network(url: str) -> None:
    fetch = fetcher(ssl.create_default_context(), frozenset())
    with pytest.raises(OSError, match=r"public|ConnectorDNS|named"):
        await fetch(url)
