"""The program in a task before an ACP agent: it passes messages on, and answers questions.

    python -m supervisor.acp.serve FILE

FILE is what `profiles.acp` wrote: the agent's command, and where calls are announced. What the
agent asks its client for permission is announced as a call and answered as it is judged. What it
asks the client to do outside the task is refused.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from supervisor.acp import messages

_LONGEST = 64 * 1024 * 1024  # bytes of one message: pictures travel in them
_NO_ANSWER = "The supervisor does not answer, so nothing is done."
_OUTSIDE = "Inside taskpass the agent does this itself, in its task."

Write = Callable[[bytes], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Between:
    """One client and one agent.

    Args:
        url: of the hook intake, with its token.
        to_client, to_agent: write one line.
        cwd: where a session works of which we do not know better.
    """

    url: str
    http: aiohttp.ClientSession
    to_client: Write
    to_agent: Write
    cwd: str
    _cwds: dict[str, str] = field(default_factory=dict, init=False)  # by session
    _beginning: dict[Any, str] = field(default_factory=dict, init=False)  # request → its folder
    _prompts: set[Any] = field(default_factory=set, init=False)
    _own: set[Any] = field(default_factory=set, init=False)  # requests of ours to the agent
    _asked: set[str] = field(default_factory=set, init=False)  # calls that were allowed
    _busy: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    async def from_client(self, line: bytes) -> None:
        """Pass on what the client says."""
        message = messages.read(line)
        if message is None:
            _left_out("client")
            return
        method, told = message.get("method"), messages.params(message)
        if method == "initialize":
            message = messages.without_outside(message)
        elif method == messages.NEW:
            self._beginning[message.get("id")] = str(told.get("cwd", self.cwd))
        elif method == messages.LOAD:
            self._cwds[str(told.get("sessionId"))] = str(told.get("cwd", self.cwd))
        elif method == messages.PROMPT:
            self._prompts.add(message.get("id"))
            await self._post("prompt", {})
        await self.to_agent(messages.written(message))

    async def from_agent(self, line: bytes) -> None:
        """Pass on what the agent says, or answer it."""
        message = messages.read(line)
        if message is None:
            _left_out("agent")
            return
        method = message.get("method")
        if not isinstance(method, str):
            await self._answered(message)
            return
        if method == messages.ASK and "id" in message:
            work = asyncio.create_task(self._permission(message))
            self._busy.add(work)
            work.add_done_callback(self._busy.discard)
            return
        if messages.is_outside(method):
            if "id" in message:
                await self.to_agent(messages.written(messages.error(message, _OUTSIDE)))
            return
        how, call = messages.ended(message)
        if call in self._asked:
            self._asked.discard(call)
            await self._post(how, {"toolCallId": call})
        await self.to_client(messages.written(message))

    async def _answered(self, message: dict[str, Any]) -> None:
        """An answer of the agent's to a request."""
        request = message.get("id")
        if request in self._own:
            self._own.discard(request)
            return
        if request in self._prompts:
            self._prompts.discard(request)
            await self._post("turn_end", {})
        if request in self._beginning:
            folder, told = self._beginning.pop(request), message.get("result")
            session = told.get("sessionId") if isinstance(told, dict) else None
            if isinstance(session, str):
                self._cwds[session] = folder
                message, mode = messages.in_asking_mode(message)
                if mode:
                    await self._set_mode(session, mode)
        await self.to_client(messages.written(message))

    async def _set_mode(self, session: str, mode: str) -> None:
        own = f"taskpass-{secrets.token_hex(8)}"
        self._own.add(own)
        told = {"sessionId": session, "modeId": mode}
        request = {"jsonrpc": "2.0", "id": own, "method": messages.SET_MODE, "params": told}
        await self.to_agent(messages.written(request))

    async def _permission(self, message: dict[str, Any]) -> None:
        told = messages.params(message)
        session, call = str(told.get("sessionId", "")), told.get("toolCall")
        body = {"session_id": session, "cwd": self._cwds.get(session, self.cwd), "toolCall": call}
        answer = await self._post("request_permission", body)
        granted, reason = answer.get("granted") is True, str(answer.get("reason", ""))
        if granted and isinstance(call, dict):
            self._asked.add(str(call.get("toolCallId")))
        if not granted:
            await self.to_client(messages.written(messages.said(session, f"taskpass: {reason}\n")))
        choice = messages.chosen(message, allow=granted, reason=reason)
        await self.to_agent(messages.written(choice))

    async def _post(self, event: str, body: dict[str, Any]) -> dict[str, Any]:
        """The supervisor's answer; one that grants nothing where there is none."""
        told = {"hook_event_name": event, **body}
        try:
            async with self.http.post(f"{self.url}/{event}", json=told) as response:
                answer = await response.json()
        except (aiohttp.ClientError, ValueError, OSError):
            answer = None
        return answer if isinstance(answer, dict) else {"reason": _NO_ANSWER}


def _left_out(whose: str) -> None:
    print(f"taskpass: a line of the {whose} is no message, and was left out", file=sys.stderr)


async def serve(told: dict[str, Any]) -> int:
    """Stand between our input and output and the agent until either ends; the agent's exit code.

    Raises:
        OSError: the agent cannot be started.
    """
    loop = asyncio.get_running_loop()
    agent = await asyncio.create_subprocess_exec(
        *told["argv"], stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LONGEST
    )
    assert agent.stdin is not None
    assert agent.stdout is not None
    heard = asyncio.StreamReader(limit=_LONGEST)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(heard), sys.stdin)
    stdin, lock = agent.stdin, asyncio.Lock()

    async def to_agent(line: bytes) -> None:
        stdin.write(line)
        await stdin.drain()

    async def to_client(line: bytes) -> None:
        async with lock:
            await loop.run_in_executor(None, _out, line)

    # No proxy and no time limit: the intake holds a call while a person is asked.
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(trust_env=False, timeout=timeout) as http:
        between = Between(told["hook_url"], http, to_client, to_agent, told["cwd"])
        client = asyncio.create_task(_lines(heard, between.from_client))
        speaking = asyncio.create_task(_lines(agent.stdout, between.from_agent))
        await asyncio.wait({client, speaking}, return_when=asyncio.FIRST_COMPLETED)
        if client.done() and not speaking.done():
            stdin.close()  # it ends as it would without us
            await speaking
        client.cancel()
    return await agent.wait()


async def _lines(reader: asyncio.StreamReader, each: Write) -> None:
    while line := await reader.readline():
        if line.strip():
            await each(line)


def _out(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def main() -> int:
    told = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    try:
        return asyncio.run(serve(told))
    except (BrokenPipeError, ConnectionResetError):
        return 0  # the other side has gone
    except OSError as error:
        print(f"taskpass: the agent cannot be started: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
