"""`taskpass credential test`: one GET, and nothing that was made for it stays."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from supervisor.errors import IssuerFailed, UsageError, VaultLocked
from supervisor.model import CredentialSpec, KillMode
from supervisor.protocol.credentials import TestCredential as Asked
from supervisor.routes.probe import Probe
from tests.support.core_fakes import REAL, CountingIssuer, OneCredential, World
from tests.support.live import ApiServer


class Unwilling(CountingIssuer):
    """What it makes it does not end."""

    async def revoke(self, spec: CredentialSpec, revocation: str) -> None:
        raise IssuerFailed("It did not confirm.")


@pytest.fixture(scope="module")
def api() -> Iterator[ApiServer]:
    server = ApiServer(token=REAL)
    server.start()
    yield server
    server.stop()


def world(api: ApiServer, issuer: CountingIssuer, **spec: Any) -> tuple[World, Probe]:
    made = World(
        vault=OneCredential(CredentialSpec("api", "stored", (api.host, "b.test"), **spec)),
        issuer=issuer,
    )
    context = ssl.create_default_context()
    api.certificate_authority.configure_trust(context)
    return made, Probe(made.engine, lambda: context)


def minting(kind: type[CountingIssuer] = CountingIssuer) -> CountingIssuer:
    return kind(kill_mode=KillMode.UPSTREAM, revocation="r-1")


async def test_it_says_what_came(api: ApiServer) -> None:
    made, probe = world(api, CountingIssuer())
    tested = await probe.test(made.vault.spec, Asked(path="/me"))
    assert (tested.host, tested.path, tested.status) == (api.host, "/me", 200)
    assert (tested.revoked, tested.unconfirmed) == (False, False)
    assert api.seen[-1][1] == f"Bearer {REAL}"
    assert made.vault.forgotten == [made.issuer.minted[0].task.id]
    made, probe = world(api, CountingIssuer(), scheme="Token")
    assert (await probe.test(made.vault.spec, Asked(path="/me"))).status == 401


async def test_what_was_minted_for_it_is_ended(api: ApiServer) -> None:
    made, probe = world(api, minting())
    tested = await probe.test(made.vault.spec, Asked())
    assert tested.revoked
    assert made.issuer.revoked == ["r-1"]
    assert made.engine.revoking.views() == ()


async def test_what_is_not_confirmed_dead_is_shown(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, probe = world(api, minting(Unwilling))
    tested = await probe.test(made.vault.spec, Asked())
    assert (tested.revoked, tested.unconfirmed) == (False, True)
    assert len(made.engine.revoking.views()) == 1
    assert len(made.owed.kept) == 1
    await made.engine.revoking.close()


async def test_what_was_minted_is_ended_where_the_host_gives_no_answer(api: ApiServer) -> None:
    made, _ = world(api, minting())
    strict = Probe(made.engine, ssl.create_default_context)  # which trusts nobody here
    with pytest.raises(IssuerFailed, match="gave no answer") as failure:
        await strict.test(made.vault.spec, Asked())
    assert REAL not in str(failure.value)
    assert made.issuer.revoked == ["r-1"]


async def test_it_goes_by_the_networks_proxy(api: ApiServer) -> None:
    made, probe = world(api, CountingIssuer())
    heads: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        by_proxy = Probe(made.engine, probe.tls, lambda _: (url, "Basic YTpi"))
        with pytest.raises(IssuerFailed, match="gave no answer"):
            await by_proxy.test(made.vault.spec, Asked())
    (head,) = heads
    assert head.startswith(f"CONNECT {api.host} ".encode())
    assert b"proxy-authorization: basic ytpi" in head.lower()
    assert REAL.encode() not in head


async def test_where_nothing_can_be_made_nothing_is_sent(api: ApiServer) -> None:
    made, probe = world(api, CountingIssuer(error=VaultLocked("The keyring is locked.")))
    before = len(api.seen)
    with pytest.raises(VaultLocked):
        await probe.test(made.vault.spec, Asked())
    for wrong in (Asked(host="evil.test"), Asked(path="me"), Asked(path="/a b"), Asked(path="/\n")):
        with pytest.raises(UsageError):
            await probe.test(made.vault.spec, wrong)
    assert len(api.seen) == before
