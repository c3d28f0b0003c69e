"""What containment costs: a task's start, a request through the proxy, and the end of it all.

    python -m tests.bench.contain [--runs N] [--seconds S] [--rounds N] [--crowds N]

Always as an unprivileged account: root makes one, installs the project for it and starts over.
Every start is a whole process from fork to exit, of `true`, all ways in turn: without anything;
by `taskpass run --headless` uncontained, in tier A and in tier B; in the sandbox runtime of npm.
A request is one of a kept connection through the proxy, from a contained task and from an
uncontained one. An end is the time from a person's key until the last of a crowd of processes,
daemonised and deaf to signals, is gone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import trustme

from tests.bench import sandbox_runtime
from tests.bench.proxy import Subject, first_line, running
from tests.bench.revoke import Key
from tests.bench.start import command
from tests.bench.support import (
    installed,
    last_line,
    ledger_head,
    lend,
    python_inside,
    report_rows,
    summary,
)
from tests.support import crowd
from tests.support.accounts import whole_install
from tests.support.live import TASKPASS, Install

_TIERS = ("A", "B")
_WARM_UP = 5  # starts not counted
_SECRET = "real-4fz81kq90xvwpl27mncb"


def in_tier(install: Install, tier: str, network: str = "") -> None:
    """Restart the supervisor so that its tasks get this tier, and see that they do."""
    install.configure(f'[containment]\ntier = "{tier}"\n{network}')
    install.cli("stop")
    done = install.cli("run", "--headless", "--", "true")
    found = install.records("task.started")[-1]["tier"]
    if done.returncode or found != tier:
        raise SystemExit(f"tier {tier} is not to be had here: {found} {done.stderr}")


def starts(
    installs: dict[str, Install], peer: sandbox_runtime.SandboxRuntime, runs: int
) -> dict[str, list[float]]:
    """Seconds of every start, by its way."""
    ours = [*command(), "run", "--headless"]
    ways: dict[str, tuple[list[str], dict[str, str], Path]] = {
        "plain": (["true"], installs["A"].environ, installs["A"].project),
        "uncontained": (
            [*ours, "--contain", "off", "--", "true"], installs["A"].environ, installs["A"].project
        ),
        "sandbox-runtime": ([*peer.argv, "true"], peer.environ, installs["A"].project),
    }  # fmt: skip
    for tier, install in installs.items():
        # `--contain standard` is what holds anyway; said, so that both ways are parsed alike.
        argv = [*ours, "--contain", "standard", "--", "true"]
        ways[tier] = (argv, install.environ, install.project)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(_WARM_UP + runs):
        for way, (argv, environ, cwd) in ways.items():
            seconds = _took(argv, environ, cwd)
            if number >= _WARM_UP:
                times[way].append(seconds)
    return times


def _took(argv: list[str], environ: dict[str, str], cwd: Path) -> float:
    """Seconds from fork to exit; what an uncontained task is warned of is not shown."""
    # No path to search that the others do not have.
    clean = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    began = time.perf_counter()
    done = subprocess.run(
        argv, cwd=cwd, env=clean, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{argv} ended with {done.returncode}: {done.stderr.decode()}")
    return seconds


def requests(
    installs: dict[str, Install], folder: Path, issuer: trustme.CA, rounds: int, seconds: float
) -> dict[str, float]:
    """Median milliseconds of a request, best round, by tier and uncontained."""
    certificate = folder / "server.pem"
    certificate.write_bytes(issuer.issue_cert("localhost").private_key_and_cert_chain_pem.bytes())
    serve = (sys.executable, "-m", "tests.bench.load", "serve", str(certificate), _SECRET)
    best: dict[str, float] = {}
    with running(*serve) as server:
        authority = f"localhost:{first_line(server)}"
        subjects = []
        for tier, install in installs.items():
            with _environment_of(install):
                lend(install, _SECRET, authority, issuer)
                network = (install.paths.config / "config.toml").read_text()
                in_tier(install, tier, network)
            inside = (*python_inside(install), str(install.project / "load.py"))
            options = {tier: (), "uncontained": ("--contain", "off")} if tier == "A" else {tier: ()}
            for name, option in options.items():
                prefix = (*TASKPASS, "run", "--headless", *option, "--")
                subjects.append(Subject(name, install.environ, prefix, inside, cwd=install.project))
        for _ in range(rounds):
            for subject in subjects:
                subject.best.clear()
                subject.measure(authority, 1, seconds)
                p50 = subject.best[1]["p50_ms"]
                best[subject.name] = min(p50, best.get(subject.name, p50))
    return best


@contextlib.contextmanager
def _environment_of(install: Install) -> Iterator[None]:
    """Paths of an install are read from the environment of this process."""
    before = dict(os.environ)
    os.environ.update(install.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def ends(install: Install, crowds: int) -> list[float]:
    """Seconds from the key until the whole crowd is gone."""
    with _environment_of(install):
        key = Key()
    os.mkfifo(install.project / crowd.PIPE)
    found = []
    for _ in range(crowds):
        with crowd.Gate(install.project / crowd.PIPE) as gate:
            process = install.popen("run", "--headless", "--", "sh", "-c", crowd.SCRIPT)
            gate.all_here()
            pressed, _ = key.press()
            found.append((gate.all_gone() - pressed) / 1e9)
        process.communicate(timeout=30)
    key.close()
    return found


def measure(arguments: argparse.Namespace) -> None:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peer = sandbox_runtime.provided(arguments.peer, folder)
        installs = {}
        for tier in _TIERS:
            installs[tier] = stack.enter_context(installed())
            in_tier(installs[tier], tier)
        before = {tier: ledger_head(install) for tier, install in installs.items()}
        started = starts(installs, peer, arguments.runs)
        took_to_end = {tier: ends(install, arguments.crowds) for tier, install in installs.items()}
        asked = requests(
            installs, folder, trustme.CA(), arguments.rounds, arguments.seconds
        )  # last: it configures both installs anew
        rows = sum(report_rows(install, before[tier]) for tier, install in installs.items())
    for way, times in started.items():
        print(f"start, {way}: {summary(times)}")
    for way, milliseconds in asked.items():
        print(f"request, {way}: p50 {milliseconds:.3f} ms")
    for tier, times in took_to_end.items():
        print(f"end of {crowd.SIZE} processes, {tier}: {summary(times)}")
    p50 = {way: statistics.median(times) * 1e3 for way, times in started.items()}
    theirs = p50["sandbox-runtime"] - p50["plain"]
    figures = {
        "tier_a_added_p50_ms": p50["A"] - p50["uncontained"],
        "tier_b_added_p50_ms": p50["B"] - p50["uncontained"],
        "ratio_to_srt": (p50["A"] - p50["uncontained"]) / theirs,
        "whole_ratio_to_srt": (p50["A"] - p50["plain"]) / theirs,
        "srt_added_p50_ms": theirs,
        "request_overhead_pct": (asked["A"] / asked["uncontained"] - 1) * 100,
        "tier_b_request_overhead_pct": (asked["B"] / asked["uncontained"] - 1) * 100,
        "tier_a_killed_worst_ms": max(took_to_end["A"]) * 1e3,
        "tier_b_killed_worst_ms": max(took_to_end["B"]) * 1e3,
        "ledger_rows": rows,
    }
    last_line("contain", figures, {"sandbox-runtime": sandbox_runtime.PACKAGE.version})


def again_as_somebody(words: list[str]) -> int:
    """Run this with an account that is nobody's; its exit code."""
    with whole_install() as account:
        peer = Path(account.python).parents[2] / "peer"
        sandbox_runtime.provide(peer)
        return subprocess.run(
            [account.python, "-m", "tests.bench.contain", *words, "--peer", str(peer)],
            cwd=account.home,
            env={"PATH": os.environ["PATH"], "HOME": str(account.home), "LANG": "C.UTF-8"},
            **account.become(),
            check=False,
        ).returncode


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--crowds", type=int, default=5, help="revocations of 200 processes")
    parser.add_argument("--peer", type=Path, help="where the sandbox runtime is, else it is got")
    arguments = parser.parse_args(words)
    if os.geteuid() == 0:
        return again_as_somebody(words)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.peer is None:
            arguments.peer = Path(folder) / "peer"
            sandbox_runtime.provide(arguments.peer)
        measure(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
