"""Running a program under a profile with the hook intake and a recording `Authorize`."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import socket
import struct
import termios
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from profiles.mcp_gateway.adapter import McpGateway
from supervisor.errors import TaskpassError
from supervisor.intake.hooks_http import HookIntake, Request
from supervisor.model import Effect, Process, ToolCall
from supervisor.ports import (
    ConnectionOwner,
    HookAnswer,
    HookEvent,
    LaunchPlan,
    LaunchRequest,
    Profile,
    Release,
)

Judge = Callable[[ToolCall], Awaitable[HookAnswer]]


async def allow(call: ToolCall) -> HookAnswer:
    """Let every call pass."""
    return HookAnswer(allow=True)


def deny(reason: str) -> Judge:
    """Refuse every call with this reason."""

    async def judge(call: ToolCall) -> HookAnswer:
        return HookAnswer(allow=False, reason=reason)

    return judge


@dataclass
class RecordingAuthorize:
    """An `Authorize` that lets a test judge, and keeps what it was told."""

    judge: Judge = allow
    opened: list[ToolCall] = field(default_factory=list)
    senders: list[Process | None] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    settled: list[tuple[str, str]] = field(default_factory=list)
    turns: list[str | None] = field(default_factory=list)  # whose turn, for each of `settled`
    spawns: list[tuple[str, str]] = field(default_factory=list)  # a subagent, and by whom
    told: list[str] = field(default_factory=list)  # what it does, besides calls
    incidents: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    async def open_call(
        self, task: str, call: ToolCall, sender: Process | None, *, deadline: float = 0.0
    ) -> HookAnswer:
        self.opened.append(call)
        self.senders.append(sender)
        self.deadlines.append(deadline)
        return await self.judge(call)

    def spawned(self, task: str, subagent: str, by: str) -> None:
        self.spawns.append((subagent, by))

    def activity(self, task: str, notice: str) -> None:
        self.told.append(notice)

    async def settle_call(
        self, task: str, agent_call_id: str, outcome: str, *, subagent: str | None = None
    ) -> None:
        self.settled.append((agent_call_id, outcome))
        self.turns.append(subagent)

    async def incident(self, task: str, kind: str, detail: Mapping[str, Any]) -> None:
        self.incidents.append((kind, detail))

    def aside(self, task: str, agent_call_id: str) -> str:
        return ""

    async def bind_call(self, task: str, handle: str, ancestry: Sequence[Process]) -> bool:
        raise NotImplementedError

    def prefix(self, task: str, ancestry: Sequence[Process]) -> str:
        raise NotImplementedError

    async def authorize_use(
        self,
        task: str,
        handle: str,
        ancestry: Sequence[Process],
        effect: Effect,
        surrogates: Sequence[str],
        further: Sequence[Effect] = (),
    ) -> Release:
        raise NotImplementedError

    async def refused_use(
        self, task: str, handle: str, effects: Sequence[Effect], error: TaskpassError
    ) -> None:
        raise NotImplementedError

    async def used(self, task: str, release: Release, status: int) -> None:
        raise NotImplementedError

    def live(self, task: str, lease: str) -> bool:
        raise NotImplementedError

    def model_access(self, task: str, ancestry: Sequence[Process], host: str, port: int) -> bool:
        raise NotImplementedError


def process(pid: int) -> Process | None:
    """A process with its start time; None when it is gone."""
    try:
        # The name in field 2 may hold anything, a closing parenthesis too.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return Process(pid, int(fields[19]))


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


class ProcOwner(ConnectionOwner):
    """Finds connection owners by reading /proc: slow, plain, and independent of ours."""

    def __init__(self) -> None:
        self.root: Process | None = None

    def owners(self, sockname: tuple[str, int], peername: tuple[str, int]) -> list[Process]:
        wanted = f"{peername[1]:04X}", f"{sockname[1]:04X}"
        inode = ""
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            columns = line.split()
            if (columns[1][-4:], columns[2][-4:]) == wanted:
                inode = columns[9]
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit() and inode and self._holds(entry, f"socket:[{inode}]"):
                holder = process(int(entry))
                if holder is not None:
                    found.append(holder)
        return found

    @staticmethod
    def _holds(pid: str, target: str) -> bool:
        try:
            return any(
                os.readlink(f"/proc/{pid}/fd/{fd}") == target
                for fd in os.listdir(f"/proc/{pid}/fd")
            )
        except OSError:
            return False

    def ancestry(self, process_: Process) -> list[Process]:
        chain: list[Process] = []
        here: Process | None = process_
        while here is not None and here.pid > 1:
            chain.append(here)
            if here == self.root:
                return chain
            here = process(parent(here.pid))
        return []


class KeepingIntake(HookIntake):
    """A hook intake that keeps what was posted to it: events with their bodies."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.posted: list[tuple[str, bytes]] = []

    def _parse(self, request: Request) -> HookEvent:
        self.posted.append((request.event, request.body))
        return super()._parse(request)


