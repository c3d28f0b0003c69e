"""Requests a second through the proxy, against mitmproxy and no proxy, in one run; and streams.

    python -m tests.bench.proxy [--seconds S] [--rounds N] [--stream-mb N] [--events N]

The same client and TLS server each time; the best of the rounds counts, the rounds are
interleaved, so that a busy machine harms all alike. `cpu_ratio` is the processor time of the
proxy's process for a request at 50 connections, its history included, to mitmproxy's: of all rounds
together. `stream_growth_mb` is how much larger the supervisor became, at most, while one body went
through it; `sse_added_ms` how much later the median event of a stream came than without a proxy.
Ours is `taskpass run --headless`: the client
is a task under the supervisor as it is installed. mitmproxy runs in a virtual environment of its
own with an add-on that swaps one credential and decides, attests and records nothing. Fails when
a request was answered wrongly, or when our rounds made no ledger rows.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trustme

from tests.bench.load import BEGUN
from tests.bench.support import (
    SOURCE,
    installed,
    last_line,
    ledger_head,
    lend,
    python_inside,
    report_rows,
)
from tests.support.live import TASKPASS, Install

_CONNECTIONS = (1, 50)
_MITMPROXY = "mitmproxy>=11"
_SECRET, _STAND_IN = "real-4fz81kq90xvwpl27mncb", "real-stand0in00000000000"
_ADDON = """
def request(flow):
    value = flow.request.headers.get("authorization", "")
    if {surrogate!r} in value and flow.request.host == "localhost":
        flow.request.headers["authorization"] = value.replace({surrogate!r}, {secret!r})
