"""Four panes at work: how many frames come through, how soon a key is answered, at what price.

    python -m tests.bench.terminal [--seconds S]

The workspace runs in a terminal of 200×60 with four tasks beside each other, each in its holder;
tmux runs the same four programs in a terminal of the same size. Frames and answers are counted in
what the screen writes to that terminal; throughput is what the programs got rid of.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from supervisor.client import AsyncClient
from supervisor.protocol.wire import StartTask
from tests.bench.support import (
    SOURCE,
    installed,
    last_line,
    ledger_head,
    percentile,
    python_inside,
    report_rows,
)
from tests.support.live import Install

COLS, ROWS, PANES = 200, 60, 4
LEADER = b"\x1c"
_PATIENCE = 60.0
_LOADED = 15.0  # seconds after its start in which the daemon loads what few calls need
_MARK = re.compile(rb"([FK])(\d):(\d{6})")


@dataclass
class Outer:
    """The person's terminal: a program in a PTY, whose output is read at once and searched."""

    argv: Sequence[str]
    cwd: Path
    environ: dict[str, str]
    seen: dict[tuple[bytes, int], set[int]] = field(default_factory=dict)
    size: int = 0  # bytes written to it
    pid: int = 0
    _fd: int = -1
    _rest: bytes = b""

    def __enter__(self) -> Outer:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(self.cwd)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLS, 0, 0))
            os.execvpe(self.argv[0], list(self.argv), self.environ)
        os.set_blocking(self._fd, False)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLS, 0, 0))
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        os.close(self._fd)

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._fd)
            return
        self.size += len(data)
        text = self._rest + data
        for kind, number, count in _MARK.findall(text):
            self.seen.setdefault((kind, int(number)), set()).add(int(count))
        self._rest = text[-8:]

    def write(self, data: bytes) -> None:
        os.write(self._fd, data)

    def frames(self, number: int) -> int:
        return len(self.seen.get((b"F", number), ()))

    async def until(self, kind: bytes, number: int, count: int) -> None:
        """Wait for a mark, or a later one of its kind."""
        deadline = time.monotonic() + _PATIENCE
        while max(self.seen.get((kind, number), {-1})) < count:
            if time.monotonic() > deadline:
                raise SystemExit(f"{kind.decode()}{number}:{count} never came to the screen")
            await asyncio.sleep(0.0005)


class Meter:
    """Processor time of some processes since it was made."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self._before = self._sum()
        self._began = time.monotonic()

    def _sum(self) -> float:
        return sum(sum(p.cpu_times()[:2]) for p in self._processes)

    def percent(self) -> float:
        """Of one core."""
        return 100 * (self._sum() - self._before) / (time.monotonic() - self._began)


def load(install: Install) -> list[str]:
    """The command of `pane_load.py` as a task and tmux can both run it."""
    python = python_inside(install)
    shutil.copy(SOURCE / "tests/bench/pane_load.py", install.project)
    return [*python, "-S", str(install.project / "pane_load.py")]


@contextlib.contextmanager
def workspace(install: Install) -> Iterator[Outer]:
    argv = [sys.executable, "-m", "supervisor.cli.main"]
    with Outer(argv, install.project, install.environ | {"COLORTERM": "truecolor"}) as outer:
        yield outer


async def start(install: Install, argv: Sequence[str]) -> None:
    client = AsyncClient()
    await client.connect()
    await client.start_task(
        StartTask(
            argv=tuple(argv),
            cwd=str(install.project),
            environ=install.environ,
            purpose="load",
            cols=COLS // 2,
            rows=ROWS // 2,
        )
    )
    await client.close()


def throughput(install: Install, name: str) -> float:
    """MB/s that all panes' programs got rid of."""
    total = 0.0
    for number in range(PANES):
        sent, took = (install.project / f"{name}{number}").read_text().split()
        total += int(sent) / float(took)
    return total / 1e6


async def flooded(install: Install, seconds: float) -> tuple[float, float]:
    """Frames a second of the slowest pane, and the MB/s of all."""
    with workspace(install) as outer:
        await asyncio.sleep(3)  # the screen stands before there is anything to draw
        began = time.monotonic()
        for number in range(PANES):
            await start(
                install, [*load(install), "flood", str(seconds), str(number), f"ours{number}"]
            )
        for number in range(PANES):
            await outer.until(b"F", number, 1)
        before = [outer.frames(number) for number in range(PANES)]
        since = time.monotonic()
        await asyncio.sleep(max(1.0, seconds - (since - began) - 1))
        took = time.monotonic() - since
        fps = [(outer.frames(n) - before[n]) / took for n in range(PANES)]
        await written(install, "ours")
    return min(fps), throughput(install, "ours")


