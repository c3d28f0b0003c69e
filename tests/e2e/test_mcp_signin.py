"""A sign-in at an MCP server that wants one. The server is a gateway of ours, seen from outside."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
import pytest
import trustme

from tests.e2e.test_mcp_remote import CONNECT, fronted
from tests.e2e.test_mcp_stdio import connected, listed, said
from tests.support.live import Install, Person
from tests.support.mcp_client import RemoteClient
from tests.support.signing_in import SigningIn
from tests.support.tls_front import tls_front


@pytest.mark.full
async def test_each_call_gets_a_token_of_the_sign_in(install: Install) -> None:
    listed(install)
    authority = trustme.CA()
    roots = install.root / "roots.pem"
    authority.cert_pem.write_to_path(str(roots))
    install.configure(f'[network]\nextra_roots = "{roots}"\n')
    tls = ssl.create_default_context(cafile=str(roots))
    async with tls_front(authority) as outside:
        with fronted(install, outside.url) as port, Person(install) as person:
            outside.behind = port
            person.answers(CONNECT, approve=True)
            added = install.cli("mcp", "add", "remote", "--url", f"{outside.url}/mcp")
            assert added.returncode == 0, added.stderr
            signing = SigningIn(install, "mcp", "signin", "remote")
            page = await asyncio.to_thread(signing.line, r"(https://\S+/authorize\S+)")
            browser = RemoteClient(outside.url, callback="http://127.0.0.1:", tls=tls)
            await browser.browse(page)
            async with aiohttp.ClientSession() as session, session.get(browser.answered) as back:
                assert back.status == 200
            code, words = await asyncio.to_thread(signing.end)
            assert code == 0, words
            async with connected(install, name="remote") as client:
                read = await client.call_tool("get_note", {"name": "today"})
                assert said(read) == "water the plants"
    uses = [r for r in install.records("use.intent") if r["credential"] == "mcp-remote"]
    assert uses
    assert {use["issuer"].removesuffix("-expiring") for use in uses} == {"oauth"}
