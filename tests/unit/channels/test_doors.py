"""Doors of a contained task: each connection is judged, and leads where it did when approved."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from supervisor.channels.network import doors as module
from supervisor.channels.network.doors import Doors
from supervisor.channels.network.names import Names
from supervisor.errors import Denied
from supervisor.model import Effect, Process, Verb
from supervisor.ports import Attempt, Release
from tests.support.proxy_fakes import HANDLE, TASK, TREE, FakeAuthorize, FakeOwner, eventually

FOREIGN = "127.0.0.9"  # stands for an address outside: what listens there is another host's


@dataclass
class FakeEgress:
    """Every connection is of the open call; `answer` is what policy or a person says."""

    answer: bool = True
    handle: str = HANDLE
    refusals: list[Attempt] = field(default_factory=list)
    asked: list[Effect] = field(default_factory=list)
    gate: asyncio.Event | None = None

    def handle_of(self, task: str, ancestry: Sequence[Process]) -> str:
        return self.handle if list(ancestry) == TREE else ""

    async def own_connection(
        self, task: str, ancestry: Sequence[Process], effect: Effect
    ) -> Release | None:
        return None

    async def refused(self, task: str, attempt: Attempt, times: int = 1) -> None:
        self.refusals.append(attempt)

    async def opens(
        self, task: str, effect: Effect, asking: Callable[[], object] = lambda: None
    ) -> bool:
        self.asked.append(effect)
        if self.gate is not None:
            asking()
            await self.gate.wait()
        return self.answer


@dataclass
class Rig:
    doors: Doors
    authorize: FakeAuthorize
    owner: FakeOwner
    egress: FakeEgress
    service: int  # port of a service on the machine's loopback that echoes

    async def say(self, port: int, host: str = "127.0.0.1") -> bytes:
        """Connect from the task, say one thing, hang up, and hear the answer."""
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"hello")
        writer.write_eof()
        heard = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return heard


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # Only when all was said: a client that has said its last word still listens.
    writer.write(b"heard " + await reader.read())
    await writer.drain()
    writer.close()


@asynccontextmanager
async def rig(*, spares: int = 2, listed: bool = True) -> AsyncIterator[Rig]:
    # A service on the machine and a door in the task have the same port on two loopback addresses.
    server = await asyncio.start_server(_echo, module._LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    listeners = {f"listed:{port}": socket.create_server((FOREIGN, port))} if listed else {}
    made = [socket.socket() for _ in range(spares)]
    authorize, owner, egress = FakeAuthorize(), FakeOwner(), FakeEgress()
    doors = Doors(TASK, authorize, egress, owner, Names(TASK), listeners, made, frozenset)
    await doors.serve()
    try:
        yield Rig(doors, authorize, owner, egress, port)
    finally:
        await doors.close()
        server.close()


async def test_a_listed_service_answers_even_who_has_said_its_last_word() -> None:
    async with rig() as r:
        assert await r.say(r.service, FOREIGN) == b"heard hello"
        [(handle, effect, surrogates)] = r.authorize.uses
        assert handle == HANDLE
        assert effect == Effect(Verb.CONNECT, f"localhost:{r.service}", {"port": r.service})
        assert surrogates == ()
        await eventually(lambda: r.authorize.settled == [("u-1", 200)], "the use's end on record")


async def test_a_denied_connection_is_reset() -> None:
    async with rig() as r:
        r.authorize.problem = Denied("Not this one.")
        with pytest.raises(ConnectionResetError):
            await r.say(r.service, FOREIGN)
        assert r.authorize.settled == []


@pytest.mark.parametrize("chain", ["nobody", "a stranger"])
async def test_a_connection_that_nobody_answers_for_has_no_call(chain: str) -> None:
    async with rig() as r:
        if chain == "nobody":
            r.owner.found = []
        else:
            r.owner.found.append(Process(6666, 1))  # holds the socket too, and is not of the task
        with pytest.raises(ConnectionResetError):
            await r.say(r.service, FOREIGN)
        assert r.authorize.uses[0][0] == ""
        assert r.authorize.ancestries == [[]]


async def test_revoking_cuts_what_is_being_carried() -> None:
    async with rig() as r:
        reader, writer = await asyncio.open_connection(FOREIGN, r.service)
        writer.write(b"x")
        await eventually(lambda: len(r.doors._endpoints) == 2, "both ends of the connection")
        assert r.doors.cut("l-1") == 0
        assert r.doors.cut() == 2
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_a_connection_cut_while_it_is_judged_reaches_nobody() -> None:
    async with rig() as r:
        r.authorize.gate = asyncio.Event()
        _, writer = await asyncio.open_connection(FOREIGN, r.service)
        await eventually(lambda: r.authorize.uses != [], "the question")
        r.doors.cut()
        await eventually(lambda: r.authorize.cancelled == 1, "the question to be withdrawn")
        assert r.authorize.settled == []
        writer.close()


async def test_an_approved_host_is_reached_by_the_next_attempt() -> None:
    async with rig(listed=False) as r:
        attempt = Attempt("tcp", FOREIGN, r.service)
        r.doors.allow_private = lambda: frozenset({FOREIGN})
        await r.doors.ask_outside(attempt)
        assert r.egress.asked == [
            Effect(Verb.CONNECT, f"{FOREIGN}:{r.service}", {"port": r.service})
        ]
        _, writer = await asyncio.open_connection(FOREIGN, r.service)
        await eventually(lambda: len(r.authorize.uses) == 1, "the connection to be judged")
        writer.close()


async def test_while_a_person_is_asked_an_attempt_is_held_and_a_no_closes_the_door() -> None:
    async with rig(listed=False) as r:
        r.doors.allow_private = lambda: frozenset({FOREIGN})
        r.egress.gate, r.egress.answer = asyncio.Event(), False
        r.authorize.gate = asyncio.Event()
        asking = asyncio.create_task(r.doors.ask_outside(Attempt("tcp", FOREIGN, r.service)))

        await eventually(lambda: bool(r.doors._doors), "the door")
        _, writer = await asyncio.open_connection(FOREIGN, r.service)
        await eventually(lambda: len(r.authorize.uses) == 1, "the attempt to be held")
        r.egress.gate.set()
        await asking
        with pytest.raises(ConnectionRefusedError):
            await r.say(r.service, FOREIGN)
        writer.close()


async def test_a_no_opens_nothing_on_the_loopback() -> None:
    async with rig(listed=False) as r:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        r.egress.answer = False
        await r.doors.ask_loopback(port)
        with pytest.raises(ConnectionRefusedError):
            await r.say(port)
        assert r.egress.asked == [
            Effect(Verb.CONNECT, f"localhost:{port}", {"port": port, "unlisted": True})
        ]


async def test_a_server_of_the_tasks_own_is_not_disturbed_by_a_late_yes() -> None:
    async with rig(listed=False) as r:
        await r.doors.ask_loopback(r.service)  # the port is taken by now
        assert await r.say(r.service) == b"heard hello"
        assert r.authorize.uses == []


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "10.0.0.1", "192.168.1.1", "198.18.3.4", "fe80::1", "::1"]
)
async def test_nobody_is_asked_about_what_stays_closed(address: str) -> None:
    async with rig(listed=False) as r:
        await r.doors.ask_outside(Attempt("tcp", address, 443))
        assert r.egress.asked == []


async def test_no_more_doors_are_opened_than_there_are_spare_sockets() -> None:
    async with rig(listed=False, spares=1) as r:
        r.doors.allow_private = lambda: frozenset({FOREIGN, "127.0.0.8"})
        await r.doors.ask_outside(Attempt("tcp", FOREIGN, r.service))
        await r.doors.ask_outside(Attempt("tcp", "127.0.0.8", r.service))
        with pytest.raises(ConnectionRefusedError):
            await r.say(r.service, "127.0.0.8")


async def test_a_name_leads_where_it_led_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the second answer of a name server changes nothing."""
    async with rig(listed=False) as r:
        looked_up: list[str] = []

        async def resolve(origin: object, *, private: bool) -> list[str]:
            looked_up.append(str(origin))
            return ["127.0.0.1"] if len(looked_up) == 1 else ["127.0.0.66"]

        monkeypatch.setattr(module, "resolve", resolve)
        monkeypatch.setattr(r.doors.names, "name", lambda address: "db.example")
        await r.doors.ask_outside(Attempt("tcp", FOREIGN, r.service, "db.example"))
        for _ in range(3):
            assert await r.say(r.service, FOREIGN) == b"heard hello"
        assert len(looked_up) == 1


