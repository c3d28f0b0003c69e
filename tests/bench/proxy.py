"""Requests a second through the proxy, against mitmproxy and no proxy, in one run.

    python -m tests.bench.proxy [--seconds S] [--rounds N]

The same client and TLS server each time; the best of the rounds counts, the rounds are
interleaved, so that a busy machine harms all alike. mitmproxy runs in a virtual environment of
its own with an add-on that swaps one credential and decides, attests and records nothing. Fails
when a request was answered wrongly, or when our rounds made no ledger rows.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
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

from supervisor.channels.http.environment import proxy_url
from tests.support.proxy_fakes import HANDLE, SECRET, SURROGATE

_CONNECTIONS = (1, 50)
_MITMPROXY = "mitmproxy>=11"
_ADDON = """
def request(flow):
    value = flow.request.headers.get("authorization", "")
    if {surrogate!r} in value and flow.request.host == "localhost":
        flow.request.headers["authorization"] = value.replace({surrogate!r}, {secret!r})
"""


@dataclass
class Subject:
    """One way to the server. `prefix` is put before the client's command."""

    name: str
    environment: Mapping[str, str]
    prefix: tuple[str, ...] = ()
    best: dict[int, dict[str, float]] = field(default_factory=dict)

    def measure(self, authority: str, connections: int, seconds: float) -> None:
        command = (sys.executable, "-m", "tests.bench.load", "drive", authority)
        done = subprocess.run(
            (*self.prefix, *command, str(connections), str(seconds)),
            env={**os.environ, "NO_PROXY": "", **self.environment},
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
    addon.write_text(_ADDON.format(surrogate=SURROGATE, secret=SECRET))
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
                "BENCH_TOKEN": SURROGATE,
            },
        )


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Ours:
    """Our proxy as a subject, and how many ledger rows it has made once it is stopped."""

    subject: Subject
    rows: int = 0


@contextlib.contextmanager
def taskpass(folder: Path, authority: str) -> Iterator[Ours]:
    command = (sys.executable, "-m", "tests.bench.proxy_subject", str(folder), authority)
    with running(*command) as process:
        port = int(first_line(process))
        ours = Ours(
            Subject(
                "taskpass",
                {
                    "HTTPS_PROXY": proxy_url(HANDLE, port),
                    "SSL_CERT_FILE": str(folder / "ours.pem"),
                    "BENCH_TOKEN": SURROGATE,
                },
            )
        )
        yield ours
        process.send_signal(signal.SIGTERM)
        ours.rows = int(first_line(process))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    home = mitmproxy_home()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        issuer = trustme.CA()
        certificate = folder / "server.pem"
        certificate.write_bytes(
            issuer.issue_cert("localhost").private_key_and_cert_chain_pem.bytes()
        )
        (folder / "roots.pem").write_bytes(issuer.cert_pem.bytes())
        with contextlib.ExitStack() as stack:
            serve = (sys.executable, "-m", "tests.bench.load", "serve", str(certificate), SECRET)
            authority = f"localhost:{first_line(stack.enter_context(running(*serve)))}"
            direct = Subject(
                "direct", {"SSL_CERT_FILE": str(folder / "roots.pem"), "BENCH_TOKEN": SECRET}
            )
            peer = stack.enter_context(mitmproxy(home, folder))
            ours = stack.enter_context(taskpass(folder, authority))
            subjects = (direct, ours.subject, peer)
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
        print(f"ledger rows made meanwhile: {ours.rows}")
        if not ours.rows:
            raise SystemExit("no ledger rows: this measured nothing")

    def ratio(connections: int) -> float:
        ours_best, theirs = ours.subject.best[connections], peer.best[connections]
        return round(ours_best["rps"] / theirs["rps"], 2)

    figures = {
        "rps_ratio_1": ratio(1),
        "rps_ratio_50": ratio(50),
        "direct_rps_1": round(direct.best[1]["rps"]),
        "rps_1": round(ours.subject.best[1]["rps"]),
        "rps_50": round(ours.subject.best[50]["rps"]),
        "ledger_rows": ours.rows,
    }
    against = {"mitmproxy": mitmproxy_version(home)}
    print(json.dumps({"bench": "proxy", "figures": figures, "against": against}))


if __name__ == "__main__":
    main()
