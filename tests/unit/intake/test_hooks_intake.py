"""The hook intake over real sockets; this process plays the agent's root."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import profiles
from profiles import find
from supervisor.intake.hooks_http import HookIntake
from supervisor.model import ToolCall
from supervisor.ports import HookAnswer
from tests.support.hooked import Hooked, allow, deny, hooked, process
from tests.support.live import until


def announced(**changes: Any) -> dict[str, Any]:
    event = {
        "hook_event_name": "PreToolUse", "session_id": "s", "cwd": "/work", "tool_name": "Bash",
        "tool_input": {"command": "ls"}, "tool_use_id": "call-1",
    }  # fmt: skip
    return event | changes


class Agent:
    """A keep-alive connection of the agent's root process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, path: str, body: bytes, method: str = "POST") -> None:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        await self.writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        return int(head.split()[1]), await self.reader.readexactly(length)

    async def post(self, at: Hooked, event: dict[str, Any], **changes: Any) -> tuple[int, Any]:
        path = changes.get("path") or f"/{at.url.rsplit('/', 1)[1]}/{event['hook_event_name']}"
        await self.send(path, json.dumps(event).encode())
        status, body = await self.answer()
        return status, json.loads(body)


def decision(body: Any) -> str:
    return str(body["hookSpecificOutput"]["permissionDecision"])


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Hooked]:
    async with hooked(find([], "claude-code"), tmp_path / "task") as running:
        running.owner.root = process(os.getpid())
        yield running


async def connect(at: Hooked) -> Agent:
    port = int(at.url.split(":")[2].split("/")[0])
    return Agent(*await asyncio.open_connection("127.0.0.1", port))


async def test_one_connection_carries_a_whole_call(at: Hooked) -> None:
    agent = await connect(at)
    before = time.time()
    status, body = await agent.post(at, announced())
    assert (status, decision(body)) == (200, "allow")
    assert at.authorize.senders == [at.owner.root]
    # The answer is out before the agent's own patience ends.
    assert before < at.authorize.deadlines[0] < before + at.hook_timeout
    await agent.post(at, announced(hook_event_name="PostToolUse"))
    await agent.post(at, announced(hook_event_name="PostToolUseFailure", tool_use_id="call-2"))
    await agent.post(at, {"hook_event_name": "Stop", "cwd": "/work"})
    assert at.authorize.settled == [("call-1", "ok"), ("call-2", "failed"), ("", "turn ended")]
    assert at.authorize.incidents == []


async def test_whose_turn_has_ended_is_told(at: Hooked) -> None:
    """Subagents work on in the background when the agent's own turn ends."""
    agent = await connect(at)
    await agent.post(at, {"hook_event_name": "Stop"})
    await agent.post(at, {"hook_event_name": "SubagentStop", "agent_id": "a1"})
    await agent.post(at, {"hook_event_name": "SubagentStop"})  # whose? not the agent's own
    await agent.post(at, {"hook_event_name": "SessionEnd"})
    assert at.authorize.turns == ["", "a1", None]


async def test_what_the_agent_waits_for_is_told(at: Hooked) -> None:
    agent = await connect(at)
    await agent.post(at, {"hook_event_name": "UserPromptSubmit", "prompt": "go"})
    for notice in ("permission_prompt", "idle_prompt", "elicitation_dialog", "auth_success"):
        await agent.post(at, {"hook_event_name": "Notification", "notification_type": notice})
    await agent.post(at, {"hook_event_name": "Notification", "message": "of an older version"})
    assert at.authorize.told == ["", "waits", "idle", "waits"]


async def test_a_wrong_token_is_refused_and_recorded(at: Hooked) -> None:
    agent = await connect(at)
    for path in ("/wrong/PreToolUse", "/", "//", f"{at.url}/PreToolUse/more"):
        status, body = await agent.post(at, announced(), path=path)
        assert (status, decision(body)) == (403, "deny")
    assert at.authorize.opened == []
    assert len(at.authorize.incidents) == 4


async def test_another_process_with_the_token_is_refused_and_recorded(at: Hooked) -> None:
    program = (
        "import sys, urllib.request as u, urllib.error as e\n"
        "try: u.urlopen(u.Request(sys.argv[1], sys.argv[2].encode()))\n"
        "except e.HTTPError as error: print(error.code, error.read().decode())\n"
    )
    argv = [sys.executable, "-c", program, f"{at.url}/PreToolUse", json.dumps(announced())]
    done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True)
    assert done.stdout.startswith("403 "), done.stderr
    assert '"deny"' in done.stdout
    assert at.authorize.opened == []
    assert [kind for kind, _ in at.authorize.incidents] == ["forged_hook"]


async def test_a_sender_that_has_gone_is_refused_and_not_called_a_forger(at: Hooked) -> None:
    """A hook that the agent did not wait for: nobody can say any more who it was."""
    at.owner.root = None  # as of a process that ended: no owner is found
    agent = await connect(at)
    await agent.send(f"/{at.url.rsplit('/', 1)[1]}/PreToolUse", json.dumps(announced()).encode())
    agent.writer.transport.abort()
    await until(lambda: at.authorize.incidents, "the record")
    assert [kind for kind, _ in at.authorize.incidents] == ["hook_sender_gone"]
    assert at.authorize.opened == []


async def test_an_unresolved_connection_gets_nothing(at: Hooked) -> None:
    at.owner.root = None
    status, body = await (await connect(at)).post(at, announced())
    assert (status, decision(body)) == (403, "deny")
    assert at.authorize.opened == []
    assert [kind for kind, _ in at.authorize.incidents] == ["forged_hook"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"hook_event_name": "PreToolUse"}', b"\xff\xfe",
             json.dumps(announced(hook_event_name="Stop")).encode(), b"[" * 100_000],
)  # fmt: skip
async def test_a_malformed_input_is_a_denial(at: Hooked, body: bytes) -> None:
    agent = await connect(at)
    await agent.send(f"/{at.url.rsplit('/', 1)[1]}/PreToolUse", body)
    status, answer = await agent.answer()
    assert (status, decision(json.loads(answer))) == (200, "deny")
    assert at.authorize.opened == []


