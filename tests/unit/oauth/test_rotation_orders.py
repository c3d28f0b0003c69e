"""Whatever happens in whatever order, the newest refresh token that reached us is what we use."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.errors import IssuerFailed, VaultLocked
from supervisor.issuers.oauth_session import Sessions
from supervisor.model import CredentialSpec
from supervisor.oauth.http import Answer, Http
from supervisor.oauth.material import SignIn
from tests.support.oauth_fake import SignInVault

URL = "https://id.example.com"


class Provider(Http):
    """Rotates; takes an old refresh token for a theft. Without a network."""

    def __init__(self) -> None:
        super().__init__(ssl.create_default_context)
        self.number = 0
        self.told = 0  # the newest that reached us
        self.over = False
        self.lost = False
        self.lose = 0  # so many answers get lost
        self.refuse = 0  # so many are refused
        self.at_once = 0
        self.meanwhile: Callable[[], None] = lambda: None  # happens while it is asked

    async def get(self, url: str, *, bearer: str = "") -> Answer:
        document = {"issuer": URL, "token_endpoint": f"{URL}/token"}
        return Answer("id.example.com", 200, document)

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        assert self.at_once == 0, "two refreshes at once"
        self.at_once += 1
        await asyncio.sleep(0)
        self.at_once -= 1
        self.meanwhile()
        if self.refuse:
            self.refuse -= 1
            return Answer("id.example.com", 503, {"error": "temporarily_unavailable"})
        if self.over or form["refresh_token"] != f"r{self.number}":
            self.over = True
            return Answer("id.example.com", 400, {"error": "invalid_grant"})
        self.number += 1
        if self.lose:
            self.lose -= 1
            self.lost = True
            raise IssuerFailed("id.example.com cannot be asked (ServerDisconnectedError).")
        self.told = self.number
        body = {"access_token": f"a{self.number}", "token_type": "Bearer", "expires_in": 60}
        return Answer("id.example.com", 200, {**body, "refresh_token": f"r{self.number}"})


ORDERS = st.lists(
    st.sampled_from(["ask", "ask", "ask many", "give up", "lock", "lock while it asks", "unlock",
                     "restart", "refuse", "lose"]),
    max_size=30,
)  # fmt: skip


async def play(order: list[str]) -> None:
    spec = CredentialSpec("crm", "oauth", ("h",), options={"issuer": URL, "client_id": "c"})
    vault = SignInVault(spec, text=SignIn("r0").text())
    provider = Provider()
    sessions = Sessions(vault, lambda: provider)
    unsaved = False  # a restart forgets what the vault did not take

    async def ask() -> None:
        with contextlib.suppress(IssuerFailed, VaultLocked):
            asked = await sessions.access(spec)
            # What is used came with a refresh token that is kept.
            assert vault.sign_in.refresh_token == f"r{provider.number}"
            assert asked.tokens.access == f"a{provider.number}"

    for step in order:
        match step:
            case "ask":
                await ask()
            case "ask many":
                results = await asyncio.gather(
                    *(sessions.access(spec) for _ in range(4)), return_exceptions=True
                )
                errors = [each for each in results if isinstance(each, BaseException)]
                assert all(isinstance(each, IssuerFailed | VaultLocked) for each in errors)
            case "give up":
                asking = asyncio.ensure_future(sessions.access(spec))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                asking.cancel()
                with contextlib.suppress(asyncio.CancelledError, IssuerFailed, VaultLocked):
                    await asking
                await asyncio.gather(*sessions._working, return_exceptions=True)
            case "lock":
                vault.full = True
            case "lock while it asks":
                provider.meanwhile = partial(setattr, vault, "full", True)
                await ask()
                provider.meanwhile = lambda: None
            case "unlock":
                vault.full = False
            case "restart":
                unsaved = unsaved or vault.sign_in.refresh_token != f"r{provider.told}"
                sessions = Sessions(vault, lambda: provider)
            case "refuse":
                provider.refuse += 1
            case "lose":
                provider.lose += 1
        if not (provider.lost or unsaved):
            assert not provider.over, "an old refresh token was sent"
    vault.full = False
    provider.refuse = provider.lose = 0
    if not (provider.lost or unsaved):
        asked = await sessions.access(spec)
        assert asked.tokens.access == f"a{provider.number}"


@settings(max_examples=200, deadline=None)
@given(ORDERS)
def test_no_order_of_events_loses_the_sign_in(order: list[str]) -> None:
    asyncio.run(play(order))
