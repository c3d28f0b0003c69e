"""The demo's story as text, told from the ledger: what was asked, decided, lent and ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from supervisor.client import AsyncClient
from supervisor.demo.agent import SHOWN, STREAMING
from supervisor.demo.install import DemoInstall
from supervisor.errors import LaunchFailed, TimedOut
from supervisor.model import Tier
from supervisor.protocol.wire import Recorded, Snapshot, TaskView

_PATIENCE = 60.0  # seconds for one step, on a slow machine
_CALL_AGE = 3.0  # seconds after which the second task's call has nothing left
_COLUMN = 10
_OPENING = """\
A coding agent works at a support desk. The desk's API has one token, which the agent never
gets: each of its tool calls is identified, judged, and lent what it needs for that one call.
There is no terminal here, so a script of this demo answers where you would be asked."""

Record = dict[str, Any]


@dataclass(slots=True)
class Agent:
    """A running agent of the demo: its task, and what it says."""

    task: TaskView
    process: asyncio.subprocess.Process

    async def says(self) -> dict[str, Any] | None:
        """The next thing it says; None at its end."""
        assert self.process.stdout is not None
        async with asyncio.timeout(_PATIENCE):
            line = await self.process.stdout.readline()
        said: dict[str, Any] | None = json.loads(line) if line else None
        return said


@dataclass(slots=True)
class Story:
    """Tells it once. `say` prints one line."""

    install: DemoInstall
    client: AsyncClient
    say: Callable[[str], None] = print
    _outputs: list[str] = field(default_factory=list)
    _told: int = 0  # records of the step that have been told
    _stand_in: str = ""

    async def tell(self) -> None:
        """From the first call to the verified history.

        Raises:
            TaskpassError: a part of it did not happen.
        """
        await self.client.connect()
        self.say(_OPENING)
        try:
            async with self._agent("answer", "answer ticket 7") as agent:
                self._identity(agent.task)
                await self._work(agent)
                await self._expiry()
                await self._revocation(agent)
        except TimeoutError:
            raise TimedOut(
                "The demo did not go on.", hint="Try again; the machine may be too busy."
            ) from None
        await self._end()

    @asynccontextmanager
    async def _agent(self, name: str, purpose: str, *options: str) -> AsyncIterator[Agent]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", "supervisor.cli.main", "run", "--headless",
            "--purpose", purpose, *options, "--", self.install.agent, "--json", name,
            cwd=self.install.project,
            # The shell is where every system has it, also for whom PATH leads elsewhere: a
            # contained task sees no other place outside its project.
            env=os.environ | {"PATH": f"{os.environ.get('PATH', '')}:{os.defpath}"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            yield Agent(await self._task(purpose, process), process)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            raise
        finally:
            await process.wait()

    async def _task(self, purpose: str, process: asyncio.subprocess.Process) -> TaskView:
        async with asyncio.timeout(_PATIENCE):
            while process.returncode is None:
                for task in (await self.client.snapshot()).tasks:
                    if task.purpose == purpose:
                        return task
                await asyncio.sleep(0.02)
        raise LaunchFailed("The demo's agent did not start; its reason stands above.")

    # ── the parts ───────────────────────────────────────────────────────────────────────

    def _identity(self, task: TaskView) -> None:
        self.say("\nThe identity of every call")
        contained = f"contained, tier {task.tier}" if Tier(task.tier).contained else task.tier
        why = f" ({task.tier_detail})" if task.tier_detail else ""
        self._line("user", task.user)
        self._line("agent", f"{task.agent} (it follows a script in place of a model)")
        self._line("runtime", f"{task.runtime}, {contained}{why}")
        self._line("task", f"{task.id}, {task.purpose}")

    async def _work(self, agent: Agent) -> None:
        """The calls of the first task, up to the one that goes on until it is ended."""
        while (said := await agent.says()) is not None:
            step = said["step"]
            match said["event"]:
                case "want":
                    self.say(f"\n{step}. {said['text']}")
                    self._told = 0
                    self._outputs.clear()
                case "call":
                    self._line("agent", f"calls    {said['text']}")
                case "output":
                    self._outputs.append(said["text"])
                    if step == STREAMING:
                        await self._tell_records(agent, step, "use.intent")
                        return
                case "denied":
                    await self._tell_records(agent, step, "call.denied")
                    self._line("agent", f"is told  {said['text']}")
                case "exit":
                    await self._tell_records(agent, step, "call.settled")
        raise LaunchFailed("The demo's agent ended early.")

    async def _expiry(self) -> None:
        self.say("\n7. A second task: one call of it may last three seconds.")
        self._told = 0
        age = f"{_CALL_AGE / 60:.3f}"
        async with self._agent("watch", "watch build 12", "--max-call-age", age) as agent:
            while (said := await agent.says()) is not None:
                if said["event"] == "call":
                    self._line("agent", f"calls    {said['text']}")
                elif said["event"] == "output":
                    self._outputs = [said["text"]]
                elif said["event"] == "exit":
                    await self._tell_records(agent, 1, "call.settled")

    async def _revocation(self, agent: Agent) -> None:
        self.say("\n8. The first task still streams. Now everything is taken away from it.")
        self._outputs.clear()
        view = await self.client.revoke_task(agent.task.id)
        self._line("user", "revokes the task  (by this demo's script)")
        dead = view.leases_dead + view.leases_unconfirmed
        self._line(
            "taskpass",
            f"revoked in {view.took_ms:.1f} ms: {dead} lease dead, "
            f"{view.connections_cut} connections cut, its epoch is raised",
        )
        while await agent.says() is not None:
            pass  # its last words, until it is gone
        async with asyncio.timeout(_PATIENCE):
            async for event in self.client.events():
                seen = event.records if isinstance(event, Snapshot) else ()
                if isinstance(event, Recorded):
                    seen = (event.record,)
                if any((r["kind"], r.get("task")) == ("task.killed", agent.task.id) for r in seen):
                    break
        self._line("taskpass", "its processes are ended")
        self._line("agent", f"is gone with exit code {await agent.process.wait()}")

    async def _end(self) -> None:
        verified = await self.client.verify()
        api = self.install.api
        self.say("\nAfterwards")
        status = await asyncio.to_thread(api.status_for, self._stand_in)
        self._line("api", f"the agent's stand-in, sent to it directly: {status}")
        self._line("api", f"accepted {api.accepted} requests, each with the real token")
        self._line(
            "history", f"{verified.records} records, {'ok' if verified.ok else 'BROKEN'}: "
            f"{verified.message}",
        )  # fmt: skip
        self.say("\nNow with a real agent, in a terminal:  taskpass run -- claude")

    # ── records as sentences ────────────────────────────────────────────────────────────

    async def _tell_records(self, agent: Agent, step: int, end: str) -> None:
        """Tell a step's records, once the one of kind `end` is among them."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                records = of_step(await self.client.history(task=agent.task.id), step)
                kinds = [record["kind"] for record in records]
                # How a use went is written beside the end of its call, before or after it.
                going = end != "use.intent" and "use.delivered" not in kinds[-2:]
                if end in kinds and not ("use.intent" in kinds and going):
                    break
                await asyncio.sleep(0.02)
        records.sort(key=lambda record: record["kind"] == "call.settled")
        for record in records[self._told :]:
            if record["kind"] == "call.settled":
                self._tell_outputs()
            for who, what in sentences(record):
                self._line(who, what)
        self._told = len(records)

    def _tell_outputs(self) -> None:
        for text in self._outputs:
            self._line("agent", f"reads    {text}")
            if text.startswith(SHOWN):
                self._stand_in = text.removeprefix(SHOWN)
        self._outputs.clear()

    def _line(self, who: str, what: str) -> None:
        self.say(f"   {who:<{_COLUMN}}{what}")


