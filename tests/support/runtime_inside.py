"""Runs tasks side by side by the command line, wherever it is started, and prints the records.

    python -m tests.support.runtime_inside < PLAN

PLAN is JSON: `runs`, each with the `words` after `taskpass` and, for an MCP client, the `lines` it
sends, each after the answer to the one before. Printed is what the history holds in the end; the
supervisor ends with that.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from typing import IO, Any

_TASKPASS = [sys.executable, "-m", "supervisor.cli.main"]
_PATIENCE = 120.0  # seconds for all of it
_RECORDS = 20_000  # more than there will be


def _converse(process: subprocess.Popen[str], lines: list[str]) -> None:
    """Be the MCP client: a request is answered before the next line is sent."""
    assert process.stdin is not None
    assert process.stdout is not None
    for line in lines:
        process.stdin.write(line + "\n")
        process.stdin.flush()
        wanted = json.loads(line).get("id")
        while wanted is not None and (answer := process.stdout.readline()):
            if json.loads(answer).get("id") == wanted:
                break
    process.stdin.close()


def _start(run: dict[str, Any], told: IO[str]) -> tuple[subprocess.Popen[str], threading.Thread]:
    pipe = subprocess.PIPE if run["lines"] else None
    process = subprocess.Popen(
        [*_TASKPASS, *run["words"]],
        stdin=pipe or subprocess.DEVNULL,
        stdout=pipe or told,
        stderr=told,
        text=True,
    )
    talking = threading.Thread(target=_converse, args=(process, run["lines"] or []))
    if run["lines"]:
        talking.start()
    return process, talking


def main() -> int:
    plan = json.load(sys.stdin)
    # So that not each of them tries to start the supervisor.
    subprocess.run([*_TASKPASS, "ps"], stdout=subprocess.DEVNULL, check=True)
    with tempfile.TemporaryFile("w+") as told:
        for process, talking in [_start(run, told) for run in plan["runs"]]:
            process.wait(_PATIENCE)
            if talking.ident is not None:
                talking.join(_PATIENCE)
        told.seek(0)
        sys.stderr.write(told.read())
    history = ("history", "--json", "-n", str(_RECORDS))
    code = subprocess.run([*_TASKPASS, *history], check=False).returncode
    subprocess.run([*_TASKPASS, "stop"], stdout=subprocess.DEVNULL, check=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
