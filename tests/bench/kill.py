"""How fast a key ends what a task was lent, on every channel.

    python -m tests.bench.kill [--rounds N] [--connections N] [--channels NAME,…]

Task, supervisor, person and server are separate processes on one clock. The task holds 50
connections of a channel in use; for each that is cut it asks again at once, on another that is open
already. The person takes the grant away; the task lives on. Of each connection:

- refuse: from the key to the moment the task was told no;
- last byte: from the key to the last byte that the task got under the credential, or to the end of
  the connection at the server, whichever is later.

A tunnel that passes unread (`connect`) carries no credential, so there it is the task's access that
is taken away, processes included: refuse is then the time to the acknowledgement, after which
nothing is let through.

Issuers whose credentials work without us have a bound of another kind: how soon the other end has
been told, or how long a token lives. `python -m pytest tests/adversarial/test_issuer_faults.py`
shows what becomes of them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h2
import hpack
import hyperframe
import trustme

from supervisor.channels.http.kinds import BOUND, KINDS
from supervisor.client import AsyncClient
from tests.bench.proxy import running
from tests.bench.support import (
    SOURCE,
    installed,
    last_line,
    ledger_head,
    percentile,
    python_inside,
    report_rows,
)
from tests.support.live import Install, wait_for

_SECRET = "real-4fz81kq90xvwpl27mncb"
_PATIENCE = 60.0  # seconds
CHANNELS = tuple(kind.name for kind in KINDS)


@dataclass(slots=True)
class Server:
    """Its ports, and its log."""

    tls: int
    clear: int
    raw: int
    http2: int
    log: Path

    def at(self, channel: str) -> str:
        others = {"http": self.clear, "connect": self.raw, "http2": self.http2}
        port = others.get(channel, self.tls)
        return f"localhost:{port}"

    def ends(self, since: int) -> list[int]:
        """When connections ended, nanoseconds, of those that ended after `since`."""
        lines = (line.split() for line in self.log.read_text().splitlines())
        return [int(at) for what, _, at in lines if what == "end" and int(at) > since]


@contextlib.contextmanager
def server(install: Install) -> Iterator[Server]:
    issuer = trustme.CA()
    certificate, log = install.root / "server.pem", install.root / "server.log"
    roots = install.root / "roots.pem"
    issuer.cert_pem.write_to_path(str(roots))
    certificate.write_bytes(issuer.issue_cert("localhost").private_key_and_cert_chain_pem.bytes())
    serve = (sys.executable, "-m", "tests.bench.kill_server", str(certificate), _SECRET, str(log))
    with running(*serve) as process:
        assert process.stdout is not None
        at = Server(*map(int, process.stdout.readline().split()), log)
        install.configure(
            f'[network]\nextra_roots = "{roots}"\nsplice = ["localhost:{at.raw}"]\n'
            f'allow_private = ["localhost:{at.raw}"]\n'
        )
        policy = install.paths.config / "policy"
        policy.mkdir(parents=True, exist_ok=True)
        (policy / "bench.cedar").write_text(
            '@id("bench/tunnels")\npermit (principal, action == Action::"connect", resource);\n'
            '@id("bench/sockets")\npermit (principal, action == Action::"http", resource)\n'
            "when { context.websocket };\n"
        )
        install.cli("stop")
        added = install.cli(
            "credential", "add", "bench", "--env", "BENCH_TOKEN", "--option", "forge=github",
            "--host", f"localhost:{at.tls}", "--host", f"localhost:{at.clear}",
            "--host", f"localhost:{at.http2}",
            stdin=_SECRET + "\n",
        )  # fmt: skip
        if added.returncode:
            raise SystemExit(added.stderr)
        yield at


class Key:
    """A screen of the person, connected as one is."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = AsyncClient()
        self._loop.run_until_complete(self._client.connect())

    def press(self, channel: str) -> tuple[int, int]:
        """Nanoseconds of the key and of the acknowledgement."""
        return self._loop.run_until_complete(self._press(channel))

    async def _press(self, channel: str) -> tuple[int, int]:
        now = await self._client.snapshot()
        (task,) = (task.id for task in now.tasks if not task.ended)
        grants = [grant.id for grant in now.grants if grant.task == task]
        pressed = time.time_ns()
        if channel == "connect":
            await self._client.revoke_task(task)
        else:
            await self._client.revoke_grant(*grants)
        return pressed, time.time_ns()

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


