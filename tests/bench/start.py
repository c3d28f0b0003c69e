"""How long `taskpass run --headless -- true` takes, against a bare `python -c pass`.

    python -m tests.bench.start [--runs N]

The supervisor is warm; both are whole processes of the same interpreter, started in turn, so that
a busy machine harms both alike. Each of our runs is a whole task: identity, containment where the
machine allows it, records on the disk before the program starts, and its exit code.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.support import installed, last_line, ledger_head, report_rows, summary

_WARM_UP = 5  # runs not counted: caches, and the zygotes' imports


def command() -> list[str]:
    """`taskpass` as it is installed beside this interpreter."""
    script = Path(sys.executable).parent / "taskpass"
    return [str(script)] if script.exists() else [sys.executable, "-m", "supervisor.cli.main"]


def took(argv: list[str], environ: dict[str, str], cwd: Path) -> float:
    """Seconds from fork to exit."""
    began = time.perf_counter()
    done = subprocess.run(argv, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{argv} ended with {done.returncode}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=60)
    arguments = parser.parse_args()
    ours = [*command(), "run", "--headless", "--", "true"]
    python = [sys.executable, "-c", "pass"]
    with installed() as install:
        # The same for both: no path to search that the other does not have.
        environ = {name: value for name, value in install.environ.items() if name != "PYTHONPATH"}
        for _ in range(_WARM_UP):
            took(ours, environ, install.project)
            took(python, environ, install.project)
        before = ledger_head(install)
        times: dict[str, list[float]] = {"ours": [], "python": []}
        for _ in range(arguments.runs):
            times["python"].append(took(python, environ, install.project))
            times["ours"].append(took(ours, environ, install.project))
        rows = report_rows(install, before)
        tier = install.records("task.started")[-1]["tier"]
    print(f"taskpass run --headless -- true (tier {tier}): {summary(times['ours'])}")
    print(f"python -c pass: {summary(times['python'])}")
    p50 = {name: statistics.median(values) * 1e3 for name, values in times.items()}
    last_line(
        "start",
        {
            "ratio_to_python": p50["ours"] / p50["python"],
            "run_p50_ms": p50["ours"],
            "python_p50_ms": p50["python"],
            "ledger_rows": rows,
            "cpus": os.cpu_count() or 0,
        },
        {},
    )


if __name__ == "__main__":
    main()
