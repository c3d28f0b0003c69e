"""A person signs in: what the browser brings back, and what the code on another device becomes."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest

from supervisor.errors import IssuerFailed, TimedOut
from supervisor.oauth.client import Client, client_of
from supervisor.oauth.http import Http
from supervisor.oauth.loopback import Loopback
from supervisor.oauth.provider import Provider, discover
from supervisor.oauth.refusal import Refused
from supervisor.oauth.signing_in import (
    DeviceCode,
    SignedIn,
    Wanted,
    challenge,
    with_browser,
    with_device,
)
from tests.support.faulty_upstream import Answer, Asked
from tests.support.oauth_fake import FakeProvider

CLIENT = Client("cli")
TOKENS = {"access_token": "access-1", "token_type": "bearer", "refresh_token": "refresh-1"}


class Scene:
    """A provider whose token endpoint answers from a list, and a client of it."""

    def __init__(self, http: Http, provider: Provider, answers: list[Any], asked: list[Asked]):
        self.http = http
        self.provider = provider
        self.answers = answers
        self.asked = asked


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    fake = FakeProvider(metadata={"authorization_response_iss_parameter_supported": True})
    answers: list[Any] = []
    own = fake.upstream._handle
    asked: list[Asked] = []

    async def answer(request: Asked) -> Answer:
        if request.path == "/device":
            return Answer.of(answers.pop(0))
        if request.path == "/token":
            asked.append(request)
            given = answers.pop(0)
            return Answer.of(given, 400 if "error" in given else 200)
        return await own(request)

    fake.upstream._handle = answer
    async with fake.upstream as upstream:
        http = Http(lambda: fake.trust)
        yield Scene(http, await discover(http, upstream.url), answers, asked)
        await http.close()


async def fetch(url: str, **more: Any) -> tuple[int, str, Any]:
    async with aiohttp.ClientSession() as browser, browser.get(url, **more) as response:
        return response.status, await response.text(), response.headers


async def browse(
    scene: Scene, bend: Callable[[dict[str, str]], dict[str, str]], patience: float = 30.0
) -> SignedIn:
    """Sign in; the browser comes back with what `bend` makes of the right answer."""
    going: list[asyncio.Task[Any]] = []

    def show(url: str) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        right = {"code": "the-code", "state": asked["state"], "iss": scene.provider.issuer}
        back = f"{asked['redirect_uri']}?{urlencode(bend(right))}"
        going.append(asyncio.ensure_future(fetch(back)))

    return await with_browser(scene.http, scene.provider, CLIENT, Wanted(), show, patience=patience)


async def test_the_code_is_redeemed_with_the_secret_half_of_the_challenge(scene: Scene) -> None:
    scene.answers.append(TOKENS)
    shown: list[str] = []
    going: list[asyncio.Task[Any]] = []

    def show(url: str) -> None:
        shown.append(url)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        back = {"code": "the-code", "state": asked["state"], "iss": scene.provider.issuer}
        going.append(asyncio.ensure_future(fetch(f"{asked['redirect_uri']}?{urlencode(back)}")))

    signed = await with_browser(
        scene.http, scene.provider, CLIENT, Wanted("read", "https://api"), show
    )
    assert signed.tokens.refresh == "refresh-1"
    asked = {name: values[0] for name, values in parse_qs(urlsplit(shown[0]).query).items()}
    form = scene.asked[0].form()
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == asked["code_challenge"]
    assert form["redirect_uri"] == asked["redirect_uri"]
    assert (form["code"], form["client_id"]) == ("the-code", "cli")
    assert form["code_verifier"] not in shown[0]
    assert (asked["scope"], asked["resource"]) == ("read", "https://api")


def test_the_challenge_is_the_standards_own_example() -> None:
    # RFC 7636 appendix B
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    "bent",
    [
        {"state": "another"},
        {"state": ""},
        {"iss": "https://evil.example.com"},
        {"iss": ""},  # it said that it names itself
        {"code": ""},
    ],
    ids=str,
)
async def test_an_answer_that_is_not_the_right_one_is_turned_away(
    scene: Scene, bent: dict[str, str]
) -> None:
    with pytest.raises(TimedOut, match="Nobody came back"):
        await browse(scene, lambda right: right | bent, patience=0.15)
    assert scene.asked == []


async def test_no_from_the_provider_ends_the_waiting(scene: Scene) -> None:
    with pytest.raises(Refused, match="access_denied"):
        await browse(
            scene,
            lambda right: {"error": "access_denied", "state": right["state"], "iss": right["iss"]},
        )


async def test_an_error_is_never_shown_as_the_provider_wrote_it(scene: Scene) -> None:
    evil = "\x1b[2J<script>"
    with pytest.raises(Refused) as refused:
        await browse(
            scene,
            lambda right: {
                "error": evil,
                "error_description": evil,
                "state": right["state"],
                "iss": right["iss"],
            },
        )
    assert "\x1b" not in str(refused.value)
    assert "script" not in str(refused.value)


async def test_the_listener_answers_its_one_page_at_its_one_address(scene: Scene) -> None:
    async with Loopback(scene.provider, "the-state") as loopback:
        right = f"?code=c&state=the-state&iss={scene.provider.issuer}"
        origin = loopback.redirect_uri.removesuffix("/callback")
        for wrong in (
            fetch(f"{origin}/other{right}"),
            fetch(f"{origin}/callback{right}&state=the-state"),
            fetch(f"{origin}/callback{right}", headers={"host": "rebound.example.com"}),
        ):
            assert (await wrong)[0] == 400
        assert origin.startswith("http://127.0.0.1:")
        status, page, headers = await fetch(f"{origin}/callback{right}")
        assert (status, await loopback.code(1)) == (200, "c")
        assert "Go back to the terminal" in page
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert (await fetch(f"{origin}/callback{right}"))[0] == 400  # once


DEVICE = {
    "device_code": "the-device-code",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://id.example.com/device",
    "expires_in": 60,
}


async def on_device(
    scene: Scene, *answers: Any, device: dict[str, Any] | None = None
) -> tuple[Awaitable[SignedIn], list[DeviceCode], list[float]]:
    scene.answers += [DEVICE if device is None else device, *answers]
    shown: list[DeviceCode] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    signing = with_device(
        scene.http, scene.provider, CLIENT, Wanted("read"), shown.append, sleep=sleep
    )
    return signing, shown, slept


async def test_it_waits_as_it_is_told_to(scene: Scene) -> None:
    pending, slower = {"error": "authorization_pending"}, {"error": "slow_down"}
    signing, shown, slept = await on_device(
        scene, pending, slower, pending, TOKENS, device={**DEVICE, "interval": 2}
    )
    signed = await signing
    assert signed.tokens.refresh == "refresh-1"
    assert shown == [DeviceCode("ABCD-EFGH", "https://id.example.com/device", "", 60.0)]
    assert slept == [2, 2, 7, 7]
    assert scene.asked[0].form()["device_code"] == "the-device-code"


@pytest.mark.parametrize("interval", [None, 0, -1, "soon", float("nan"), True])
async def test_without_a_usable_interval_it_is_five_seconds(scene: Scene, interval: object) -> None:
    device = DEVICE if interval is None else {**DEVICE, "interval": interval}
    signing, _, slept = await on_device(scene, TOKENS, device=device)
    await signing
    assert slept == [5.0]


async def test_a_code_that_nobody_enters_ends(scene: Scene) -> None:
    signing, _, slept = await on_device(scene, *[{"error": "authorization_pending"}] * 20)
    with pytest.raises(TimedOut, match="not entered in time"):
        await signing
    assert sum(slept) <= 60


@pytest.mark.parametrize(
    ("error", "kind"),
    [("expired_token", TimedOut), ("access_denied", Refused), ("invalid_client", Refused)],
)
async def test_the_end_of_a_code_is_told(scene: Scene, error: str, kind: type[Exception]) -> None:
    signing, _, _ = await on_device(scene, {"error": error})
    with pytest.raises(kind):
        await signing


@pytest.mark.parametrize(
    "bent",
    [
        {"user_code": "\x1b[2J"},
        {"user_code": ""},
        {"verification_uri": "http://id.example.com/device"},
        {"verification_uri": "javascript:1"},
        {"verification_uri_complete": "file:///etc/passwd"},
        {"expires_in": None},
        {"device_code": None},
    ],
    ids=str,
)
async def test_a_code_that_cannot_be_shown_is_not(scene: Scene, bent: dict[str, Any]) -> None:
    signing, shown, _ = await on_device(scene, device=DEVICE | bent)
    with pytest.raises(IssuerFailed, match="cannot be used"):
        await signing
    assert shown == []


def test_a_client_shows_itself_as_the_provider_wants_it() -> None:
    provider = Provider("https://id", "https://id/token", auth_methods=("client_secret_basic",))
    form, headers = client_of(provider, "c:1", "s p+ä").signed({"a": "b"})
    # RFC 6749 section 2.3.1: both are form-encoded first.
    assert base64.b64decode(headers["authorization"][6:]) == b"c%3A1:s+p%2B%C3%A4"
    assert form == {"a": "b"}
    post = replace(provider, auth_methods=("client_secret_post",))
    assert client_of(post, "c", "s").signed({}) == ({"client_id": "c", "client_secret": "s"}, {})
    assert client_of(provider, "c").signed({}) == ({"client_id": "c"}, {})
    with pytest.raises(IssuerFailed, match="private_key_jwt"):
        client_of(replace(provider, auth_methods=("private_key_jwt",)), "c", "s")
