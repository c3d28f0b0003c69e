"""Git's questions at a task's listener: answered for its own processes, in words for the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from supervisor.channels.git import helper as module
from supervisor.channels.git.helper import GitHelper
from supervisor.errors import Denied
from supervisor.model import Process
from supervisor.ports import Offer
from tests.support.proxy_fakes import TASK, TREE, FakeAuthorize, FakeOwner, eventually, listening

ASKED = b"protocol=https\nhost=github.com\npath=ana/app.git\n\n"


@dataclass
class _Offers:
    asked: list[tuple[str, list[Process], str, str]] = field(default_factory=list)
    problem: Exception | None = None

    async def offer(self, task: str, ancestry: Sequence[Process], host: str, path: str) -> Offer:
        self.asked.append((task, list(ancestry), host, path))
        if self.problem is not None:
            raise self.problem
        return Offer("x-access-token", "stand-in", 1_900_000_000.7)


@dataclass
class Desk:
    helper: GitHelper
    offers: _Offers
    owner: FakeOwner
    authorize: FakeAuthorize
    port: int

    async def ask(self, data: bytes, *, end: bool = True) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        if end:
            writer.write_eof()
        told = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return told.decode()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    listener, offers, owner, authorize = listening(), _Offers(), FakeOwner(), FakeAuthorize()
    port = listener.getsockname()[1]
    helper = GitHelper(TASK, listener, authorize, offers, owner)
    await helper.serve()
    yield Desk(helper, offers, owner, authorize, port)
    await helper.close()


async def test_it_gives_a_stand_in_with_its_end(desk: Desk) -> None:
    told = await desk.ask(ASKED, end=False)
    assert told == ("username=x-access-token\npassword=stand-in\npassword_expiry_utc=1900000000\n")
    assert desk.offers.asked == [(TASK, TREE, "github.com", "ana/app.git")]


async def test_the_name_that_git_has_already_is_kept(desk: Desk) -> None:
    told = await desk.ask(b"username=ana\n" + ASKED)
    assert told.startswith("username=ana\n")


async def test_a_refusal_is_told_in_words_and_ends_git(desk: Desk) -> None:
    desk.offers.problem = Denied("There is no credential for github.com.", hint="Add one.")
    assert await desk.ask(ASKED) == (
        "say taskpass: There is no credential for github.com. Add one.\nquit=1\n"
    )


async def test_nobody_else_is_answered(desk: Desk) -> None:
    desk.owner.found = []
    told = await desk.ask(ASKED)
    assert "cannot be shown to come from the task's own processes" in told
    assert told.endswith("quit=1\n")
    assert desk.offers.asked == []
    assert [kind for kind, _ in desk.authorize.incidents] == ["unattested"]


@pytest.mark.parametrize(
    "data", [b"host=a\0b\n\n", b"protocol=https\nhost=a\r\n\n", b"x" * 20_000, b"\n\n"]
)
async def test_malformed_questions_are_refused_and_recorded(desk: Desk, data: bytes) -> None:
    told = await desk.ask(data)
    assert told.count("\n") == 2
    assert told.endswith("quit=1\n")
    assert desk.offers.asked == []
    assert [kind for kind, _ in desk.authorize.incidents] == ["malformed_credential_request"]


async def test_plain_http_gets_none(desk: Desk) -> None:
    told = await desk.ask(ASKED.replace(b"https", b"http"))
    assert "Use https://github.com/ana/app.git instead." in told
    assert desk.offers.asked == []


async def test_a_question_that_does_not_end_holds_nobody(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.1)
    told = await desk.ask(b"protocol=https\n", end=False)
    assert "did not end" in told


async def test_a_fault_of_ours_gives_nothing(desk: Desk) -> None:
    desk.offers.problem = RuntimeError("a bug")
    assert await desk.ask(ASKED) == ""


async def test_those_who_wait_are_cut(desk: Desk) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(b"protocol=https\n")
    await eventually(lambda: desk.helper.cut() == 1, "it to be heard")
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(reader.readexactly(1), 5)
