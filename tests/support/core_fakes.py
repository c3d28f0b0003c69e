"""The engine in memory: every port a fake that can be told to fail, or to wait."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from supervisor.approvals.queue import ApprovalQueue
from supervisor.calls.owed import Owed, OwedStore
from supervisor.calls.recorder import Recorder
from supervisor.core import Engine
from supervisor.desk import Desk, TaskRuntime
from supervisor.effects.files import Place
from supervisor.errors import LaunchFailed, LedgerFailed, VaultLocked
from supervisor.grants.book import Book, TaskEntry
from supervisor.model import (
    Agent,
    Call,
    CallIdentity,
    CredentialSpec,
    Decision,
    Effect,
    Evidence,
    FileDoor,
    KillMode,
    Limits,
    Outcome,
    Process,
    Runtime,
    Task,
    Tier,
    ToolCall,
    ToolKind,
    User,
    Verb,
    new_id,
)
from supervisor.ports import (
    Channel,
    ConnectionOwner,
    Entry,
    Issuer,
    Kind,
    LedgerStore,
    MintContext,
    Minted,
    PolicyEngine,
    Release,
    Secret,
    Situation,
    TaskControl,
    Vault,
)
from supervisor.tasks.lifecycle import Lifecycle

ROOT = Process(100, 1)
CHILD = Process(200, 1 << 40)  # started after everything the test does
REAL, STAND_IN = "the-real-secret", "a-stand-in"
HOST = "api.example"


def a_task() -> Task:
    return Task(
        id=new_id("t"),
        session="s-1",
        purpose="a test",
        cwd="/work",
        argv=("agent",),
        user=User(1000, "ana", "laptop"),
        agent=Agent("generic", "/bin/agent", "sha256:0", "1", CallIdentity.CALL),
        runtime=Runtime("laptop", Evidence.OS, Tier.A),
        limits=Limits(),
        created=time.time(),
    )


def a_shell_call(command: str = "make") -> ToolCall:
    return ToolCall(new_id("x"), "Bash", ToolKind.SHELL, {"command": command}, "/work", command)


def a_call(task: str, *, epoch: int = 1, opened: float = 0.0) -> Call:
    return Call(
        id=new_id("c"),
        task=task,
        epoch=epoch,
        tool_call=a_shell_call(),
        call_hash="sha256:0",
        effects=(),
        decision=Decision(Outcome.ALLOW, "for a test"),
        opened=opened,
        identity=CallIdentity.CALL,
    )


def an_effect(method: str = "GET") -> Effect:
    return Effect(Verb.HTTP, HOST, {"method": method, "path": "/me"})


@dataclass
class MemoryLedger(LedgerStore):
    """Keeps records; `fails` names kinds that cannot be written, `during` runs before one is."""

    records: list[dict[str, Any]] = field(default_factory=list)
    fails: set[str] = field(default_factory=set)
    during: dict[str, Callable[[], Any]] = field(default_factory=dict)
    behind_for: float = 0.0  # what it says of its lag
    _behind: list[asyncio.Future[None]] = field(default_factory=list)

    async def append(self, kind: str, body: Mapping[str, Any]) -> Entry:
        await asyncio.sleep(0)
        if action := self.during.pop(kind, None):
            result = action()
            if asyncio.iscoroutine(result):
                await result
        if kind in self.fails or "*" in self.fails:
            raise LedgerFailed("The disk is full.")
        self.records.append({"seq": len(self.records) + 1, "kind": kind, **body})
        return Entry(len(self.records), bytes(32))

    def append_behind(
        self,
        kind: str,
        body: Mapping[str, Any],
        failed: Callable[[LedgerFailed], object] = lambda error: None,
    ) -> Callable[[Mapping[str, Any]], bool]:
        kept, written = dict(body), False

        def add(more: Mapping[str, Any]) -> bool:
            if not written:
                kept.update(more)
            return not written

        async def write() -> None:
            nonlocal written
            try:
                written = True
                await self.append(kind, kept)
            except LedgerFailed as error:
                failed(error)

        self._behind.append(asyncio.ensure_future(write()))
        return add

    @property
    def lag(self) -> float:
        return self.behind_for

    async def append_reserved(self, kind: str, body: Mapping[str, Any]) -> Entry:
        return await self.append(kind, body)

    def read(
        self, *, after: int = 0, limit: int = 1000, task: str = "", kinds: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        found = [
            record
            for record in self.records
            if record["seq"] > after
            and (not task or record.get("task") == task)
            and (not kinds or record["kind"] in kinds)
        ]
        return found if limit < 0 else found[:limit]

    def latest(
        self, limit: int = 1000, *, task: str = "", kinds: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        return self.read(task=task, kinds=kinds, limit=-1)[-limit:]

    async def close(self) -> None: ...

    @property
    def kinds(self) -> list[str]:
        return [record["kind"] for record in self.records]


@dataclass
class FixedPolicy(PolicyEngine):
    """Answers as told, by the effect's verb."""

    answers: dict[Verb, Decision] = field(default_factory=dict)
    error: Exception | None = None
    asked: list[Situation] = field(default_factory=list)

    def decide(self, effects: Sequence[Effect], situation: Situation) -> Decision:
        self.asked.append(situation)
        if self.error is not None:
            raise self.error
        allowed = Decision(Outcome.ALLOW, "ordinary", ("ok",))
        found = [self.answers.get(effect.verb, allowed) for effect in effects]
        strict = {Outcome.DENY: 0, Outcome.ASK: 1, Outcome.ALLOW: 2}
        return min(found, key=lambda decision: strict[decision.outcome], default=allowed)

    @property
    def digest(self) -> str:
        return "sha256:policy"


