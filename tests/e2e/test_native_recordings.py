"""The inputs kept in `tests/vectors/native` are what the real agents post.

With TASKPASS_RECORD=1 they are written anew; this machine's folders become `/work` and `/home/ana`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from supervisor.model import ToolCall
from supervisor.ports import HookAnswer
from tests.support.benched import set_up
from tests.support.every_agent import WAYS
from tests.support.hooked import hooked
from tests.support.native import Native, keep, native, shape
from tests.support.scripted_model import ScriptedModel

_RECORD = bool(os.environ.get("TASKPASS_RECORD"))
_SERVER = Path(__file__).parents[1] / "support" / "mcp_server.py"
# What OpenClaw's model calls the tools by that it does not see; announced, and not recorded.
_BY_NAME = "tool_call"


@pytest.mark.parametrize("label", WAYS)
def test_they_are_of_the_versions_that_the_tests_run(label: str) -> None:
    way = WAYS[label]
    for name in (*(f"{way.before}-{tool}" for tool in way.tools(Path("/work"))), *way.further):
        assert native(label, name).version == way.package.version


async def _only_the_first(call: ToolCall) -> HookAnswer:
    """Nothing that is recorded happens, but a greeting, so that its end is told too."""
    return HookAnswer(call.command == "echo hello" or call.tool == _BY_NAME, "only looking")


@pytest.mark.full
@pytest.mark.timeout(400)
@pytest.mark.parametrize("label", WAYS)
async def test_the_real_agent_posts_what_is_kept(
    label: str, scripted_model: ScriptedModel, tmp_path: Path
) -> None:
    way, notes = WAYS[label], tmp_path / "home/notes"
    servers = {"notes": [sys.executable, str(_SERVER), str(notes)]}
    bench = set_up(way.agent(), scripted_model, tmp_path, servers)
    (bench.workspace / "note.txt").write_text("hello")
    notes.mkdir()
    wanted = way.tools(bench.workspace)
    async with hooked(bench.profile, bench.task_dir, judge=_only_the_first) as at:
        output = await bench.run(at, *wanted.values())
    calls = [
        body
        for event, body in at.intake.posted
        if event == way.before and json.loads(body).get("toolName") != _BY_NAME
    ]
    assert len(calls) == len(wanted), output
    posted = {
        f"{way.before}-{name}": (way.before, body) for name, body in zip(wanted, calls, strict=True)
    }
    posted |= {event: (event, body) for event, body in at.intake.posted if event in way.further}
    assert {*posted} >= {*way.further}
    for name, (event, body) in posted.items():
        text = body.decode()
        for place, plain in ((bench.workspace, "/work"), (bench.home, "/home/ana"),
                             (bench.task_dir, "/run/task")):  # fmt: skip
            text = text.replace(str(place), plain)
        # Claude Code names folders after the one it works in.
        text = text.replace(re.sub("[^A-Za-z0-9]", "-", str(tmp_path)), "")
        found = Native(label, bench.agent.version, "recorded", event, text)
        if _RECORD:
            keep(name, found)
        assert shape(native(label, name).fields()) == shape(found.fields()), name
