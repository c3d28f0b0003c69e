"""What is told when a task meets a limit, and how often."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from supervisor.process import limit_watch, linux
from supervisor.process.cgroup import Group
from supervisor.process.limit_watch import LimitWatch
from tests.support.live import until


class Watched:
    """A group's files as the kernel would write them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[tuple[str, int]] = []
        self.count("memory", 0)
        self.count("processes", 0)

    def count(self, limit: str, times: int) -> None:
        """In one write of one length: the kernel shows no half of it either."""
        name, field = ("memory", "oom_kill") if limit == "memory" else ("pids", "max")
        file = os.open(self.path / f"{name}.events", os.O_WRONLY | os.O_CREAT)
        os.write(file, f"{field} {times:06d}\n".encode())
        os.close(file)

    def tell(self, limit: str, times: int) -> None:
        self.told.append((limit, times))


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


async def test_the_first_time_is_told_at_once_and_the_rest_in_sums(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_watch, "_PAUSE", 3600.0)
    watch = LimitWatch(Group(watched.path), watched.tell)
    watched.count("processes", 1)
    await until(lambda: watched.told, "the first notice")
    for times in range(2, 5001):
        watched.count("processes", times)
    await asyncio.sleep(0)
    assert watched.told == [("processes", 1)], "a fork bomb is no flood of notices"
    watch.close()
    assert watched.told == [("processes", 1), ("processes", 4999)]


async def test_what_comes_after_the_pause_is_told(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_watch, "_PAUSE", 0.01)
    watch = LimitWatch(Group(watched.path), watched.tell)
    for times in (1, 3):
        watched.count("memory", times)
        await until(lambda: sum(n for _, n in watched.told) == times, "the notice")  # noqa: B023
    assert {name for name, _ in watched.told} == {"memory"}
    watch.close()


async def test_what_was_met_before_is_not_told_again(watched: Watched) -> None:
    watched.count("memory", 7)
    LimitWatch(Group(watched.path), watched.tell).close()
    assert watched.told == []


async def test_without_a_way_to_watch_it_is_told_at_the_end(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(paths: list[str]) -> int:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(linux, "inotify", none_left)
    watch = LimitWatch(Group(watched.path), watched.tell)
    watched.count("memory", 1)
    watch.close()
    assert watched.told == [("memory", 1)]