@dataclass
class OneCredential(Vault):
    spec: CredentialSpec = field(
        default_factory=lambda: CredentialSpec("api", "stored", (HOST,), env="API_TOKEN")
    )
    forgotten: list[str] = field(default_factory=list)

    def specs(self) -> Sequence[CredentialSpec]:
        return (self.spec,)

    async def secret(self, name: str) -> Secret:
        return Secret(REAL)

    async def add(self, spec: CredentialSpec, secret: Secret) -> None:
        raise NotImplementedError

    async def remove(self, name: str) -> None:
        raise NotImplementedError

    async def rotate(self, name: str, secret: Secret) -> None:
        raise NotImplementedError

    async def surrogate(self, name: str, task: str) -> str:
        return STAND_IN

    def resolve(self, task: str, text: str) -> str:
        return "api" if text == STAND_IN else ""

    def forget(self, task: str) -> None:
        self.forgotten.append(task)

    def borrow(self, task: str, name: str, secret: Secret) -> None:
        raise NotImplementedError

    def borrowed(self, task: str, name: str) -> Secret | None:
        return None


@dataclass
class MemoryOwed(OwedStore):
    """Keeps what is owed; outlives a `World` that is given it."""

    kept: dict[str, tuple[Owed, str]] = field(default_factory=dict)
    error: Exception | None = None

    async def put(self, owed: Owed, revocation: str) -> None:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.kept[owed.id] = (owed, revocation)

    async def load(self) -> Sequence[Owed]:
        return [owed for owed, _ in self.kept.values()]

    async def revocation(self, owed: Owed) -> str:
        return self.kept[owed.id][1]

    async def drop(self, owed: str) -> None:
        self.kept.pop(owed, None)


@dataclass
class CountingIssuer(Issuer):
    """Mints the secret; what was minted and what was ended can be counted."""

    name: str = "stored"
    kill_mode: KillMode = KillMode.WIRE
    revocation: str = ""
    error: Exception | None = None
    during: Callable[[], Any] | None = None
    minted: list[MintContext] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)

    def kind(self) -> Kind:
        return Kind(self.name, "a fake", "host", "any", "a use", self.kill_mode, "0 s")

    def kill_bound(self, spec: CredentialSpec) -> float:
        return 0.0

    async def mint(self, spec: CredentialSpec, context: MintContext) -> Minted:
        if self.during is not None:
            result = self.during()
            if asyncio.iscoroutine(result):
                await result
        if self.error is not None:
            raise self.error
        self.minted.append(context)
        return Minted(Secret(REAL), time.time() + spec.ttl, self.revocation)

    async def revoke(self, spec: CredentialSpec, revocation: str) -> None:
        self.revoked.append(revocation)


@dataclass
class Family(ConnectionOwner):
    """Who descends from whom, as the test says."""

    parents: dict[Process, Process] = field(default_factory=lambda: {CHILD: ROOT})

    def owners(self, sockname: tuple[str, int], peername: tuple[str, int]) -> list[Process]:
        raise NotImplementedError

    def ancestry(self, process: Process) -> list[Process]:
        chain = [process]
        while chain[-1] != ROOT:
            if chain[-1] not in self.parents:
                return []
            chain.append(self.parents[chain[-1]])
        return chain


