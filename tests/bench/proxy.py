"""Requests a second through the proxy, against mitmproxy and no proxy, in one run.

    python -m tests.bench.proxy [--seconds S] [--rounds N]

The same client and TLS server each time; the best of the rounds counts, the rounds are
interleaved, so that a busy machine harms all alike. Ours is `taskpass run --headless`: the client
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
import time
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import trustme

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
    best: dict[int, dict[str, float]] = field(default_factory=dict)

    def measure(self, authority: str, connections: int, seconds: float) -> None:
        command = (*self.program, "drive", authority, str(connections), str(seconds))
        done = subprocess.run(
            (*self.prefix, *command),
            env={**os.environ, "NO_PROXY": "", **self.environment},
            cwd=self.cwd,
            capture_output=True,
            text=True,
            timeout=60 + 2 * seconds,
        )
        if done.returncode:
            raise SystemExit(f"{self.name}: {done.stderr or done.stdout}")
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        if figures["bad"] or not figures["requests"]:
            raise SystemExit(f"{self.name}: {figures['bad']} wrong answers")
        figures["rps"] = figures["requests"] / figures["seconds"]
        best = self.best.get(connections)
        if best is None or figures["rps"] > best["rps"]:
            self.best[connections] = figures


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
        )


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def taskpass(install: Install, authority: str, issuer: trustme.CA) -> Subject:
    """The client as a task of a live install that lends it the credential."""
    lend(install, _SECRET, authority, issuer)
    install.cli("stop")
    install.cli("tasks")  # starts it again, with this configuration
    return Subject(
        "taskpass",
        install.environ,
        prefix=(*TASKPASS, "run", "--headless", "--"),
        program=(*python_inside(install), str(install.project / "load.py")),
        cwd=install.project,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
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
        for subject in subjects:
            for connections, best in subject.best.items():
                print(
                    f"{subject.name:10} {connections:3} connections: {best['rps']:8.0f} req/s, "
                    f"p50 {best['p50_ms']:7.2f} ms, p99 {best['p99_ms']:7.2f} ms"
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
        "ledger_rows": rows,
    }
    last_line("proxy", figures, {"mitmproxy": mitmproxy_version(home)})


if __name__ == "__main__":
    main()
