"""The browser comes back: one listener on 127.0.0.1 for one answer (RFC 8252 section 7.3)."""

from __future__ import annotations

import asyncio
import hmac
import html
from types import TracebackType
from typing import Self

from aiohttp import web

from supervisor.errors import IssuerFailed, TimedOut
from supervisor.oauth.provider import Provider
from supervisor.oauth.refusal import Refused, code_of

_PATH = "/callback"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>taskpass</title>
<body style="font: 18px sans-serif; margin: 4em auto; max-width: 30em"><h1>{title}</h1><p>{text}"""


class Loopback:
    """Takes the authorization response for one `state`; everything else is turned away.

    A wrong answer does not end the waiting: other programs of this machine can send one too.
    """

    def __init__(self, provider: Provider, state: str) -> None:
        self._provider = provider
        self._state = state
        self._code: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._runner = web.ServerRunner(web.Server(self._serve), shutdown_timeout=1.0)
        self._port = 0

    @property
    def redirect_uri(self) -> str:
        return f"http://127.0.0.1:{self._port}{_PATH}"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._code.cancel()
        await self._runner.cleanup()

    async def code(self, patience: float) -> str:
        """The code.

        Raises:
            Refused: the provider, or the person there, said no.
            TimedOut: nobody came within `patience` seconds.
        """
        try:
            return await asyncio.wait_for(asyncio.shield(self._code), patience)
        except TimeoutError:
            raise TimedOut(
                "Nobody came back from the browser in time; nothing was signed in.",
                hint="Try again, or use --device.",
            ) from None

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        try:
            self._take(request)
        except IssuerFailed as error:
            return _page("Not signed in", f"{error.message} You can close this page.", 400)
        if self._code.done() and self._code.exception() is not None:
            return _page("Not signed in", "Go back to the terminal; it says why.", 200)
        return _page("Signed in", "Go back to the terminal. You can close this page.", 200)

    def _take(self, request: web.BaseRequest) -> None:
        """Raises IssuerFailed: this is not the answer that is waited for."""
        query = request.query
        at_us = request.host == f"127.0.0.1:{self._port}" and request.path == _PATH
        once = all(len(query.getall(name)) == 1 for name in set(query))
        known = hmac.compare_digest(query.get("state", "").encode(), self._state.encode())
        if request.method != "GET" or not at_us or not once or not known or self._code.done():
            raise IssuerFailed("This page does not belong to a sign-in that is under way.")
        # RFC 9207: who asked one provider must not take the answer of another.
        named = query.get("iss", "")
        if named != self._provider.issuer and (named or self._provider.names_itself):
            raise IssuerFailed("This answer comes from another provider than the one asked.")
        if "error" in query:
            no = Refused(self._provider.host, "the sign-in", code_of(query["error"]))
            self._code.set_exception(no)
        elif query.get("code"):
            self._code.set_result(query["code"])
        else:
            raise IssuerFailed("This answer carries no code.")


def _page(title: str, text: str, status: int) -> web.Response:
    return web.Response(
        status=status,
        text=_PAGE.format(title=html.escape(title), text=html.escape(text)),
        content_type="text/html",
        headers={
            "cache-control": "no-store",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
            "referrer-policy": "no-referrer",
        },
    )