@dataclass
class Control(TaskControl):
    said: list[str] = field(default_factory=list)
    gone: bool = False
    doors_problem: str = ""

    async def _do(self, what: str) -> None:
        if self.gone:
            raise LaunchFailed("The task's holder is gone.")
        self.said.append(what)

    async def freeze(self, tree: Process | None = None) -> None:
        await self._do(f"freeze {tree.pid if tree else 0}")

    async def thaw(self, tree: Process | None = None) -> None:
        await self._do(f"thaw {tree.pid if tree else 0}")

    async def kill(self) -> int:
        await self._do("kill")
        return 0

    async def open_doors(self, call: str, doors: Sequence[FileDoor]) -> None:
        if self.doors_problem:
            raise LaunchFailed(self.doors_problem)
        shown = [f"{'write' if door.write else 'read'} {door.path}" for door in doors]
        await self._do(f"open {', '.join(shown)}")

    async def close_doors(self, call: str, *, publish: bool) -> tuple[str, ...]:
        await self._do(f"close {'and publish' if publish else ''}".strip())
        return ()


@dataclass
class Cuttable(Channel):
    cuts: list[str] = field(default_factory=list)

    async def serve(self) -> None: ...

    def cut(self, lease: str = "") -> int:
        self.cuts.append(lease)
        return 1

    async def close(self) -> None: ...


class HookedProfile:
    """As much of a profile as the engine uses."""

    name = "generic"
    call_identity = CallIdentity.CALL

    def with_prefix(self, call: ToolCall, prefix: str) -> Mapping[str, Any]:
        return {**call.arguments, "command": prefix + call.command}

    def started_as(self, call: ToolCall) -> tuple[str, ...]:
        return ()


@dataclass
class World:
    """An engine with one started task. `began`: what it is, where a test says so."""

    began: Task = field(default_factory=lambda: a_task())
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    policy: FixedPolicy = field(default_factory=FixedPolicy)
    vault: OneCredential = field(default_factory=OneCredential)
    issuer: CountingIssuer = field(default_factory=CountingIssuer)
    owed: MemoryOwed = field(default_factory=MemoryOwed)
    control: Control = field(default_factory=Control)
    channel: Cuttable = field(default_factory=Cuttable)
    family: Family = field(default_factory=Family)
    events: list[Any] = field(default_factory=list)
    exits: dict[Process, Callable[[], None]] = field(default_factory=dict)
    steps: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def __post_init__(self) -> None:
        self.engine = Engine(
            book=Book(),
            ledger=self.ledger,
            approvals=ApprovalQueue(),
            vault=self.vault,
            issuers={self.vault.spec.issuer: self.issuer},
            desk=Desk(self.events.append, lambda entry: None),
            records=Recorder(self.ledger, lambda text: text.replace(REAL, "•")),
            owed=self.owed,
            step=self._step,
        )
        self.lifecycle = Lifecycle(self.engine)
        self.entry: TaskEntry = self.engine.book.add_task(self.began)
        self.entry.root = ROOT
        self.entry.policy = self.policy.digest
        self.task = self.entry.task.id
        self.engine.desk.runtimes[self.task] = TaskRuntime(
            profile=HookedProfile(),  # type: ignore[arg-type]
            policy=self.policy,
            control=self.control,
            owner=self.family,
            channels=[self.channel],
            shell_prefix=lambda handle: f"{handle}\n",
            model_hosts=frozenset({"model.example:443"}),
            watch=self.exits.__setitem__,
            place=Place.of(self.entry.task.workspace),
        )

    def _step(self, name: str) -> None:
        self.steps[name] += 1

    async def open(self, command: str = "make", *, deadline: float = 0.0) -> Any:
        return await self.engine.open_call(
            self.task, a_shell_call(command), ROOT, deadline=deadline
        )

    async def handle(self, child: Process = CHILD) -> str:
        """Open a call, bind it to `child`; its handle."""
        answer = await self.open()
        assert answer.allow, answer.reason
        handle = str(answer.rewritten["command"].split("\n")[0])
        assert await self.engine.bind_call(self.task, handle, [child, ROOT])
        return handle

    async def runs(self, child: Process = CHILD) -> bool:
        """Whether a shell command gets as far as running: it is allowed, and bound."""
        answer = await self.open()
        if not answer.allow:
            return False
        handle = str(answer.rewritten["command"].split("\n")[0])
        return await self.engine.bind_call(self.task, handle, [child, ROOT])

    async def use(self, handle: str, *, child: Process = CHILD, method: str = "GET") -> Release:
        return await self.engine.authorize_use(
            self.task, handle, [child, ROOT], an_effect(method), [STAND_IN]
        )

    async def settle_background(self) -> None:
        """Let what was spawned come to its end."""
        for _ in range(50):
            await asyncio.sleep(0)


__all__ = ["CHILD", "HOST", "REAL", "ROOT", "STAND_IN", "VaultLocked", "World", "a_call",
           "a_shell_call", "a_task", "an_effect"]  # fmt: skip
