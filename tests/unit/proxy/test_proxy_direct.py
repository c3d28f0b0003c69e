"""Programs that know nothing of proxies: real curl, told an address, is served all the same."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from supervisor.errors import Denied
from supervisor.model import Effect, Process
from supervisor.ports import Attempt, Release
from tests.support.proxy_fakes import HANDLE, SECRET, SURROGATE, Rig, eventually

ADDRESS = "127.0.0.9"  # what the name service of the task gave out for "localhost" of the test


@dataclass
class FakeEgress:
    handle: str = HANDLE
    refusals: list[Attempt] = field(default_factory=list)

    def handle_of(self, task: str, ancestry: Sequence[Process]) -> str:
        return self.handle

    async def own_connection(
        self, task: str, ancestry: Sequence[Process], effect: Effect
    ) -> Release | None:
        return None

    async def refused(self, task: str, attempt: Attempt, times: int = 1) -> None:
        self.refusals.append(attempt)

    async def opens(self, task: str, effect: object, asking: object = None) -> bool:
        raise NotImplementedError


@dataclass
class Direct:
    """Direct listeners at the ports of the rig's servers."""

    rig: Rig
    egress: FakeEgress

    async def curl(self, url: str, *words: str, name: str = "localhost") -> tuple[int, str, str]:
        port = url.rpartition(":")[2].partition("/")[0]
        process = await asyncio.create_subprocess_exec(
            *("curl", "-sS", "--noproxy", "*", "--max-time", "20"),
            *("--cacert", str(self.rig.bundle), "--resolve", f"{name}:{port}:{ADDRESS}"),
            *words,
            url,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
async def direct(rig: Rig) -> Direct:
    egress = FakeEgress()
    for port, tls in ((rig.upstream.port, True), (rig.plain.port, False)):
        rig.channel.serve_direct(
            socket.create_server((ADDRESS, port)),
            tls=tls,
            host_of={ADDRESS: "localhost"}.__getitem__,
            egress=egress,
        )
    return Direct(rig, egress)


async def test_a_request_over_tls_is_given_its_credential(direct: Direct) -> None:
    rig = direct.rig
    code, _, err = await direct.curl(
        f"https://localhost:{rig.upstream.port}/x", "-H", f"Authorization: Bearer {SURROGATE}"
    )
    assert code == 0, err
    assert rig.upstream.seen[0].get("authorization") == [f"Bearer {SECRET}"]
    [(handle, effect, surrogates)] = rig.authorize.uses
    assert handle == HANDLE
    assert effect.label == f"GET localhost:{rig.upstream.port}/x"
    assert SURROGATE in surrogates


async def test_several_requests_on_one_connection_are_judged_one_by_one(direct: Direct) -> None:
    url = f"https://localhost:{direct.rig.upstream.port}"
    code, _, err = await direct.curl(f"{url}/one", f"{url}/two")
    assert code == 0, err
    assert [effect.attributes["path"] for _, effect, _ in direct.rig.authorize.uses] == [
        "/two",
        "/one",
    ]


async def test_plain_http_is_carried_and_a_denial_says_why(direct: Direct) -> None:
    url = f"http://localhost:{direct.rig.plain.port}/x"
    assert (await direct.curl(url))[0] == 0
    direct.rig.authorize.problem = Denied("Not there.", hint="Go elsewhere.")
    code, out, _ = await direct.curl(url, "-w", "%{http_code}")
    assert code == 0
    assert out.endswith("403")
    told = json.loads(out[:-3])
    assert (told["message"], told["hint"]) == ("Not there.", "Go elsewhere.")
    assert len(direct.rig.plain.seen) == 1


async def test_another_host_than_was_dialled_is_not_served(direct: Direct) -> None:
    rig = direct.rig
    code, _, _ = await direct.curl(
        f"https://evil.example:{rig.upstream.port}/", name="evil.example"
    )
    assert code == 35  # curl: no TLS handshake
    await eventually(lambda: len(direct.egress.refusals) == 1, "the refusal on record")
    assert direct.egress.refusals == [Attempt("tcp", ADDRESS, rig.upstream.port, "localhost")]
    code, out, _ = await direct.curl(f"http://evil.example:{rig.plain.port}/", name="evil.example")
    assert json.loads(out)["error"] == "misdirected"
    assert rig.authorize.uses == []


async def test_what_speaks_no_tls_is_refused_and_recorded(direct: Direct) -> None:
    code, _, _ = await direct.curl(f"http://localhost:{direct.rig.upstream.port}/")
    assert code != 0
    await eventually(lambda: len(direct.egress.refusals) == 1, "the refusal on record")


async def test_a_process_of_no_call_gets_nothing(direct: Direct) -> None:
    direct.egress.handle = ""
    code, out, _ = await direct.curl(f"https://localhost:{direct.rig.upstream.port}/")
    assert code == 0
    assert json.loads(out)["error"] == "denied"
    assert direct.rig.upstream.seen == []


async def test_closing_takes_the_listeners_with_it(direct: Direct) -> None:
    await direct.rig.channel.close()
    code, _, err = await direct.curl(f"http://localhost:{direct.rig.plain.port}/")
    assert code == 7, err  # curl: refused