async def written(install: Install, name: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    files = [install.project / f"{name}{number}" for number in range(PANES)]
    while not all(file.exists() and file.stat().st_size for file in files):
        if time.monotonic() > deadline:
            raise SystemExit("a flood never ended")
        await asyncio.sleep(0.05)


async def typed(install: Install, keys: int) -> tuple[list[float], float, float]:
    """Seconds from a key to its answer while four agents draw; CPU of screen and daemon, and of
    the holders besides."""
    with workspace(install) as outer:
        await asyncio.sleep(2)
        for number in range(PANES):
            await start(install, [*load(install), "agent", "10", str(number)])
        for number in range(PANES):
            await outer.until(b"F", number, 5)
        outer.write(LEADER + b"1")
        meter = Meter([outer.pid, install.daemon_pid()])
        holders = Meter(
            [int(p.read_text()) for p in (install.paths.runtime / "tasks").glob("*/holder.pid")]
        )
        times = []
        for key in range(1, keys + 1):
            await asyncio.sleep(0.11)
            began = time.perf_counter()
            outer.write(b"a")
            await outer.until(b"K", 0, key)
            times.append(time.perf_counter() - began)
        cpu, beside = meter.percent(), holders.percent()
    return times, cpu, beside


async def idle(install: Install, seconds: float) -> float:
    """CPU of screen and daemon with four agents that do nothing, once the daemon has loaded what
    it loads beside its work after its start."""
    with workspace(install) as outer:
        for number in range(PANES):
            await start(install, [*load(install), "idle", str(number)])
        await asyncio.sleep(min(_LOADED, 2 * seconds))
        meter = Meter([outer.pid, install.daemon_pid()])
        await asyncio.sleep(seconds)
        return meter.percent()


async def in_tmux(install: Install, seconds: float) -> float:
    """MB/s of the same four floods in tmux."""
    tmux = ["tmux", "-L", f"bench{os.getpid()}", "-f", os.devnull]
    environ = install.environ

    def run(*words: str) -> None:
        subprocess.run([*tmux, *words], env=environ, cwd=install.project, check=True)

    def flood(number: int) -> list[str]:
        return [*load(install), "flood", str(seconds), str(number), f"tmux{number}"]

    run("new-session", "-d", "-x", str(COLS), "-y", str(ROWS), *flood(0))
    try:
        with Outer([*tmux, "attach"], install.project, environ):
            for number in range(1, PANES):
                run("split-window", *flood(number))
                run("select-layout", "tiled")
            await written(install, "tmux")
    finally:
        run("kill-server")
    return throughput(install, "tmux")


_T = TypeVar("_T")


def measured(phase: Callable[[Install], Coroutine[Any, Any, _T]]) -> tuple[_T, int]:
    """What a phase tells, in an install of its own, and how many records it left."""
    with installed() as install:
        install.set_up()
        install.cli("ps")
        before = ledger_head(install)
        told = asyncio.run(phase(install))
        return told, report_rows(install, before)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--keys", type=int, default=60)
    arguments = parser.parse_args()
    seconds = arguments.seconds
    (fps, ours), rows = measured(lambda install: flooded(install, seconds))
    with installed() as install:
        theirs = asyncio.run(in_tmux(install, seconds))
    (times, cpu, beside), more = measured(lambda install: typed(install, arguments.keys))
    resting, most = measured(lambda install: idle(install, seconds))
    print(
        f"flood: {fps:.1f} frames a second in the slowest pane, {ours:.1f} MB/s; tmux {theirs:.1f}"
    )
    print(
        f"four agents: {cpu:.0f} % of a core for screen and supervisor, {beside:.0f} % for holders"
    )
    figures = {
        "fps_per_pane": fps,
        "throughput_ratio_tmux": ours / theirs,
        "throughput_mb_s": ours,
        "echo_p50_ms": percentile(times, 50) * 1e3,
        "echo_p99_ms": percentile(times, 99) * 1e3,
        "cpu_pct": cpu,
        "holders_cpu_pct": beside,
        "idle_cpu_pct": resting,
        "ledger_rows": rows + more + most,
    }
    tmux = subprocess.run(["tmux", "-V"], capture_output=True, text=True, check=True).stdout
    last_line("terminal", figures | {"cpus": os.cpu_count() or 0}, {"tmux": tmux.split()[-1]})


if __name__ == "__main__":
    main()
