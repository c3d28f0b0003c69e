"""Every benchmark runs, in its shortest form: what it says in the end is what others read.

How fast anything is, is not asserted here: the machine that runs the tests is busy with them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_TIMEOUT = 600  # seconds; the first run installs what it compares with

_BENCHES = {
    "call": (
        ("--calls", "5", "--agent-calls", "3", "--rounds", "1"),
        {"daemon_p50_ms", "daemon_p99_ms", "agent_added_p50_ms"},
    ),
    "revoke": (
        ("--rounds", "1", "--races", "10", "--connections", "5"),
        {"last_byte_p99_ms", "uses_after_ack"},
    ),
    "start": (("--runs", "3"), {"ratio_to_python"}),
    "proxy": (
        ("--seconds", "0.3", "--rounds", "1"),
        {"rps_ratio_1", "rps_ratio_50", "direct_rps_1"},
    ),
}


@pytest.mark.timeout(_TIMEOUT)
@pytest.mark.parametrize("name", _BENCHES)
def test_a_benchmark_ends_with_its_figures(name: str) -> None:
    options, keys = _BENCHES[name]
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{name}", *options],
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["bench"] == name
    assert keys <= told["figures"].keys()
    assert all(isinstance(value, int | float) for value in told["figures"].values())
    assert told["figures"]["ledger_rows"] > 0
    assert told["against"]
    if name == "revoke":  # the one figure that no machine is too slow for
        assert told["figures"]["uses_after_ack"] == 0
        assert told["figures"]["races"] == 10
