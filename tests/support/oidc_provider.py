"""A real OpenID provider, `oidc-provider` from npm on its Node, and a person with a browser."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import aiohttp
import pytest
import trustme
from yarl import URL

from tests.support.agents import NODE, Package, install

OIDC_PROVIDER = Package("oidc-provider", "oidc-provider", "9.13.3")
_PAGES = 12  # a sign-in has fewer


@dataclass
class OidcProvider:
    """The running provider; the API that takes its tokens is at `api`."""

    issuer: str
    authority: trustme.CA
    log: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.issuer.removeprefix("https://")

    @property
    def api(self) -> str:
        return f"{self.issuer}/api"

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.cert_pem.bytes().decode())

    def let_act(self, jwks: dict[str, Any]) -> None:
        """From now on agents of a supervisor with these keys may act for people."""
        self._backstage("keys", jwks)

    def seen(self) -> list[dict[str, Any]]:
        """What the API was asked: request, status, bearer, and who the token says it was."""
        return list(self._backstage("seen", None))

    def issued(self) -> list[str]:
        """Every token that it gave to anybody."""
        return list(self._backstage("issued", None))

    def live(self, person: str) -> list[str]:
        """Kinds of those that it still takes, of one person."""
        return list(self._backstage(f"live/{person}", None))

    def jwks(self) -> dict[str, Any]:
        """Its public keys."""
        with urlopen(f"{self.issuer}/jwks", timeout=10, context=self.trust) as response:
            found: dict[str, Any] = json.load(response)
        return found

    def api_status(self, token: str, path: str = "/again") -> int:
        request = Request(self.api + path, headers={"authorization": f"Bearer {token}"})
        return self._status(request)

    def _status(self, request: Request) -> int:
        try:
            with urlopen(request, timeout=10, context=self.trust) as response:
                return int(response.status)
        except HTTPError as error:
            return error.code

    def _backstage(self, what: str, content: Any) -> Any:
        data = None if content is None else json.dumps(content).encode()
        request = Request(f"{self.issuer}/test/{what}", data=data)
        with urlopen(request, timeout=10, context=self.trust) as response:
            return json.load(response)

    async def browse(self, url: str, login: str = "ana", *, abort: bool = False) -> str:
        """What a person does in a browser: log in, consent, and follow where they are sent.

        Returns:
            The last page's text.
        """
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self.trust),
            cookie_jar=aiohttp.CookieJar(unsafe=True),
        ) as browser:
            page, at = await _open(browser, "GET", url)
            for _ in range(_PAGES):
                form = _Form(page)
                if abort and form.cancel:
                    page, at = await _open(browser, "GET", urljoin(str(at), form.cancel))
                    continue
                if not form.action:
                    return page
                fields = dict(form.fields)
                if "login" in fields:
                    fields |= {"login": login, "password": "anything"}
                page, at = await _open(browser, "POST", urljoin(str(at), form.action), fields)
            raise AssertionError(f"the sign-in does not end: {page}")


async def _open(
    browser: aiohttp.ClientSession, method: str, url: str, form: dict[str, str] | None = None
) -> tuple[str, URL]:
    async with browser.request(method, url, data=form) as response:
        return await response.text(), response.url


class _Form(HTMLParser):
    """The first form of a page, and its link that cancels."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: list[tuple[str, str]] = []
        self.cancel = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.action:
            self.action = given.get("action", "")
        elif tag == "input" and given.get("name"):
            self.fields.append((given["name"], given.get("value", "")))
        elif tag == "a" and given.get("href", "").endswith("/abort"):
            self.cancel = given["href"]


@pytest.fixture(scope="session")
def oidc_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    """One provider for all tests of a run."""
    modules = install(OIDC_PROVIDER) / "node_modules"
    node = install(NODE) / "node_modules/node/bin/node"
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    given = {
        "package": (modules / "oidc-provider/lib/index.js").as_uri(),
        "jose": (modules / "jose/dist/webapi/index.js").as_uri(),
        "key": certificate.private_key_pem.bytes().decode(),
        "cert": b"".join(p.bytes() for p in certificate.cert_chain_pems).decode(),
    }
    process = subprocess.Popen(
        [str(node), str(Path(__file__).with_suffix(".mjs"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    log: list[str] = []
    reading = threading.Thread(target=lambda e=process.stderr: log.extend(e), daemon=True)
    reading.start()
    process.stdin.write(json.dumps(given) + "\n")
    process.stdin.flush()
    ready = process.stdout.readline()
    if not ready:
        process.wait()
        reading.join()
        pytest.fail(f"oidc-provider did not start: {''.join(log)}", pytrace=False)
    yield OidcProvider(f"https://localhost:{json.loads(ready)['port']}", authority, log)
    process.kill()
    process.wait()
    reading.join()
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()
