"""Real gRPC, client and server, through the proxy: it speaks HTTP/2 and nothing else."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from supervisor.errors import Denied
from tests.support.agents import NODE, Package, install
from tests.support.proxy_fakes import SURROGATE, Rig, proxy_rig

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")

GRPC = Package("grpc-js", "@grpc/grpc-js", "1.14.0")
SCRIPT = Path(__file__).parents[2] / "support/grpc_ends.cjs"


@pytest.fixture
def event_loop_policy() -> Any:
    return uvloop.EventLoopPolicy()


@dataclass
class Service:
    rig: Rig
    port: int

    async def client(self, what: str) -> Process:
        roots, port = str(self.rig.bundle), str(self.port)
        # The agent's own variables: it is led here as any other client is.
        return await _node("client", roots, port, what, SURROGATE, https_proxy=self.rig.url)


async def _node(*words: str, **environ: str) -> Process:
    modules = await asyncio.to_thread(install, GRPC)
    node = await asyncio.to_thread(install, NODE)
    return await asyncio.create_subprocess_exec(
        str(node / "node_modules/node/bin/node"),
        str(SCRIPT),
        *words,
        env={"NODE_PATH": str(modules / "node_modules"), **environ},
        stdout=PIPE,
        stderr=PIPE,
    )


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    issued.private_key_pem.write_to_path(key)
    certificate.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    server = await _node("server", str(key), str(certificate))
    assert server.stdout is not None
    port = int(await asyncio.wait_for(server.stdout.readline(), 30))
    async with proxy_rig(tmp_path, roots=[authority.cert_pem.bytes()]) as rig:
        rig.authorize.hosts |= {f"localhost:{port}"}
        yield Service(rig, port)
    server.kill()
    await server.wait()


async def test_calls_are_judged_and_streams_are_cut(service: Service) -> None:
    rig = service.rig
    client = await service.client("say")
    out, err = await asyncio.wait_for(client.communicate(), 30)
    assert out == b"hello with\n", err
    [(_, effect, surrogates)] = rig.authorize.uses
    assert effect.label == f"POST localhost:{service.port}/test.Service/Say"
    assert SURROGATE in surrogates

    watching = await service.client("watch")
    assert watching.stdout is not None
    assert await asyncio.wait_for(watching.stdout.readline(), 30) == b"first\n"
    rig.authorize.revoked = True
    assert rig.channel.cut("l-2") == 2
    rest = (await asyncio.wait_for(watching.stdout.read(), 30)).decode()
    assert "failed 1 " in rest  # CANCELLED

    rig.authorize.revoked = False
    rig.authorize.problem = Denied("Not that.")
    client = await service.client("say")
    out, err = await asyncio.wait_for(client.communicate(), 30)
    assert b"failed 7 " in out, err  # PERMISSION_DENIED, which is what 403 stands for