"""


@dataclass
class Subject:
    """One way to the server: `prefix`, then the client's `program`."""

    name: str
    environment: Mapping[str, str]
    prefix: tuple[str, ...] = ()
    program: tuple[str, ...] = (sys.executable, str(SOURCE / "tests/bench/load.py"))
    cwd: Path | None = None
    pid: int = 0  # of the proxy
    best: dict[int, dict[str, float]] = field(default_factory=dict)
    spent: dict[int, list[tuple[float, float]]] = field(default_factory=dict)  # seconds, requests

    def run(self, *words: str) -> dict[str, float]:
        """What the client prints when it is told so; with `spent`, the seconds of processor time
        that the proxy used since the client began to count."""
        process = subprocess.Popen(
            (*self.prefix, *self.program, *words),
            env={**os.environ, "NO_PROXY": "", **self.environment},
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        before, said = processor_time(self.pid), ""
        for said in process.stdout:
            if said.strip() == BEGUN:
                before = processor_time(self.pid)
        spent = processor_time(self.pid) - before
        if process.wait():
            raise SystemExit(f"{self.name}: {said}")
        figures: dict[str, float] = json.loads(said)
        return figures | {"spent": spent}

    def measure(self, authority: str, connections: int, seconds: float) -> None:
        figures = self.run("drive", authority, str(connections), str(seconds))
        if figures["bad"] or not figures["requests"]:
            raise SystemExit(f"{self.name}: {figures['bad']} wrong answers")
        self.spent.setdefault(connections, []).append((figures["spent"], figures["requests"]))
        figures["rps"] = figures["requests"] / figures["seconds"]
        best = self.best.get(connections)
        if best is None or figures["rps"] > best["rps"]:
            self.best[connections] = figures

    def processor_ms(self, connections: int) -> float:
        """Processor time of the proxy for a request."""
        seconds, requests = map(sum, zip(*self.spent[connections], strict=True))
        return seconds / requests * 1e3


def processor_time(pid: int) -> float:
    """Seconds that a process has used, the system's share included; 0 for no process."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def stream_growth(subject: Subject, authority: str, megabytes: int) -> float:
    """How many MB more the proxy held at most while one body went through it."""
    subject.run("fetch", authority, "1000000")  # what it keeps from the first is not growth
    before = most = resident_mb(subject.pid)
    over = threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.01):
            most = max(most, resident_mb(subject.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        done = subject.run("fetch", authority, str(megabytes * 1_000_000))
    finally:
        over.set()
        watcher.join()
    if done["bytes"] != megabytes * 1_000_000:
        raise SystemExit(f"{subject.name}: {done['bytes']} bytes of {megabytes} MB")
    print(f"{subject.name}: {megabytes} MB in {done['seconds']:.1f} s")
    return most - before


def event_delay(subject: Subject, authority: str, count: int) -> float:
    """Milliseconds from the server's write of an event to the client's read, the median."""
    done = subject.run("events", authority, str(count))
    if done["events"] != count:
        raise SystemExit(f"{subject.name}: {done['events']} events of {count}")
    print(f"{subject.name}: events p50 {done['p50_ms']:.2f} ms, p99 {done['p99_ms']:.2f} ms")
    return done["p50_ms"]


@contextlib.contextmanager
def running(*command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise SystemExit(f"{process.args!r} did not start")
    return line


def mitmproxy_home() -> Path:
    """A virtual environment with mitmproxy, made once."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    home = cache / "taskpass-tests" / "mitmproxy"
    if not (home / "bin" / "mitmdump").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run(
            [home / "bin" / "pip", "install", "--quiet", _MITMPROXY], check=True, timeout=600
        )
    return home


def mitmproxy_version(home: Path) -> str:
    found = subprocess.run(
        [home / "bin" / "python", "-c", "import mitmproxy.version as v; print(v.VERSION)"],
        check=True,
        capture_output=True,
        text=True,
    )
    return found.stdout.strip()


@contextlib.contextmanager
def mitmproxy(home: Path, folder: Path) -> Iterator[Subject]:
    addon = folder / "swap.py"
    addon.write_text(_ADDON.format(surrogate=_STAND_IN, secret=_SECRET))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = (
        f"confdir={folder / 'mitmproxy'}",
        f"ssl_verify_upstream_trusted_ca={folder / 'roots.pem'}",
        "http2=false",
        "listen_host=127.0.0.1",
        f"listen_port={port}",
    )
    flags = [part for option in options for part in ("--set", option)]
    with running(str(home / "bin" / "mitmdump"), "-q", "-s", str(addon), *flags) as process:
        authority = folder / "mitmproxy" / "mitmproxy-ca-cert.pem"
        end = time.monotonic() + 60
        while not (authority.exists() and _accepts(port)):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit("mitmproxy did not start")
            time.sleep(0.05)
        yield Subject(
            "mitmproxy",
            {
                "HTTPS_PROXY": f"http://127.0.0.1:{port}",
                "SSL_CERT_FILE": str(authority),
                "BENCH_TOKEN": _STAND_IN,
            },
            pid=process.pid,
        )


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def taskpass(install: Install, authority: str, issuer: trustme.CA) -> Subject:
    """The client as a task of a live install that lends it the credential."""
    lend(install, _SECRET, authority, issuer)
    install.cli("stop")
    install.cli("ps")  # starts it again, with this configuration
    return Subject(
        "taskpass",
        install.environ,
        prefix=(*TASKPASS, "run", "--headless", "--"),
        program=(*python_inside(install), str(install.project / "load.py")),
        cwd=install.project,
        pid=install.daemon_pid(),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stream-mb", type=int, default=1000)
    parser.add_argument("--events", type=int, default=500)
    arguments = parser.parse_args()
    home = mitmproxy_home()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        install = stack.enter_context(installed())
        issuer = trustme.CA()
        certificate = folder / "server.pem"
        certificate.write_bytes(
            issuer.issue_cert("localhost").private_key_and_cert_chain_pem.bytes()
        )
        (folder / "roots.pem").write_bytes(issuer.cert_pem.bytes())
        serve = (sys.executable, "-m", "tests.bench.load", "serve", str(certificate), _SECRET)
        authority = f"localhost:{first_line(stack.enter_context(running(*serve)))}"
        direct = Subject(
            "direct", {"SSL_CERT_FILE": str(folder / "roots.pem"), "BENCH_TOKEN": _SECRET}
        )
        ours = taskpass(install, authority, issuer)
        subjects = (direct, ours, stack.enter_context(mitmproxy(home, folder)))
        before = ledger_head(install)
        for _ in range(arguments.rounds):
            for subject in subjects:
                for connections in _CONNECTIONS:
                    subject.measure(authority, connections, arguments.seconds)
        delays = [event_delay(subject, authority, arguments.events) for subject in (direct, ours)]
        growth = stream_growth(ours, authority, arguments.stream_mb)
        for subject in subjects:
            for connections, best in subject.best.items():
                print(
                    f"{subject.name:10} {connections:3} connections: {best['rps']:8.0f} req/s, "
                    f"p50 {best['p50_ms']:7.2f} ms, p99 {best['p99_ms']:7.2f} ms, "
                    f"proxy's processor {subject.processor_ms(connections):.3f} ms/req"
                )
        rows = report_rows(install, before)
    peer = subjects[-1]

    def ratio(connections: int) -> float:
        return ours.best[connections]["rps"] / peer.best[connections]["rps"]

    figures = {
        "rps_ratio_1": ratio(1),
        "rps_ratio_50": ratio(50),
        "direct_rps_1": direct.best[1]["rps"],
        "rps_1": ours.best[1]["rps"],
        "rps_50": ours.best[50]["rps"],
        "cpu_ratio": ours.processor_ms(50) / peer.processor_ms(50),
        "cpu_ms": ours.processor_ms(50),
        "stream_growth_mb": growth,
        "sse_added_ms": delays[1] - delays[0],
        "ledger_rows": rows,
    }
    last_line("proxy", figures, {"mitmproxy": mitmproxy_version(home)})


if __name__ == "__main__":
    main()
