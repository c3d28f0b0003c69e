"""The real opencode as an ACP agent that nobody knows: the long form, `-m full`."""

from __future__ import annotations

import asyncio
import json
import subprocess
from urllib.parse import urlsplit

import pytest

from tests.e2e.test_acp_live import Editor
from tests.support.every_agent import WAYS
from tests.support.live import TASKPASS, Install
from tests.support.scripted_model import ScriptedModel, script
from tests.support.supervised import Supervised, supervise

pytestmark = pytest.mark.full


def _editor(supervised: Supervised, config: str) -> Editor:
    """Its client, in a place where nothing is known of it: what it needs is let in by hand."""
    port = str(urlsplit(supervised.model.url).port)
    words = ["run", "--headless", "--profile", "acp", "--write", config, "--loopback", port]
    process = subprocess.Popen(
        [*TASKPASS, *words, "--", *supervised.agent.argv, "acp"], text=True,
        cwd=supervised.install.project, env=supervised.environ,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    return Editor(process)


@pytest.mark.timeout(300)
async def test_what_it_asks_its_editor_is_answered_by_policy(
    install: Install, scripted_model: ScriptedModel
) -> None:
    supervised = supervise(WAYS["opencode"].agent(), install, scripted_model)
    config = install.home / ".config/opencode/opencode.json"
    told = json.loads(config.read_text())
    config.write_text(json.dumps({**told, "permission": {"bash": "ask", "edit": "ask"}}))
    editor = _editor(supervised, str(config.parent))

    def talk() -> None:
        editor.ask("initialize", protocolVersion=1, clientCapabilities={})
        session = editor.ask("session/new", cwd=str(install.project), mcpServers=[])["sessionId"]
        run, refused = "echo it-$((40 + 2)) > made; cat made", "sudo touch /ran"
        text = {"type": "text", "text": script(supervised.shell(run), supervised.shell(refused))}
        editor.ask("session/prompt", sessionId=session, prompt=[text])

    try:
        await asyncio.wait_for(asyncio.to_thread(talk), 120)
    finally:
        editor.process.kill()
        editor.process.wait()
    assert "it-42" in next(iter(scripted_model.last.results.values()))
    assert (install.project / "made").read_text() == "it-42\n"
    opened = await asyncio.to_thread(install.records, "call.opened")
    assert "cat made" in opened[-1]["preview"]
    (denied,) = await asyncio.to_thread(install.records, "call.denied")
    assert denied["preview"] == "sudo touch /ran"
