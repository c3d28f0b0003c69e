"""An HTTP server that issuers talk to, whose next answers go wrong as the test chooses.

What it answers otherwise is a handler's: a fake in the test, or `forward` to a real server.

    async with FaultyUpstream(fake.answer) as upstream:
        issuer = SomeIssuer(upstream.url)
        upstream.fail(Fault.CUT, when=lambda asked: asked.method == "POST")
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import StrEnum
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web


class Fault(StrEnum):
    """What goes wrong with a request."""

    HANG = "hang"  # it is taken, and nothing comes back; not carried out
    LATE = "late"  # carried out at once, answered when `release` is called
    SERVER_ERROR = "500"  # not carried out
    GARBAGE = "garbage"  # carried out, and the answer is one of GARBAGE
    CUT = "dies after mint"  # carried out, and the connection ends before the answer
    AHEAD = "clock +5 min"  # the other end's clock, in Date and in what the handler answers
    BEHIND = "clock -5 min"


GARBAGE: Sequence[bytes] = (
    b"",
    b"\x00\xff\xfe{",
    b"[]",
    b"null",
    b"{}",
    b'{"token": null, "access_token": 7, "expires_at": [], "expires_in": "soon"}',
    b'{"token": "a\\r\\nb", "access_token": "a\\r\\nb", "token_type": "Bearer",'
    b' "expires_at": "2999-13-45T99:99:99Z", "expires_in": -1}',
    b"<html><h1>It works!</h1></html>",
    b'{"token": "' + b"a" * 200_000 + b'"}',
    b"[" * 5_000,
)
SKEW = 300.0  # seconds


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came."""

    method: str
    target: str  # path and query
    headers: Mapping[str, str]  # names in lower case
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    def json(self) -> Any:
        return json.loads(self.body or b"null")

    def form(self) -> dict[str, str]:
        """A form's fields; of one that is there twice, the last."""
        return {name: values[-1] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, content: Any, status: int = 200, **headers: str) -> Answer:
        """`content` as JSON."""
        return cls(
            status,
            json.dumps(content).encode(),
            {"content-type": "application/json; charset=utf-8", **headers},
        )


Handler = Callable[[Asked], Awaitable[Answer]]
_Which = Callable[[Asked], bool]


@dataclass(slots=True)
class _Planned:
    fault: Fault
    times: int  # -1: always
    when: _Which
    body: bytes


class FaultyUpstream:
    """See the module. Serves in the test's own loop, on 127.0.0.1.

    Args:
        handle: carries a request out. Its times are to come from `clock`.
        tls: None for plain HTTP.
        host: the name in `url`.
    """

    def __init__(
        self, handle: Handler, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.asked: list[Asked] = []
        self.carried_out: list[Asked] = []
        self.port = 0
        self._handle = handle
        self._tls, self._host = tls, host
        self._planned: list[_Planned] = []
        self._skew = 0.0
        self._released = asyncio.Event()
        self._closed = asyncio.Event()
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://{self._host}:{self.port}"

    def clock(self) -> float:
        """POSIX seconds by the other end's clock."""
        return time.time() + self._skew

    def fail(
        self,
        fault: Fault,
        *,
        times: int = 1,
        when: _Which = lambda asked: True,
        body: bytes = GARBAGE[1],
    ) -> None:
        """The next `times` requests (-1: all) that `when` picks go wrong. `body`: of GARBAGE."""
        self._planned.append(_Planned(fault, times, when, body))

    def heal(self) -> None:
        """Nothing goes wrong any more; what hangs, hangs on."""
        self._planned.clear()

    def release(self) -> None:
        """Answer what was late."""
        self._released.set()

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._serve), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()
        assert self._runner is not None
        await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = Asked(
            request.method,
            request.raw_path,
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
        )
        self.asked.append(asked)
        planned = self._next(asked)
        match planned.fault if planned else None:
            case Fault.HANG:
                await self._closed.wait()
                return _cut(request)
            case Fault.SERVER_ERROR:
                return web.Response(status=500, text="Internal Server Error")
            case Fault.AHEAD:
                return await self._skewed(asked, SKEW)
            case Fault.BEHIND:
                return await self._skewed(asked, -SKEW)
        answer = await self._carry_out(asked)
        match planned.fault if planned else None:
            case Fault.CUT:
                return _cut(request)
            case Fault.GARBAGE:
                assert planned is not None
                return web.Response(body=planned.body, content_type="application/json")
            case Fault.LATE:
                waiting = [asyncio.ensure_future(e.wait()) for e in (self._released, self._closed)]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for one in waiting:
                    one.cancel()
        return answer

    def _next(self, asked: Asked) -> _Planned | None:
        for planned in self._planned:
            if planned.times and planned.when(asked):
                planned.times -= 1 if planned.times > 0 else 0
                return planned
        return None

    async def _skewed(self, asked: Asked, skew: float) -> web.Response:
        self._skew = skew
        try:
            return await self._carry_out(asked)
        finally:
            self._skew = 0.0

    async def _carry_out(self, asked: Asked) -> web.Response:
        self.carried_out.append(asked)
        answer = await self._handle(asked)
        headers = {**answer.headers, "date": formatdate(self.clock(), usegmt=True)}
        return web.Response(status=answer.status, body=answer.body, headers=headers)


def _cut(request: web.BaseRequest) -> web.Response:
    """No answer: the connection is reset."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def forward(base_url: str, *, trust: ssl.SSLContext | bool = True) -> Handler:
    """Carry requests out at a real server; of its times only `Date` can be off."""

    async def handle(asked: Asked) -> Answer:
        headers = {
            name: value
            for name, value in asked.headers.items()
            if name not in ("connection", "content-length", "accept-encoding")
        }
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                asked.method,
                base_url + asked.target,
                headers=headers,
                data=asked.body or None,
                allow_redirects=False,
                ssl=trust,
            ) as response,
        ):
            kept = {
                name.lower(): value
                for name, value in response.headers.items()
                if name.lower() not in ("date", "connection", "content-length", "content-encoding")
                and name.lower() != "transfer-encoding"
            }
            return Answer(response.status, await response.read(), kept)

    return handle
