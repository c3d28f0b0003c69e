"""The public MCP conformance scenarios for authorization, run against our client side.

They exist for clients alone: what they try is our sign-in at MCP servers. The server side is
tried by the official SDK's client (`test_mcp_remote.py`) and by the scenario for servers below.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.agents import NODE, Package, install

CONFORMANCE = Package("mcp-conformance", "@modelcontextprotocol/conformance", "0.1.16")
_ONE = "auth/scope-step-up"  # the longest; all of them are in the long form
ROOT = Path(__file__).parents[2]


def conformance(tmp_path: Path, *words: str) -> str:
    """What the scenarios say of us."""
    node = install(NODE) / "node_modules/node/bin/node"
    program = install(CONFORMANCE) / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    done = subprocess.run(
        [node, program, *words, "--output-dir", tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{node.parent}:/usr/bin:/bin"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_an_authorization_scenario_passes(tmp_path: Path) -> None:
    command = f"{sys.executable} -m tests.support.mcp_conformance_client"
    told = conformance(tmp_path, "client", "--command", command, "--scenario", _ONE)
    passed = re.search(r"Passed: (\d+)/(\d+), 0 failed", told)
    assert passed is not None, told
    assert passed[1] == passed[2] != "0"


@pytest.mark.full
def test_all_authorization_scenarios_pass(tmp_path: Path) -> None:
    command = f"{sys.executable} -m tests.support.mcp_conformance_client"
    told = conformance(tmp_path, "client", "--command", command, "--suite", "auth")
    passed = set(re.findall(r"✓ (auth/[\w-]+): \d+ passed, 0 failed", told))
    assert len(passed) >= 14, told
    assert "✗" not in told
    assert {"auth/basic-cimd", "auth/scope-step-up", "auth/pre-registration"} <= passed