def of_step(records: Sequence[Record], step: int) -> list[Record]:
    """The records of one call of the agent's script, in order."""
    ids: set[str] = set()
    found = []
    for record in records:
        mine = record.get("agent_call_id") == f"call-{step}" or ids.intersection(
            str(record.get(name)) for name in ("call", "use") if record.get(name)
        )
        if mine:
            ids.update(str(record[name]) for name in ("call", "use") if record.get(name))
            found.append(record)
    return found


def sentences(record: Record) -> list[tuple[str, str]]:
    """What one record says, as (who, what)."""
    # The first rule speaks for the others.
    rules = f"  [{record['policies'][0]}]" if record.get("policies") else ""
    match record["kind"]:
        case "call.opened":
            return [("taskpass", f"allow    {record['preview']}{rules}")]
        case "call.denied":
            return [("taskpass", f"deny     {record['preview']}{rules}")]
        case "approval.asked":
            effects = ", ".join(record["effects"])
            return [("taskpass", f"ask      {effects}, {record['risk']} risk{rules}")]
        case "approval.answered":
            note = f": {record['note']}" if record["note"] else ""
            return [("user", f"{record['answer']}  (by this demo's script){note}")]
        case "use.intent":
            lent = f"lends `{record['credential']}` by lease {record['lease']}"
            return [("taskpass", f"allow    {record['effect']}, {lent}")]
        case "use.delivered":
            return [("api", f"gets the real token, answers {record['status']}")]
        case "use.denied":
            return [("taskpass", f"refused  {record['effect']}")]
        case "call.settled" if record["leases"]:
            late = record["outcome"] == "maximum age"
            how = "has expired: cut off in mid-stream" if late else "closed, with its call"
            return [("taskpass", f"lease    {', '.join(record['leases'])} {how}")]
    return []
