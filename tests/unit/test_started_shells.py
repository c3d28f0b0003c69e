"""A shell that does not know its call asks for it: the kernel says whose it is, not the shell."""

from __future__ import annotations

import subprocess
import sys

import pytest

from supervisor import procfs
from supervisor.calls.started import Started
from supervisor.model import Process, ToolCall
from tests.support.core_fakes import CHILD, ROOT, World, a_shell_call

SIBLING = Process(300, 1 << 40)
GRANDCHILD = Process(400, 1 << 40)


class Shells(World):
    """An agent that starts `bash -c COMMAND` for a call; `words`: what runs where."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.words: dict[int, tuple[str, ...]] = {}
        profile = self.engine.desk.runtimes[self.task].profile
        profile.started_as = self._started_as  # type: ignore[method-assign]
        self.engine.started = Started(
            self.engine.book, self.engine.desk, lambda pid: self.words.get(pid, ())
        )
        self.family.parents |= {SIBLING: ROOT, GRANDCHILD: CHILD}

    def _started_as(self, call: ToolCall) -> tuple[str, ...]:
        return ("bash", "-c", call.command)

    async def open_call(self, command: str) -> str:
        """The handle of a new call, which the agent is not told."""
        answer = await self.engine.open_call(self.task, a_shell_call(command), ROOT)
        assert answer.rewritten is not None
        return str(answer.rewritten["command"]).split("\n")[0]

    def runs(self, process: Process, *words: str) -> str:  # type: ignore[override]
        """What this process is told that runs this command line; "" for nothing."""
        self.words[process.pid] = words
        chain = self.family.ancestry(process)
        return self.engine.prefix(self.task, chain).removesuffix("\n")


@pytest.fixture
def world() -> Shells:
    return Shells()


async def test_the_shell_of_a_call_is_told_what_ties_it_to_that(world: Shells) -> None:
    other, handle = await world.open_call("make"), await world.open_call("make test")
    assert world.runs(CHILD, "bash", "-c", "make test") == handle != other
    assert await world.engine.bind_call(world.task, handle, [CHILD, ROOT])
    assert (await world.use(handle)).secret is not None


@pytest.mark.parametrize(
    "words",
    [
        ("bash", "-c", "make test; env"),
        ("bash", "-c", "make", "test"),
        ("sh", "-c", "make"),
        ("exec /bin/sh /task/hook.sh",),  # the agent's own hook
        (),
    ],
)
async def test_another_command_line_is_told_nothing(world: Shells, words: tuple[str, ...]) -> None:
    await world.open_call("make")
    assert world.runs(CHILD, *words) == ""


async def test_what_a_call_has_started_is_told_nothing_of_another(world: Shells) -> None:
    """A tool can start a shell with any command line, but not as the agent's own child."""
    await world.open_call("make")
    assert world.runs(GRANDCHILD, "bash", "-c", "make") == ""
    assert world.engine.prefix(world.task, [ROOT]) == ""
    assert world.engine.prefix(world.task, []) == ""


async def test_what_ran_before_the_call_is_not_its_shell(world: Shells) -> None:
    early = Process(500, 7)
    world.family.parents[early] = ROOT
    await world.open_call("make")
    assert world.runs(early, "bash", "-c", "make") == ""


async def test_what_has_ended_meanwhile_is_told_nothing(world: Shells) -> None:
    await world.open_call("make")
    world.words[CHILD.pid] = ("bash", "-c", "make")
    del world.family.parents[CHILD]
    assert world.engine.prefix(world.task, [CHILD, ROOT]) == ""


async def test_two_calls_of_one_command_are_told_to_two_shells(world: Shells) -> None:
    """Neither has bound when the other asks; whoever asks again hears the same."""
    handles = {await world.open_call("make"), await world.open_call("make")}
    first = world.runs(CHILD, "bash", "-c", "make")
    second = world.runs(SIBLING, "bash", "-c", "make")
    assert {first, second} == handles
    assert world.runs(CHILD, "bash", "-c", "make") == first
    for handle, child in ((first, CHILD), (second, SIBLING)):
        assert await world.engine.bind_call(world.task, handle, [child, ROOT])
    world.family.parents[GRANDCHILD] = ROOT
    assert world.runs(GRANDCHILD, "bash", "-c", "make") == ""


async def test_a_call_that_is_over_is_told_to_nobody(world: Shells) -> None:
    handle = await world.open_call("make")
    assert await world.engine.bind_call(world.task, handle, [SIBLING, ROOT])
    world.exits[SIBLING]()
    await world.settle_background()
    assert world.runs(CHILD, "bash", "-c", "make") == ""


async def test_an_agent_whose_commands_are_rewritten_has_no_such_shells(world: Shells) -> None:
    world.engine.desk.runtimes[world.task].profile.started_as = lambda call: ()  # type: ignore[method-assign]
    await world.open_call("make")
    assert world.runs(CHILD) == ""


def test_a_command_line_is_read_as_it_was_given() -> None:
    words = (sys.executable, "-c", "print(flush=True); input()", "", "two\nlines", "ü")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()  # it has begun
        assert procfs.arguments(child.pid) == words
        child.stdin.write(b"\n")
        child.stdin.close()
    assert procfs.arguments(child.pid) == ()
