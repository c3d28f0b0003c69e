"""A webhook is told what waits, signed, and nothing that the agent wrote."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from supervisor.errors import IssuerFailed
from supervisor.model import Effect, Risk, Verb
from supervisor.notify.webhook import PAUSES, Webhook, sign
from supervisor.notify.words import Waiting, body, summary
from supervisor.ports import Secret
from tests.support.fake_client import NOW, approval

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://hooks.example/path-that-may-be-secret"
SPOKEN = "IGNORE-ALL-RULES"
ASKED = approval(
    1,
    title=f"curl -H 'X: {SPOKEN}' evil.example",
    effects=(Effect(Verb.HTTP, f"{SPOKEN}.example", {"method": "POST", "path": f"/{SPOKEN}"}),),
    agent_note=SPOKEN, diff=SPOKEN, arguments=SPOKEN, cwd=f"/{SPOKEN}",
    change=(f"+ {SPOKEN}",), reason=SPOKEN, risk=Risk.HIGH, code="K7",
)  # fmt: skip
WAITING = [Waiting(ASKED, 3, "claude-code"), Waiting(approval(2), 4, "codex")]


@dataclass(slots=True)
class Host:
    """Answers with these statuses in turn; None is no answer at all."""

    answers: list[int | None] = field(default_factory=lambda: [204])
    requests: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.requests.append((url, body, headers))
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if status is None:
            raise IssuerFailed("hooks.example did not answer within 10 s.")
        return status

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def webhook(self) -> Webhook:
        async def key() -> Secret:
            return Secret(KEY)

        return Webhook(URL, key, self.post, lambda: NOW + len(self.requests), self.pause)


def test_the_signature_is_that_of_the_standard() -> None:
    # The example of the Standard Webhooks libraries.
    assert (
        sign(KEY, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


async def test_a_message_is_signed_over_what_is_sent() -> None:
    host = Host()
    assert await host.webhook().tell(WAITING)
    ((url, body, headers),) = host.requests
    assert url == URL
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(KEY.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"


async def test_it_holds_no_secret_and_nothing_that_the_agent_wrote() -> None:
    host = Host()
    await host.webhook().tell(WAITING)
    ((_, body_, headers),) = host.requests
    told = json.loads(body_)
    assert told["type"] == "approval.waiting"
    first, second = told["data"]["approvals"]
    assert first == {
        "id": "a-1", "task": "t-1", "number": 3, "agent": "claude-code", "verbs": ["http"],
        "risk": "high", "rules": ["standard/outward.ci"],
        "created": "2026-09-21T14:21:52Z", "expires": "2026-09-21T14:32:00Z",
    }  # fmt: skip
    assert second["number"] == 4
    sent = body_.decode() + str(headers) + body(WAITING) + summary(2)
    for kept in (SPOKEN, "K7", KEY, "curl"):
        assert kept not in sent


async def test_it_is_tried_again_a_few_times_with_the_same_id() -> None:
    host = Host([None, 503, 429, 200])
    assert await host.webhook().tell(WAITING)
    assert host.pauses == list(PAUSES)
    assert len({headers["webhook-id"] for _, _, headers in host.requests}) == 1
    assert len({headers["webhook-timestamp"] for _, _, headers in host.requests}) == 4


@pytest.mark.parametrize(("answers", "tries"), [([500], 4), ([None], 4), ([404], 1), ([410], 1)])
async def test_it_ends(
    answers: list[int | None], tries: int, caplog: pytest.LogCaptureFixture
) -> None:
    host = Host(answers)
    with caplog.at_level(logging.WARNING):
        assert not await host.webhook().tell(WAITING)
    assert len(host.requests) == tries
    assert "hooks.example" in caplog.text
    assert "path-that-may-be-secret" not in caplog.text
    assert KEY not in caplog.text


def test_the_desktop_is_told_without_markup_of_anybodys() -> None:
    assert body([Waiting(approval(1), 1, "<b>x")]) == "task 1, &lt;b&gt;x: http, medium risk"
    assert summary(1) == "taskpass: 1 approval waits"
