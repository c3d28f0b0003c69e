"""What a tree of processes costs, read from real ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from supervisor.model import TaskState, Usage
from supervisor.tasks.metering import Meter, Rest, rounded

_SPENDS = "import time\nwhile time.process_time() < 0.4: pass\n"
_HOLDS = "held = bytearray(40 << 20); print('held', flush=True); input()"


@contextmanager
def shell(script: str) -> Iterator[subprocess.Popen[str]]:
    """A shell that answers `done` after each line it is given."""
    words = ["sh", "-c", f'while read line; do {script}; echo "done"; done', sys.executable]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def ask(process: subprocess.Popen[str]) -> str:
    assert process.stdin
    assert process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline()


def test_memory_and_processes_of_the_whole_tree_are_seen() -> None:
    with shell(f'sh -c "$0 -c \\"{_HOLDS}\\"; true"') as top:
        assert Meter().look(top.pid) == Usage()
        assert ask(top) == "held\n"
        usage = Meter().look(top.pid)
        assert usage.processes == 2, "the shell and its Python; not the top itself"
        assert 40 << 20 < usage.rss_bytes < 400 << 20
        assert top.stdin
        top.stdin.write("\n")  # it holds no longer
        top.stdin.flush()


def test_processor_time_of_what_has_ended_meanwhile_is_seen() -> None:
    times = iter((0.0, 10.0, 20.0))
    meter = Meter(clock=lambda: next(times))
    with shell(f'$0 -c "{_SPENDS}"') as top:
        assert meter.look(top.pid).cpu_pct == 0
        assert ask(top) == "done\n"
        assert 3 <= meter.look(top.pid).cpu_pct < 40, "0.4 seconds of ten, and the start of Python"
        assert meter.look(top.pid).cpu_pct == 0, "told once"


def test_what_is_gone_is_nothing() -> None:
    with shell("true") as top:
        pass
    assert Meter().look(top.pid) == Usage()


def test_small_changes_are_none() -> None:
    assert rounded(Usage(0.3, 5_000_001, 2)) == rounded(Usage(0.1, 5_010_000, 2))


def test_a_program_that_computes_nothing_and_starts_nothing_is_idle() -> None:
    rest = Rest()
    looks = [(40.0, 1), (0.0, 1), (0.0, 1), (0.0, 1), (0.0, 2), (0.0, 2), (0.0, 2), (1.0, 2)]
    states = [rest.state("t", Usage(cpu, 0, processes)) for cpu, processes in looks]
    works, idle = TaskState.WORKING, TaskState.IDLE
    assert states == [works, works, idle, idle, works, works, idle, works]
