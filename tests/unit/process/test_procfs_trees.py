"""Trees as /proc shows them, on real processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from supervisor import procfs
from supervisor.model import Process

_NEST = (
    "import os, sys, subprocess\n"
    "depth = int(sys.argv[1])\n"
    "child = depth and subprocess.Popen([sys.executable, '-c', sys.argv[2],"
    " str(depth - 1), sys.argv[2]])\n"
    "if not depth: print('ready', flush=True)\n"
    "sys.stdin.read()\n"
)


@pytest.fixture
def nest() -> Iterator[subprocess.Popen[str]]:
    """Four processes, one below the other; they end with the pipe."""
    command = [sys.executable, "-c", _NEST, "3", _NEST]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_the_kernels_lists_tell_the_same(nest: subprocess.Popen[str]) -> None:
    found = procfs.children_of(nest.pid)
    assert {entry.process for entry in found} == {
        entry.process for entry in procfs.descendants(nest.pid)
    }
    assert found[0].parent == nest.pid


def test_descendants_come_parents_first(nest: subprocess.Popen[str]) -> None:
    found = procfs.descendants(nest.pid)
    assert len(found) == 3
    assert [entry.parent for entry in found] == [nest.pid, *(entry.pid for entry in found[:-1])]


def test_tree_sees_new_processes_between_two_reads(nest: subprocess.Popen[str]) -> None:
    tree = procfs.Tree(os.getpid())
    before = {entry.pid for entry in tree.members()}
    assert nest.pid in before
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as late:
        after = {entry.pid for entry in tree.members()}
        assert after - before == {late.pid}
        assert late.stdin is not None
        late.stdin.close()
    assert {entry.pid for entry in tree.members()} == before
    assert before == {entry.pid for entry in procfs.descendants(os.getpid())}


def test_ancestors_end_at_the_top(nest: subprocess.Popen[str]) -> None:
    deepest = procfs.descendants(nest.pid)[-1]
    chain = [entry.pid for entry in procfs.ancestors(deepest.pid)]
    assert chain[0] == deepest.pid
    assert chain[3] == nest.pid
    assert chain[4] == os.getpid()


def test_another_start_time_is_another_process() -> None:
    own = procfs.stat(os.getpid())
    assert own is not None
    assert procfs.lives(own.process)
    assert not procfs.lives(Process(own.pid, own.start + 1))


@pytest.mark.parametrize("told", [True, False], ids=["told", "untold"])
def test_tree_follows_what_comes_and_goes(monkeypatch: pytest.MonkeyPatch, told: bool) -> None:
    if not told:  # a kernel, or a container, that does not say which pid came last
        monkeypatch.setattr(procfs, "_newest", lambda: 0)
    tree = procfs.Tree(os.getpid())
    with contextlib.ExitStack() as stack:
        alive: list[subprocess.Popen[bytes]] = []
        for number in range(40):
            begun = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
            stack.enter_context(begun)
            stack.callback(begun.kill)
            alive.append(begun)
            if number % 3 == 2:
                gone = alive.pop(number % len(alive))
                gone.kill()
                gone.wait()
            assert {entry.pid for entry in tree.members()} == {each.pid for each in alive}