@dataclass
class Hooked:
    """A running intake for one task, and what is needed to launch under it."""

    profile: Profile
    authorize: RecordingAuthorize
    owner: ProcOwner
    intake: KeepingIntake
    url: str
    task_dir: Path
    hook_timeout: int
    mcp_url: str

    def prepare(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        home: Path,
        environ: Mapping[str, str],
        contained: bool = True,
        interactive: bool = False,
    ) -> LaunchPlan:
        """The profile's plan for this command line."""
        return self.profile.prepare(
            LaunchRequest(
                task="t-test",
                argv=tuple(argv),
                cwd=str(cwd),
                home=str(home),
                environ=environ,
                task_dir=str(self.task_dir),
                hook_url=self.url,
                hook_timeout=self.hook_timeout,
                contained=contained,
                interactive=interactive,
                mcp_url=self.mcp_url,
            )
        )

    async def run(self, plan: LaunchPlan, cwd: Path, *, timeout: float = 60) -> str:
        """Run it to its end as the task's root process; its output."""
        child = await asyncio.create_subprocess_exec(
            *plan.argv,
            cwd=cwd,
            env=dict(plan.env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self.owner.root = process(child.pid)
        try:
            async with asyncio.timeout(timeout):
                output, _ = await child.communicate()
        except TimeoutError:
            child.kill()
            raise
        return output.decode(errors="replace")

    @asynccontextmanager
    async def in_terminal(self, plan: LaunchPlan, cwd: Path) -> AsyncIterator[bytearray]:
        """Run it in a terminal of 120×40 until the block ends; what it has drawn so far."""
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        child = await asyncio.create_subprocess_exec(
            *plan.argv,
            cwd=cwd,
            env=dict(plan.env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.owner.root = process(child.pid)
        drawn = bytearray()

        def read() -> None:
            try:
                data = os.read(master, 65536)
            except OSError:  # the other side is closed
                loop.remove_reader(master)
                return
            drawn.extend(data)
            for question, reply in _TERMINAL_REPLIES:
                os.write(master, reply * data.count(question))

        loop = asyncio.get_running_loop()
        loop.add_reader(master, read)
        try:
            yield drawn
        finally:
            loop.remove_reader(master)
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
            os.close(master)


# Cursor position, device attributes: agents wait for these before they draw.
_TERMINAL_REPLIES = ((b"\x1b[6n", b"\x1b[1;1R"), (b"\x1b[c", b"\x1b[?62;22c"))


@asynccontextmanager
async def hooked(
    profile: Profile, task_dir: Path, *, judge: Judge = allow, hook_timeout: int = 30
) -> AsyncIterator[Hooked]:
    """A hook intake on loopback for one task."""
    os.mkdir(task_dir, mode=0o700)
    listener = socket.create_server(("127.0.0.1", 0))
    token = secrets.token_hex(8)
    authorize, owner = RecordingAuthorize(judge), ProcOwner()
    intake = KeepingIntake(
        "t-test", listener, token, profile, authorize, owner, hold=hook_timeout / 2
    )
    gateways = socket.create_server(("127.0.0.1", 0))
    # Every definition is shown, and every call passes: the agent's own hook is what is looked at.
    served = HookIntake(
        "t-test", gateways, token, McpGateway(), RecordingAuthorize(), owner,
        hold=hook_timeout / 2, chain=2 + profile.servers_below, reports={"definitions": _shown},
    )  # fmt: skip
    url, mcp_url = (
        f"http://127.0.0.1:{each.getsockname()[1]}/{token}" for each in (listener, gateways)
    )
    await intake.serve()
    await served.serve()
    try:
        yield Hooked(profile, authorize, owner, intake, url, task_dir, hook_timeout, mcp_url)
    finally:
        await intake.close()
        await served.close()


async def _shown(task: str, raw: Mapping[str, Any], hold: float) -> bytes:
    names = [each["name"] for each in raw["definitions"]]
    return json.dumps({"shown": names, "asking": []}).encode()
