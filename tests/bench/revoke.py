"""How fast a key ends a task's access, and that nothing of it goes on afterwards.

    python -m tests.bench.revoke [--rounds N] [--races N] [--connections N]

Task, supervisor, person and a TLS server are separate processes; the server keeps its own log.

Last byte: a task holds 50 endless answers open; the task is revoked; for each, the time from the
key to the last byte that the task got, or to the end of the connection at the server, whichever
is later.

Races: a task makes requests on 50 connections, each always with one on its way, and is revoked in
the midst of it. What the server's log shows of the credential after the moment at which the
revocation was acknowledged is counted: `uses_after_ack`. Every connection is one race.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from supervisor.client import AsyncClient
from tests.bench.proxy import first_line, running
from tests.bench.support import (
    installed,
    last_line,
    ledger_head,
    lend,
    percentile,
    python_inside,
    report_rows,
)
from tests.support.live import Install, wait_for

_SECRET = "real-4fz81kq90xvwpl27mncb"
_PATIENCE = 60.0  # seconds for 50 connections, on a busy machine


@dataclass(slots=True)
class Upstream:
    """The server's log, read as it grows."""

    authority: str
    log: Path
    _read: int = 0
    _lines: list[tuple[str, str, int]] = field(default_factory=list)  # what, path, nanoseconds

    def seen(self, what: str, path: str) -> list[int]:
        """When `what` happened at `path`."""
        with self.log.open("rb") as file:
            file.seek(self._read)
            whole = file.read().rpartition(b"\n")[0]
        if whole:
            self._read += len(whole) + 1
            for line in whole.decode().splitlines():
                kind, place, at = line.split()
                self._lines.append((kind, place, int(at)))
        return [at for kind, place, at in self._lines if (kind, place) == (what, path)]


@contextlib.contextmanager
def upstream(install: Install) -> Iterator[Upstream]:
    """The server, with a credential that opens it."""
    issuer = trustme.CA()
    certificate, log = install.root / "server.pem", install.root / "server.log"
    certificate.write_bytes(issuer.issue_cert("localhost").private_key_and_cert_chain_pem.bytes())
    serve = (sys.executable, "-m", "tests.bench.upstream", str(certificate), _SECRET, str(log))
    with running(*serve) as process:
        authority = f"localhost:{first_line(process)}"
        lend(install, _SECRET, authority, issuer)
        install.cli("stop")
        install.cli("ps")  # starts it again, with this configuration
        yield Upstream(authority, log)


class Key:
    """A screen of the person, connected as one is."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = AsyncClient()
        self._loop.run_until_complete(self._client.connect())

    def press(self) -> tuple[int, int]:
        """Revoke the only running task: nanoseconds of the key and of the acknowledgement."""
        return self._loop.run_until_complete(self._press())

    async def _press(self) -> tuple[int, int]:
        live = [task for task in (await self._client.snapshot()).tasks if not task.ended]
        pressed = time.time_ns()
        await self._client.revoke_task(live[-1].id)
        return pressed, time.time_ns()

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


@contextlib.contextmanager
def task(install: Install, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`load.py` inside a task."""
    load = str(install.project / "load.py")
    process = install.popen("run", "--headless", "--", *python_inside(install), load, *words)
    try:
        yield process
    finally:
        process.communicate(timeout=30)


def _ready(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    def ready() -> bool:
        if process.poll() is not None:
            raise SystemExit(f"the task ended early: {process.communicate()[0]}")
        return condition()

    wait_for(ready, "every connection to be in use", _PATIENCE)


def last_bytes(
    install: Install, server: Upstream, key: Key, number: int, count: int
) -> list[float]:
    """Seconds from the key to the last byte, for each of `count` streams."""
    path, notes = f"/stream/{number}", install.project / f"notes-{number}"
    with task(install, "stream", server.authority, str(count), str(notes), path) as process:
        _ready(process, lambda: len(server.seen("use", path)) == count)
        pressed, _ = key.press()
    wait_for(lambda: len(server.seen("end", path)) == count, "the streams to end")
    heard: dict[str, int] = {}
    for line in notes.read_text().splitlines():
        stream, _, at = line.partition(" ")
        heard[stream] = int(at)
    if len(heard) != count:
        raise SystemExit(f"{len(heard)} of {count} streams brought anything")
    # Which end is whose is not known; sorted, the later ones of both are paired, which is worst.
    ends = zip(sorted(server.seen("end", path)), sorted(heard.values()), strict=True)
    return [(max(pair) - pressed) / 1e9 for pair in ends]


def uses_after(install: Install, server: Upstream, key: Key, number: int, count: int) -> int:
    """Uses of the credential that the server saw after the acknowledgement."""
    path = f"/race/{number}"
    with task(install, "drive", server.authority, str(count), "3600", path) as process:
        # All connections are there before the first request; each has had its turn by then.
        _ready(process, lambda: len(server.seen("use", path)) >= 2 * count)
        _, acknowledged = key.press()
    return sum(at > acknowledged for at in server.seen("use", path))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20, help="revocations under streams")
    parser.add_argument("--races", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=50)
    arguments = parser.parse_args()
    count = arguments.connections
    numbers = itertools.count()
    with installed() as install, upstream(install) as server:
        key = Key()
        before = ledger_head(install)
        lasts = [
            seconds
            for _ in range(arguments.rounds)
            for seconds in last_bytes(install, server, key, next(numbers), count)
        ]
        late = raced = 0
        while raced < arguments.races:
            late += uses_after(install, server, key, next(numbers), count)
            raced += count
        tier = install.records("task.started")[-1]["tier"]
        rows = report_rows(install, before)
        key.close()
    print(f"tier {tier}, {arguments.rounds} revocations of {count} streams, {raced} races")
    last_line(
        "revoke",
        {
            "last_byte_p50_ms": percentile(lasts, 50) * 1e3,
            "last_byte_p99_ms": percentile(lasts, 99) * 1e3,
            "uses_after_ack": late,
            "races": raced,
            "ledger_rows": rows,
        },
        {},
    )


if __name__ == "__main__":
    main()
