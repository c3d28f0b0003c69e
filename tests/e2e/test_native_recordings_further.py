"""As `test_native_recordings`, for the agents besides Claude Code and Codex."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from supervisor.model import ToolCall
from supervisor.ports import HookAnswer
from tests.e2e.test_hooks_further_agents import Bench, bench
from tests.support.further_agents import WAYS
from tests.support.hooked import hooked
from tests.support.native import Native, keep, native, shape

__all__ = ["bench"]  # a fixture

_RECORD = bool(os.environ.get("TASKPASS_RECORD"))
_SERVER = Path(__file__).parents[1] / "support" / "mcp_server.py"


@pytest.mark.parametrize("label", sorted(WAYS))
def test_they_are_of_the_versions_that_the_tests_run(label: str) -> None:
    way = WAYS[label]
    for name in (*(f"{way.before}-{tool}" for tool in way.tools(Path("/work"))), *way.further):
        assert native(label, name).version == way.package.version


async def _only_the_first(call: ToolCall) -> HookAnswer:
    """Nothing that is recorded happens, but a greeting, so that its end is told too."""
    return HookAnswer(call.command == "echo hello", "only looking")


@pytest.mark.full
async def test_the_real_agent_posts_what_is_kept(bench: Bench, tmp_path: Path) -> None:
    way = bench.way
    (bench.work / "note.txt").write_text("hello")
    notes = bench.at.home / "notes"
    notes.mkdir()
    way.with_server(bench.at, "notes", [sys.executable, str(_SERVER), str(notes)])
    wanted = way.tools(bench.work)
    async with hooked(bench.profile, bench.task_dir, judge=_only_the_first) as at:
        output = await bench.run(at, *wanted.values())
    calls = [body for event, body in at.intake.posted if event == way.before]
    assert len(calls) == len(wanted), output
    posted = {
        f"{way.before}-{name}": (way.before, body) for name, body in zip(wanted, calls, strict=True)
    }
    posted |= {event: (event, body) for event, body in at.intake.posted if event in way.further}
    assert {*posted} >= {*way.further}
    for name, (event, body) in posted.items():
        text = body.decode()
        for place, plain in ((bench.work, "/work"), (bench.at.home, "/home/ana"),
                             (bench.task_dir, "/run/task")):  # fmt: skip
            text = text.replace(str(place), plain)
        found = Native(bench.profile.name, way.package.version, "recorded", event, text)
        if _RECORD:
            keep(name, found)
        kept = native(bench.profile.name, name)
        assert shape(kept.fields()) == shape(found.fields()), name
