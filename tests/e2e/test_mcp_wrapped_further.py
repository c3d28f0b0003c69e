"""MCP servers that further real agents are configured with, behind the gateway."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.support.every_agent import WAYS
from tests.support.live import ApiServer, Install
from tests.support.mcp_upstream import TOKEN, upstream
from tests.support.scripted_model import ScriptedModel, call
from tests.support.supervised import supervise
from tests.support.way import MODEL_KEY

pytestmark = pytest.mark.full
SERVER = Path(__file__).parents[1] / "support/mcp_server.py"
# How each names a tool of the server `notes` to its model.
NAMES = {
    "copilot": "notes-", "opencode": "notes_", "gemini": "mcp_notes_", "qwen": "mcp__notes__",
}  # fmt: skip


@pytest.mark.parametrize("label", sorted(NAMES))
async def test_a_servers_tool_is_one_call_with_its_own_credential(
    label: str, install: Install, api: ApiServer, scripted_model: ScriptedModel
) -> None:
    (install.project / "notes").mkdir()
    (install.project / "notes/today.txt").write_text("water the plants")
    (install.project / "server.py").write_text(SERVER.read_text())
    command = [
        sys.executable, str(install.project / "server.py"), str(install.project / "notes"),
        f"https://{api.host}/me",
    ]  # fmt: skip
    agent = WAYS[label].agent()
    supervised = supervise(agent, install, scripted_model, servers={"notes": command})
    tool = NAMES[label]
    output = await supervised.run(
        supervised.shell("echo begun"),
        call(f"{tool}get_note", name="today"),
        call(f"{tool}get_environment"),
        call(f"{tool}get_account"),
    )
    _, read, environment, account = scripted_model.last.results.values()
    assert "water the plants" in read, output
    assert "API_TOKEN=" in environment
    assert api.token not in environment
    assert "ana" in account, account
    records = await asyncio.to_thread(install.records, "call.opened")
    tools = [one["tool"] for one in records if one["tool"].startswith("mcp__")]
    assert [each for each in tools if "@" not in each] == [
        "mcp__notes__get_note", "mcp__notes__get_environment", "mcp__notes__get_account",
    ]  # fmt: skip
    (use,) = await asyncio.to_thread(install.records, "use.intent")
    assert use["call"] == records[-1]["call"]


async def test_a_projects_server_is_behind_the_gateway_too(
    install: Install, scripted_model: ScriptedModel
) -> None:
    """Of Gemini, whose project's settings win over all that we can write; they stay as they are."""
    (install.project / "notes").mkdir()
    (install.project / "notes/today.txt").write_text("water the plants")
    command = [sys.executable, str(SERVER), str(install.project / "notes"), ""]
    file = install.project / ".gemini/settings.json"
    file.parent.mkdir()
    text = json.dumps({"mcpServers": {"notes": {"command": command[0], "args": command[1:]}}})
    file.write_text(text)
    supervised = supervise(WAYS["gemini"].agent(), install, scripted_model)
    output = await supervised.run(call("mcp_notes-taskpass_get_note", name="today"))
    assert "water the plants" in scripted_model.last.last_result, output
    (opened,) = [
        one
        for one in await asyncio.to_thread(install.records, "call.opened")
        if "@" not in one["tool"]
    ]
    assert opened["tool"] == "mcp__notes__get_note"
    assert file.read_text() == text


async def test_a_server_at_an_address_gets_a_token_for_each_call(
    install: Install, scripted_model: ScriptedModel
) -> None:
    """Of opencode, whose settings can only be merged with ours."""
    with upstream() as tracker:
        roots = install.root / "roots.pem"
        tracker.authority.cert_pem.write_to_path(str(roots))
        install.configure(f'[network]\nextra_roots = "{roots}"\n')
        added = await asyncio.to_thread(
            install.cli, "credential", "add", "tracker", "--host", tracker.host,
            "--env", "TRACKER_TOKEN", stdin=TOKEN + "\n",
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
        supervised = supervise(WAYS["opencode"].agent(), install, scripted_model)
        file = install.home / ".config/opencode/opencode.json"
        settings = json.loads(file.read_text())
        headers = {"Authorization": "Bearer {env:TRACKER_TOKEN}", "X-Key": "sk-live-1234567890"}
        url = f"https://{tracker.host}/mcp"
        settings["mcp"] = {"notes": {"type": "remote", "url": url, "headers": headers}}
        # A comment, as settings of people have them.
        file.write_text(f"// mine, see https://example.com\n{json.dumps(settings)}")
        output = await supervised.run(supervised.shell("true"), call("notes_get_issue", number=7))
    assert "issue 7" in scripted_model.last.last_result, output
    assert set(tracker.seen) == {f"Bearer {TOKEN}"}
    assert "header X-Key" in output


async def test_a_server_of_openclaw_is_behind_the_gateway(
    install: Install, api: ApiServer, scripted_model: ScriptedModel
) -> None:
    """It gives its servers no variables, and its model calls their tools through another tool."""
    (install.project / "notes").mkdir()
    (install.project / "notes/today.txt").write_text("water the plants")
    (install.project / "server.py").write_text(SERVER.read_text())
    supervised = supervise(WAYS["openclaw"].agent(), install, scripted_model)
    file = install.home / ".openclaw/openclaw.json"
    words = ["server.py", "notes", f"https://{api.host}/me"]
    notes = {
        "command": sys.executable, "args": words, "cwd": str(install.project),
        "env": {"NOTES_TOKEN": "sk-live-1234567890"},
    }  # fmt: skip
    text = json.dumps(json.loads(file.read_text()) | {"mcp": {"servers": {"notes": notes}}})
    file.write_text(text)

    def tool(name: str, /, **arguments: str) -> dict[str, object]:
        return call("tool_call", id=f"notes__{name}", args=arguments)

    output = await supervised.run(
        tool("get_note", name="today"), tool("get_environment"), tool("get_account")
    )
    read, environment, account = scripted_model.last.results.values()
    assert "water the plants" in read, output
    assert "NOTES_TOKEN" not in environment
    assert api.token not in environment
    assert MODEL_KEY not in environment
    assert "ana" in account, account
    records = await supervised.records("call.opened")
    tools = [one["tool"] for one in records if one["tool"].startswith("mcp__")]
    assert [each for each in tools if "@" not in each] == [
        "mcp__notes__get_note", "mcp__notes__get_environment", "mcp__notes__get_account",
    ]  # fmt: skip
    (use,) = await supervised.records("use.intent")
    assert use["call"] == records[-1]["call"]
    assert "NOTES_TOKEN" in output
    assert file.read_text() == text