@dataclass(slots=True)
class Notes:
    """What the task noted, by connection."""

    good: dict[int, list[int]] = field(default_factory=dict)
    refused: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path) -> Notes:
        made = cls()
        text = path.read_text() if path.exists() else ""
        for line in text.rpartition("\n")[0].splitlines():
            number, what, at = line.split()
            if what == "good":
                made.good.setdefault(int(number), []).append(int(at))
            else:
                made.refused[int(number)] = int(at)
        return made


def killed(
    install: Install, at: Server, key: Key, channel: str, number: int, count: int
) -> tuple[list[float], list[float]]:
    """Seconds to the refusal, and to the last byte, of each of `count` connections."""
    notes = install.project / f"notes-{number}"
    words = (str(install.project / "kill_inside.py"), channel, at.at(channel), str(count))
    process = install.popen("run", "--headless", "--", *python_inside(install), *words, str(notes))
    try:
        _in_use(process, notes, count)
        pressed, acknowledged = key.press(channel)
        if channel == "connect":
            wait_for(lambda: len(at.ends(pressed)) == count, "the tunnels to end", _PATIENCE)
        process.communicate(timeout=_PATIENCE)
    finally:
        process.kill()
        process.wait()
    noted = Notes.of(notes)
    if channel == "connect":
        refused = [acknowledged] * count
    else:
        refused = list(noted.refused.values())
        if len(refused) != count:
            raise SystemExit(f"{channel}: {len(refused)} of {count} connections were refused")
    lasts = [max(times) for times in noted.good.values()]
    if at.ends(pressed):
        # Which end is whose is not known; sorted, the later ones of both are paired: the worst.
        wait_for(lambda: len(at.ends(pressed)) == count, "the connections to end")
        pairs = zip(sorted(at.ends(pressed)), sorted(lasts), strict=True)
        lasts = [max(pair) for pair in pairs]
    return _since(pressed, refused), _since(pressed, lasts)


def _in_use(process: subprocess.Popen[str], notes: Path, count: int) -> None:
    def ready() -> bool:
        if process.poll() is not None:
            raise SystemExit(f"the task ended early: {process.communicate()[0]}")
        return len(Notes.of(notes).good) == count

    wait_for(ready, "every connection to be in use", _PATIENCE)


def _since(pressed: int, times: Sequence[int]) -> list[float]:
    return [max(0, at - pressed) / 1e9 for at in times]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--channels", default=",".join(CHANNELS))
    arguments = parser.parse_args()
    figures: dict[str, float] = {}
    numbers = itertools.count()
    with installed() as install, server(install) as at:
        for name in ("kill_inside.py", "kill_h2.py"):
            shutil.copy(SOURCE / "tests" / "bench" / name, install.project)
        for module in (h2, hpack, hyperframe):
            folder = Path(module.__file__).parent
            shutil.copytree(folder, install.project / folder.name)
        key = Key()
        before = ledger_head(install)
        channels = arguments.channels.split(",")
        for _ in range(arguments.rounds // 2):  # what a new supervisor loads is loaded then
            killed(install, at, key, channels[0], next(numbers), arguments.connections)
        for channel in channels:
            refusals: list[float] = []
            lasts: list[float] = []
            for _ in range(arguments.rounds):
                told, last = killed(install, at, key, channel, next(numbers), arguments.connections)
                refusals += told
                lasts += last
            refuse, last_byte = (percentile(each, 99) * 1e3 for each in (refusals, lasts))
            figures |= {
                f"{channel}_refuse_p99_ms": refuse,
                f"{channel}_last_byte_p99_ms": last_byte,
            }
            print(f"{channel:<10} refused {refuse:6.1f} ms, last byte {last_byte:6.1f} ms (p99)")
        figures["ledger_rows"] = report_rows(install, before)
        key.close()
    worst = max(value for name, value in figures.items() if name.endswith("_ms"))
    print(f"worst p99 {worst:.1f} ms; the bound we give is {BOUND * 1e3:.0f} ms")
    last_line("kill", figures, {})


if __name__ == "__main__":
    main()
