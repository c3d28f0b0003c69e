"""An editor's ACP client, and an agent that keeps to the protocol, with taskpass between them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import TASKPASS, ApiServer, Install

_AGENT = Path(__file__).parents[1] / "support" / "like_acp.py"


@dataclass
class Editor:
    """A client on the pipes of `taskpass run`. It answers nothing that an agent asks."""

    process: subprocess.Popen[str]
    heard: list[dict[str, Any]] = field(default_factory=list)
    _id: int = 0

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a request; what the agent says meanwhile is kept."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._id += 1
        request = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        while line := self.process.stdout.readline():
            message: dict[str, Any] = json.loads(line)  # everything is a message
            if message.get("id") == self._id and "method" not in message:
                return dict(message["result"])
            self.heard.append(message)
        raise AssertionError(f"the agent has ended: {self.process.wait()}")

    def words(self) -> str:
        """What the agent, or we in its place, said to the person."""
        updates = [m["params"]["update"] for m in self.heard if m.get("method") == "session/update"]
        chunks = [u for u in updates if u["sessionUpdate"] == "agent_message_chunk"]
        return "".join(chunk["content"]["text"] for chunk in chunks)


@pytest.fixture
def editor(install: Install, api: ApiServer) -> Iterator[Editor]:
    program = Path(shutil.copy(_AGENT, install.project / "agent.py"))
    program.chmod(0o755)
    words = ("run", "--headless", "--profile", "acp", "--", str(program))
    process = subprocess.Popen(
        [*TASKPASS, *words], cwd=install.project, env=install.environ, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    yield Editor(process)
    process.terminate()
    process.wait(timeout=30)


def test_the_agent_asks_and_policy_answers(
    install: Install, api: ApiServer, editor: Editor
) -> None:
    offers = {"fs": {"readTextFile": True, "writeTextFile": True}, "terminal": True, "own": 7}
    seen = editor.ask("initialize", protocolVersion=1, clientCapabilities=offers)["seen"]
    assert seen["clientCapabilities"] == {
        "fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False, "own": 7,
    }  # fmt: skip
    new = editor.ask("session/new", cwd=str(install.project), mcpServers=[])
    assert new["modes"]["currentModeId"] == "default"
    curl = f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}/me'
    commands = ["echo it-$((40 + 2))", "sudo touch /ran", curl]
    text = {"type": "text", "text": json.dumps(commands)}
    done = editor.ask("session/prompt", sessionId=new["sessionId"], prompt=[text])
    assert done == {"stopReason": "end_turn"}
    said = editor.words()
    routine, refused, asked_api, outside = json.loads(said[said.index("[{") :])
    assert (routine["chosen"], routine["mode"]) == ("yes", "default")
    assert "it-42" in routine["output"]
    assert (refused["chosen"], refused["output"]) == ("no", "")
    assert "sudo" in said[: said.index("[{")]  # the reason, in the conversation
    assert "hello" in asked_api["output"]
    assert api.accepted == ["GET /me"]
    assert "in its task" in outside["outside"]
    # The editor was never asked anything, and heard of each call.
    assert not [m for m in editor.heard if "id" in m]
    (denied,) = install.records("call.denied")
    assert denied["preview"] == "sudo touch /ran"
    (started,) = install.records("task.started")
    assert started["call_identity"] == "process"


def test_an_agent_that_is_not_there_is_one_sentence(install: Install) -> None:
    done = install.cli("run", "--headless", "--profile", "acp", "--", "no-such-agent")
    assert done.returncode == 127
    assert "no-such-agent" in done.stderr
    assert "Traceback" not in done.stderr
