"""Requests to a provider's endpoints: TLS only, bounded in time and size, never redirected.

A redirect would carry a refresh token or a client's secret to a host that nobody chose.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from supervisor.errors import IssuerFailed

PATIENCE = 10.0  # seconds for a whole exchange
# Shorter than servers keep one: a refresh that goes into a closing connection may be lost.
_KEPT = 4.0  # seconds
_LARGEST = 1 << 20  # bytes of an answer


@dataclass(frozen=True, slots=True, repr=False)  # a repr would hold tokens
class Answer:
    """What a provider answered; `body` is empty where it was no JSON object.

    `date`: by its own clock, POSIX seconds; 0 where it does not say.
    """

    host: str
    status: int
    body: Mapping[str, Any] = field(default_factory=dict)
    date: float = 0.0

    def text(self, name: str) -> str:
        """The member as text, "" where it is missing or something else."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""


class Http:
    """Connections to providers, kept for a while. Used from one event loop at a time.

    Args:
        tls: makes the context that verifies them; called when it is first needed.
        patience: seconds.
        via: the network's proxy for a URL: its own URL, and the value of Proxy-Authorization.
    """

    def __init__(
        self,
        tls: Callable[[], ssl.SSLContext],
        patience: float = PATIENCE,
        *,
        via: Callable[[str], tuple[str, str] | None] = lambda url: None,
    ) -> None:
        self._tls = tls
        self._patience = patience
        self._via = via
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def get(self, url: str, *, bearer: str = "") -> Answer:
        """GET `url`, with a token where one is given. Raises IssuerFailed: no usable answer."""
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        return await self._request("GET", url, headers, None)

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POST a form (RFC 6749 appendix B). Raises IssuerFailed: no usable answer."""
        return await self._request("POST", url, dict(headers or {}), aiohttp.FormData(dict(form)))

    async def post_json(self, url: str, content: Mapping[str, Any], *, bearer: str = "") -> Answer:
        """POST JSON (RFC 7591), with a token where one is given. Raises IssuerFailed: as `get`."""
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        body = json.dumps(content).encode()
        headers["content-type"] = "application/json"
        return await self._request("POST", url, headers, body)

    async def post_signed(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """POST exactly these bytes; the answer's status. Raises IssuerFailed: there is none."""
        return (await self._request("POST", url, dict(headers), body)).status

    async def delete(self, url: str, *, bearer: str) -> Answer:
        """DELETE `url`, with a token. Raises IssuerFailed: no usable answer."""
        return await self._request("DELETE", url, {"authorization": f"Bearer {bearer}"}, None)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _request(
        self, method: str, url: str, headers: dict[str, str], data: aiohttp.FormData | bytes | None
    ) -> Answer:
        host = urlsplit(url).netloc
        proxy, login = self._via(url) or (None, "")
        try:
            async with (
                asyncio.timeout(self._patience),
                self._connected().request(
                    method,
                    url,
                    headers={"accept": "application/json", **headers},
                    data=data,
                    allow_redirects=False,
                    proxy=proxy,
                    proxy_headers={"Proxy-Authorization": login} if login else None,
                ) as response,
            ):
                raw = await _bounded(response, host)
        except TimeoutError:
            raise IssuerFailed(
                f"{host} did not answer within {self._patience:g} s.", hint="Try again later."
            ) from None
        except aiohttp.ClientConnectorCertificateError:
            raise IssuerFailed(
                f"The certificate of {host} is not by an authority that this machine trusts.",
                hint="If it is your company's: network.extra_roots in config.toml.",
                unclear=False,
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Only its kind: the text of some repeats what was sent.
            raise IssuerFailed(
                f"{host} cannot be asked ({type(error).__name__}).",
                hint="Is it the right address, and is the network there?",
                unclear=not isinstance(error, aiohttp.ClientConnectorError),
            ) from None
        if 300 <= response.status < 400:
            raise IssuerFailed(
                f"{host} sends us elsewhere ({response.status}); what we ask must not follow.",
                hint="Give the issuer's own address.",
            )
        return Answer(host, response.status, _object(raw), _date(response.headers.get("date", "")))

    def _connected(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._loop = loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls(), keepalive_timeout=_KEPT),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session


async def _bounded(response: aiohttp.ClientResponse, host: str) -> bytes:
    pieces = bytearray()
    async for piece in response.content.iter_any():
        pieces += piece
        if len(pieces) > _LARGEST:
            raise IssuerFailed(f"{host} answers with more than {_LARGEST >> 20} MB.")
    return bytes(pieces)


def _date(text: str) -> float:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return 0.0


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
