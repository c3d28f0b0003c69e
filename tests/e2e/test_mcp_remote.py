"""`taskpass mcp gateway`: the official SDK's client over real sockets, and a person at a screen."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from mcp_types import ElicitRequestParams, ElicitRequestURLParams, ElicitResult

from tests.e2e.test_mcp_stdio import listed, said
from tests.support.live import Install, Person, until
from tests.support.mcp_client import RemoteClient

CONNECT = "Let a remote client use notes"


@contextmanager
def fronted(install: Install, url: str = "") -> Iterator[int]:
    """A running front before the server `notes`; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    words = ["--url", url] if url else []
    running = install.popen("mcp", "gateway", "notes", "--listen", f"127.0.0.1:{port}", *words)
    assert running.stdout is not None
    try:
        line = running.stdout.readline()
        assert (url or f"http://127.0.0.1:{port}") in line, line + running.stdout.read()
        yield port
    finally:
        running.terminate()
        print(running.communicate(timeout=60)[0])


@pytest.fixture
def notes(install: Install) -> Path:
    return listed(install)


async def test_a_remote_client_is_let_in_steps_up_and_is_revoked(
    install: Install, notes: Path
) -> None:
    with fronted(install) as port, Person(install) as person:
        front = f"http://127.0.0.1:{port}"
        remote = RemoteClient(f"{front}/mcp")
        person.answers(CONNECT, approve=True)
        async with remote.connected() as client:
            # OAuth, then a call that only looks.
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"get_note", "save_note"} <= names
            assert said(await client.call_tool("get_note", {"name": "today"})) == "water the plants"
            assert remote.tokens is not None
            assert remote.tokens.scope == "mcp:read"
            assert len(remote.asked) == 1

            # A step-up: 403 with insufficient_scope, another consent, then the call is asked about.
            person.answers("mcp__notes__save_note", approve=True)
            saved = await client.call_tool("save_note", {"name": "new", "text": "call Bea"})
            assert said(saved) == "saved new"
            assert len(remote.asked) == 2
            assert remote.tokens.scope == "mcp:read mcp:write"

            # Revoked by the person: the token is worth nothing, at once.
            assert (await asyncio.to_thread(install.cli, "revoke", "--all")).returncode == 0
            token = remote.tokens.access_token
            await until(lambda: install.records("task.revoked"), "the revocation to be recorded")
            assert await status(front, token) == 401
    connected = install.records("mcp.connected")
    assert [record["scopes"] for record in connected] == [["mcp:read"], ["mcp:read", "mcp:write"]]
    assert all(record[part] for record in connected for part in ("user", "agent", "task"))


async def status(front: str, token: str) -> int:
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{front}/mcp", json=message, headers=headers) as answer,
    ):
        return answer.status


@pytest.mark.full
async def test_whom_the_person_turns_away_gets_nothing(install: Install, notes: Path) -> None:
    with fronted(install) as port, Person(install) as person:
        front = f"http://127.0.0.1:{port}"
        remote = RemoteClient(f"{front}/mcp")
        person.answers(CONNECT, approve=False)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - the SDK's group of errors
            async with remote.connected():
                pass
        assert "error=access_denied" in remote.answered
        assert "iss=http" in remote.answered
        assert remote.tokens is None
    assert install.records("mcp.turned_away")
    assert not install.records("call.opened")  # its server was not started


@pytest.mark.full
async def test_a_person_is_sent_for_where_the_client_can(install: Install, notes: Path) -> None:
    install.configure("[approvals]\nhold = 1\n")
    with fronted(install) as port, Person(install) as person:
        person.answers(CONNECT, approve=True)
        remote = RemoteClient(f"http://127.0.0.1:{port}/mcp")
        sent: list[str] = []

        async def asked(context: object, params: ElicitRequestParams) -> ElicitResult:
            assert isinstance(params, ElicitRequestURLParams)
            sent.append(params.url)
            async with aiohttp.ClientSession() as browser, browser.get(params.url) as page:
                assert "Answer it in taskpass" in await page.text()
            person.answers("mcp__notes__save_note", approve=True)
            await until(
                lambda: [r for r in install.records("approval.answered") if r["call_hash"]][1:],
                "the answer",
            )
            return ElicitResult(action="accept")

        async with remote.connected(mode="legacy", elicitation_callback=asked) as client:
            saved = await client.call_tool("save_note", {"name": "new", "text": "x"})
    assert said(saved) == "saved new"
    assert len(sent) == 1
    assert len(install.records("approval.ticket")) == 1
