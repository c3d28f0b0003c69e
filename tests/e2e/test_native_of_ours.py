"""What our own agents post, and what an MCP client sends, is what `tests/vectors/native` has.

With TASKPASS_RECORD=1 it is written anew.
"""

from __future__ import annotations

import inspect
import json
import os
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

from mcp import Client
from mcp.client.stdio import StdioServerParameters

from profiles import find
from supervisor.demo import agent
from supervisor.gateway.announce import Announcer
from tests.support.hooked import deny, hooked, process
from tests.support.native import Native, keep, native, shape

_SERVER = Path(__file__).parents[1] / "support" / "mcp_server.py"


def _compare(name: str, found: Native) -> None:
    if os.environ.get("TASKPASS_RECORD"):
        keep(name, found)
    kept = native(found.agent, name)
    assert (kept.event, kept.version) == (found.event, found.version)
    assert shape(kept.fields()) == shape(found.fields()), name


async def test_the_demos_agent_posts_what_is_kept(tmp_path: Path) -> None:
    program = tmp_path / "taskpass-demo-agent"
    program.write_text(f"#!{sys.executable}\n{inspect.getsource(agent)}")
    program.chmod(0o700)
    async with hooked(find([str(program)]), tmp_path / "task", judge=deny("only looking")) as at:
        plan = at.prepare(
            (str(program), "--json", "watch"), cwd=tmp_path, home=tmp_path, environ={}
        )
        output = await at.run(plan, tmp_path)
    assert at.intake.posted, output
    event, body = at.intake.posted[0]
    text = body.decode().replace(str(tmp_path), "/work")
    _compare("PreToolUse-Bash", Native("demo", "", "recorded", event, text))


async def test_the_gateway_posts_what_is_kept(tmp_path: Path) -> None:
    async with hooked(find([], "mcp"), tmp_path / "task") as at:
        at.owner.root = process(os.getpid())
        async with (
            Announcer(at.url, "notes", "") as announcer,
            announcer.call("get_note", {"name": "one"}, "sha256:0"),
        ):
            pass
    event, body = at.intake.posted[0]
    text = body.decode().replace(os.getcwd(), "/work")
    _compare("call-mcp", Native("mcp", "", "recorded", event, text))


async def test_an_mcp_client_sends_what_is_kept(tmp_path: Path) -> None:
    """The official SDK's, by standard input."""
    heard = tmp_path / "heard"
    (tmp_path / "one.txt").write_text("hello")
    served = shlex.join([sys.executable, str(_SERVER), str(tmp_path)])
    program = StdioServerParameters(command="sh", args=["-c", f"tee {heard} | {served}"])
    async with Client(program) as client:
        await client.call_tool("get_note", {"name": "one"})
    lines = {json.loads(line)["method"]: line for line in heard.read_text().splitlines()}
    for method in ("server/discover", "tools/call"):
        name = method.replace("/", "-")
        _compare(name, Native("mcp", version("mcp"), "recorded", method, lines[method]))
