"""A webhook that is told of what waits: signed JSON, tried a few times, answering nothing.

Standard Webhooks (standardwebhooks.com): `webhook-id`, `webhook-timestamp` and
`webhook-signature: v1,<base64 of HMAC-SHA256 over id.timestamp.body>`. A retry carries the same id.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from supervisor.errors import TaskpassError
from supervisor.model import new_id
from supervisor.notify.words import Waiting, message
from supervisor.ports import Secret

log = logging.getLogger("supervisor")

PAUSES = (1.0, 5.0, 25.0)  # seconds before each further try
_PREFIX = "whsec_"
_AGAIN = frozenset({408, 425, 429})  # besides all from 500 on


class Post(Protocol):
    """Sends one request."""

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Awaitable[int]:
        """The status of the answer. Raises TaskpassError: there was none."""


def sign(key: str, id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`. `key`: "whsec_" and base64, or any other text as it is."""
    raw = key.encode()
    if key.startswith(_PREFIX):
        try:
            raw = base64.b64decode(key.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raw = key.encode()
    signed = b".".join((id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(raw, signed, hashlib.sha256)).decode()


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where to tell it, and with what it is signed.

    Attributes:
        key: looks the key up, for each message.
        pause: waits so many seconds.
    """

    url: str
    key: Callable[[], Awaitable[Secret]]
    post: Post
    clock: Callable[[], float] = time.time
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep

    async def tell(self, waiting: Sequence[Waiting]) -> bool:
        """Whether it was taken. What failed is in the log, by its host only."""
        host = urlsplit(self.url).netloc
        body = json.dumps(message(waiting, self.clock()), separators=(",", ":")).encode()
        id = new_id("n")
        problem = ""
        for pause in (0.0, *PAUSES):
            if pause:
                await self.pause(pause)
            try:
                key = (await self.key()).value
                at = int(self.clock())
                headers = {
                    "content-type": "application/json",
                    "webhook-id": id,
                    "webhook-timestamp": str(at),
                    "webhook-signature": sign(key, id, at, body),
                }
                status = await self.post(self.url, body, headers)
            except TaskpassError as error:
                problem = error.message
                continue
            if 200 <= status < 300:
                return True
            problem = f"{host} answered {status}"
            if status < 500 and status not in _AGAIN:
                break
        log.warning("the webhook was not told of an approval: %s", problem)
        return False
