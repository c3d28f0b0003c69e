"""A chain of processes stands as long as all of them live, and is told by the kernel when not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from supervisor import procfs
from supervisor.identity.standing import StandingChains
from supervisor.model import Process
from tests.support.live import wait_for


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def _process(pid: int) -> Process:
    found = procfs.stat(pid)
    assert found is not None
    return found.process


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_it_stands_until_one_of_them_has_ended(sleeper: subprocess.Popen[bytes]) -> None:
    chain = [_process(sleeper.pid), _process(os.getpid())]
    before = _descriptors()
    known = StandingChains()
    assert known.of(chain[0]) == []
    assert known.keep(chain, procfs.lives)
    assert known.of(chain[0]) == chain
    sleeper.kill()
    # A process that is not reaped yet has ended all the same.
    wait_for(lambda: known.of(chain[0]) == [], "the end is seen")
    assert _descriptors() == before


def test_what_is_not_whole_is_not_kept(sleeper: subprocess.Popen[bytes]) -> None:
    here, before = _process(sleeper.pid), _descriptors()
    reused = Process(here.pid, here.start_time - 1)  # of this pid, before this process had it
    known = StandingChains()
    assert not known.keep([reused], procfs.lives)
    assert known.of(reused) == []
    assert _descriptors() == before


def test_as_many_as_there_may_be_and_no_descriptor_more() -> None:
    here, before = _process(os.getpid()), _descriptors()
    known = StandingChains()
    for start in range(100):  # as if each were another process
        assert known.keep([Process(here.pid, start)], lambda process: True)
    assert _descriptors() <= before + 32
    known.close()
    assert _descriptors() == before


def test_the_fallen_give_their_descriptors_back(sleeper: subprocess.Popen[bytes]) -> None:
    known = StandingChains()
    before = _descriptors()
    assert known.keep([_process(sleeper.pid)], procfs.lives)
    sleeper.kill()
    sleeper.wait()
    assert known.keep([_process(os.getpid())], procfs.lives)
    assert _descriptors() == before + 1


def test_a_longer_chain_is_walked_each_time() -> None:
    here = _process(os.getpid())
    known = StandingChains()
    assert known.keep([here] * 40, procfs.lives)
    assert known.of(here) == []