async def test_a_host_that_a_command_announced_is_reached_at_the_first_attempt() -> None:
    async with rig(listed=False) as r:
        r.doors.allow_private = lambda: frozenset({FOREIGN})
        announced = [
            Effect(Verb.CONNECT, f"$HOST:{r.service}"),
            Effect(Verb.CONNECT, "no-port.example"),
            Effect(Verb.CONNECT, f"localhost:{r.service}"),
            Effect(Verb.CONNECT, f"169.254.169.254:{r.service}"),
            Effect(Verb.CONNECT, "web.example:443"),
            Effect(Verb.HTTP, f"{FOREIGN}:1"),
        ]
        await r.doors.expect(announced)
        assert len(r.doors._free) == 2
        # 127.0.0.9 stands for an address outside, and is none: a name has to lead to it.
        r.doors.names.address = lambda name: FOREIGN  # type: ignore[method-assign]
        await r.doors.expect([Effect(Verb.CONNECT, f"db.example:{r.service}")] * 3)
        assert len(r.doors._free) == 1
        _, writer = await asyncio.open_connection(FOREIGN, r.service)
        await eventually(lambda: len(r.authorize.uses) == 1, "the connection to be judged")
        assert r.egress.asked == []
        writer.close()


async def test_what_an_earlier_supervisor_opened_is_shut() -> None:
    """A holder keeps the sockets while supervisors come and go; approvals do not survive them."""
    with socket.create_server((FOREIGN, 0)) as kept:
        port = kept.getsockname()[1]
        again = socket.socket(fileno=kept.detach())
        held = again.dup()
        doors = Doors(
            TASK, FakeAuthorize(), FakeEgress(), FakeOwner(), Names(TASK), {}, [again], frozenset
        )
        await doors.serve()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(FOREIGN, port)
        await doors.close()
        held.close()
