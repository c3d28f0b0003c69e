"""A program that keeps to what Cursor's makers document, under `taskpass run`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.support.live import ApiServer, Install

_PROGRAM = Path(__file__).parents[1] / "support" / "like_cursor.py"


def run(install: Install, *commands: str, options: tuple[str, ...] = ()) -> Any:
    """`taskpass run -- cursor-agent`, with these commands for its model's."""
    folder = install.root / "cursor-agent/versions/2026.10.01-4f2c1aa"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(_PROGRAM, folder / "cursor-agent").chmod(0o755)
    program = str(folder / "cursor-agent")
    words = ("run", "--headless", *options, "--", program, json.dumps(commands))
    return install.cli(*words)


def test_its_calls_are_judged_by_hooks_that_only_its_container_has(
    install: Install, api: ApiServer
) -> None:
    assert not Path("/etc/cursor").exists()
    (install.home / ".cursor").mkdir()
    curl = f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}/me'
    done = run(install, "echo it-$((40 + 2))", "sudo touch /ran", curl)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [one["permission"] for one in told[:3]] == ["allow", "deny", "allow"], done
    assert "it-42" in told[0]["output"]
    assert "sudo" in told[1]["message"]
    assert "hello" in told[2]["output"]
    assert api.accepted == ["GET /me"]
    # Not even the agent itself can change them, nor leave others for the next session.
    assert [one["why"] for one in told[3:]] == ["Read-only file system"] * 2, done
    assert not Path("/etc/cursor").exists()
    assert not (install.home / ".cursor/hooks.json").exists()
    # Each ended with its shell, or with the report of its end.
    ends = [one["outcome"] for one in install.records("call.settled")]
    assert len(ends) == 2
    assert set(ends) <= {"ok", "exited"}


def test_without_a_container_it_is_not_started(install: Install) -> None:
    done = run(install, "true", options=("--contain", "off"))
    assert done.returncode == 125
    assert "/etc/cursor/hooks.json" in done.stderr
    assert "Traceback" not in done.stderr
