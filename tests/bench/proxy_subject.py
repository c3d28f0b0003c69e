"""The proxy channel in a process of its own, as the daemon runs it, for `tests/bench/proxy.py`.

Policy is the real engine with the standard preset, the ledger the real one on a file, attestation
real reads of /proc. Two records a request are durable before its answer, as in the way of a call.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import uvloop

from supervisor import procfs
from supervisor.channels.http.ca import CertificateAuthority
from supervisor.channels.http.pool import upstream_context
from supervisor.channels.http.proxy import HttpProxyChannel
from supervisor.ledger.store import SqliteLedger
from supervisor.model import (
    Agent,
    CallIdentity,
    Effect,
    Evidence,
    Limits,
    Outcome,
    Process,
    Runtime,
    Task,
    Tier,
    ToolCall,
    User,
    new_id,
)
from supervisor.policy.engine import load_engine
from supervisor.ports import ConnectionOwner, HookAnswer, Release, Secret, Situation
from tests.support.proxy_fakes import HANDLE, SECRET, SURROGATE, TASK, listening


class ProcOwner(ConnectionOwner):
    """Finds a socket's holder below our parent, in /proc."""

    def __init__(self, root: Process) -> None:
        self._root = root

    def owners(self, sockname: tuple[str, int], peername: tuple[str, int]) -> list[Process]:
        wanted = f":{peername[1]:04X} 0100007F:{sockname[1]:04X}"
        inode = next(
            line.split()[9]
            for line in Path("/proc/net/tcp").read_text().splitlines()
            if wanted in line
        )
        return [
            entry.process
            for entry in procfs.processes()
            if self.ancestry(entry.process) and _holds(entry.pid, f"socket:[{inode}]")
        ]

    def ancestry(self, process: Process) -> list[Process]:
        chain: list[Process] = []
        pid = process.pid
        while pid and (entry := procfs.stat(pid)) is not None:
            chain.append(entry.process)
            if entry.process == self._root:
                return chain if chain[0] == process else []
            pid = entry.parent
        return []


def _holds(pid: int, socket: str) -> bool:
    try:
        return any(
            os.readlink(f"/proc/{pid}/fd/{fd}") == socket for fd in os.listdir(f"/proc/{pid}/fd")
        )
    except OSError:
        return False


class Core:
    """The way of a use, with the real policy and ledger and nothing else."""

    def __init__(self, ledger: SqliteLedger, resource: str, cwd: str) -> None:
        self._ledger = ledger
        self._resource = resource
        self._policy = load_engine("standard")
        self._task = Task(
            id=TASK,
            session="s-bench",
            purpose="benchmark",
            cwd=cwd,
            argv=("bench",),
            user=User(os.getuid(), "bench", "localhost"),
            agent=Agent("generic", "/bench", "sha256:0", "", CallIdentity.PROCESS),
            runtime=Runtime("ci", Evidence.OS, Tier.A),
            limits=Limits(),
            created=0.0,
        )

    async def open_call(
        self, task: str, call: ToolCall, sender: Process | None, *, deadline: float = 0.0
    ) -> HookAnswer:
        raise NotImplementedError

    async def settle_call(
        self, task: str, agent_call_id: str, outcome: str, *, subagent: str | None = None
    ) -> None:
        raise NotImplementedError

    async def bind_call(self, task: str, handle: str, ancestry: Sequence[Process]) -> bool:
        return True

    async def authorize_use(
        self,
        task: str,
        handle: str,
        ancestry: Sequence[Process],
        effect: Effect,
        surrogates: Sequence[str],
    ) -> Release:
        assert handle == HANDLE
        assert ancestry
        assert effect.resource == self._resource
        assert SURROGATE in surrogates
        situation = Situation(
            self._task, CallIdentity.PROCESS, self._task.cwd, credential="bench", open_calls=1
        )
        decision = self._policy.decide([effect], situation)
        assert decision.outcome is not Outcome.DENY, decision
        use = new_id("u")
        await self._ledger.append(
            "use.intent",
            {
                "task": task,
                "use": use,
                "lease": "l-bench",
                "effect": effect.label,
                "policies": list(decision.policies),
            },
        )
        return Release("l-bench", use, Secret(SECRET), SURROGATE, "authorization", "Bearer")

    async def used(self, task: str, release: Release, status: int) -> None:
        await self._ledger.append(
            "use.delivered", {"task": task, "use": release.use, "status": status}
        )

    def live(self, task: str, lease: str) -> bool:
        return True

    async def incident(self, task: str, kind: str, detail: Mapping[str, Any]) -> None:
        await self._ledger.append(f"incident.{kind}", {"task": task, "detail": dict(detail)})

    def model_access(self, task: str, ancestry: Sequence[Process], host: str, port: int) -> bool:
        return False


async def main(folder: Path, resource: str) -> None:
    """Serve until SIGTERM; prints the port, and at the end the number of ledger rows."""
    parent = procfs.stat(os.getppid())
    assert parent is not None
    ledger = SqliteLedger(folder / "ledger.db")
    ca = CertificateAuthority()
    (folder / "ours.pem").write_bytes(ca.pem())
    channel = HttpProxyChannel(
        TASK,
        listening(),
        Core(ledger, resource, str(folder)),
        ProcOwner(parent.process),
        ca,
        upstream_tls=upstream_context(str(folder / "roots.pem")),
        allow_private=lambda: frozenset({"localhost"}),
    )
    await channel.serve()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print(channel.port, flush=True)
    await stopped.wait()
    await channel.close()
    print(len(ledger.read(limit=-1)), flush=True)
    await ledger.close()


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1]), sys.argv[2]))