async def test_an_error_in_judging_is_a_denial_without_its_details(at: Hooked) -> None:
    async def judge(call: ToolCall) -> HookAnswer:
        raise RuntimeError("internals")

    at.authorize.judge = judge
    status, body = await (await connect(at)).post(at, announced())
    assert (status, decision(body)) == (200, "deny")
    assert "internals" not in json.dumps(body)


async def test_a_denial_carries_its_reason(at: Hooked) -> None:
    at.authorize.judge = deny("use the preview")
    _, body = await (await connect(at)).post(at, announced())
    assert body["hookSpecificOutput"]["permissionDecisionReason"] == "use the preview"


async def test_an_agent_that_leaves_withdraws_its_question(at: Hooked) -> None:
    asked, withdrawn = asyncio.Event(), asyncio.Event()

    async def judge(call: ToolCall) -> HookAnswer:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            withdrawn.set()
        raise AssertionError("never answered")

    at.authorize.judge = judge
    agent = await connect(at)
    await agent.send(f"/{at.url.rsplit('/', 1)[1]}/PreToolUse", json.dumps(announced()).encode())
    async with asyncio.timeout(10):
        await asked.wait()
        agent.writer.close()
        await withdrawn.wait()


async def test_a_held_question_does_not_hold_another(at: Hooked) -> None:
    answered = asyncio.Event()

    async def judge(call: ToolCall) -> HookAnswer:
        if call.agent_call_id == "slow":
            await answered.wait()
        return HookAnswer(allow=True)

    at.authorize.judge = judge
    slow, quick = await connect(at), await connect(at)
    path = f"/{at.url.rsplit('/', 1)[1]}/PreToolUse"
    await slow.send(path, json.dumps(announced(tool_use_id="slow")).encode())
    async with asyncio.timeout(10):
        _, body = await quick.post(at, announced(tool_use_id="quick"))
        assert decision(body) == "allow"
        answered.set()
        status, _ = await slow.answer()
    assert status == 200


async def test_garbage_closes_the_connection(at: Hooked) -> None:
    agent = await connect(at)
    agent.writer.write(b"\x16\x03\x01 not http\r\n\r\n")
    async with asyncio.timeout(10):
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await agent.answer()
    _, body = await (await connect(at)).post(at, announced())
    assert decision(body) == "allow"


async def test_closing_cuts_what_waits(at: Hooked) -> None:
    asked = asyncio.Event()

    async def judge(call: ToolCall) -> HookAnswer:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError("never answered")

    at.authorize.judge = judge
    agent = await connect(at)
    await agent.send(f"/{at.url.rsplit('/', 1)[1]}/PreToolUse", json.dumps(announced()).encode())
    async with asyncio.timeout(10):
        await asked.wait()
        await at.intake.close()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await agent.answer()


async def test_command_hooks_are_announced_by_a_child_of_the_root(tmp_path: Path) -> None:
    """The hook script itself, with this process as the agent."""
    path = Path(profiles.__file__).with_name("hook.sh")

    async def run(at: Hooked, event: dict[str, Any]) -> tuple[int | None, bytes, bytes]:
        hook = await asyncio.create_subprocess_exec(
            "/bin/sh", str(path), f"{at.url}/{event['hook_event_name']}", "10",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        pid = hook.pid
        out, err = await hook.communicate(json.dumps(event).encode())
        if at.authorize.senders:
            assert at.authorize.senders[-1] is not None
            assert at.authorize.senders[-1].pid == pid
        return hook.returncode, out, err

    async with hooked(find([], "codex"), tmp_path / "task", judge=allow) as at:
        at.owner.root = process(os.getpid())
        assert await run(at, announced()) == (0, b"", b"")
        at.authorize.judge = deny("not now")
        code, out, _ = await run(at, announced())
        assert (code, decision(json.loads(out))) == (0, "deny")
        at.owner.root = process(1)  # somebody else is the agent: this is a forgery
        at.authorize.senders.clear()
        code, out, err = await run(at, announced())
        assert (code, out) == (2, b"")
        assert b"blocked" in err
        await at.intake.close()
        code, out, _ = await run(at, announced())
        assert (code, out) == (2, b"")
        # After Stop, status 2 would send the model on.
        assert (await run(at, announced(hook_event_name="Stop")))[0] == 0


async def test_who_is_started_by_way_of_others_speaks_as_the_agents_own_child(at: Hooked) -> None:
    """An agent may start a relay for each MCP server: what it started itself is the sender."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    intake = HookIntake(
        "t-test", listener, "word", at.profile, at.authorize, at.owner, hold=5, chain=4
    )
    curl = rf"curl -sS --noproxy \* -d @- http://127.0.0.1:{port}/word/PreToolUse; :"

    async def told(words: str) -> tuple[int, str]:
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec("sh", "-c", words, stdin=pipe, stdout=pipe)
        body, _ = await child.communicate(json.dumps(announced()).encode())
        return child.pid, decision(json.loads(body))

    await intake.serve()
    try:
        sender, answer = await told(f"sh -c '{curl}'; :")
        assert answer == "allow"
        assert [each.pid for each in at.authorize.senders if each] == [sender]
        assert (await told(curl))[1] == "deny"
    finally:
        await intake.close()
    assert [kind for kind, _ in at.authorize.incidents] == ["forged_hook"]
