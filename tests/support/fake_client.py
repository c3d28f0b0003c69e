"""A supervisor in memory: the methods of `AsyncClient`, and a log of what was asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from supervisor.errors import DaemonUnavailable, NotFound, VaultLocked
from supervisor.model import (
    ApprovalRequest,
    Effect,
    Grant,
    KillMode,
    Lease,
    Risk,
    Verb,
)
from supervisor.process.still import places
from supervisor.protocol import clipboard, holder_wire, reading, wire
from supervisor.protocol import pane as protocol
from supervisor.protocol.setup import NeedsView
from supervisor.protocol.vault import VaultView
from tests.support.fake_past import FakePast

NOW = 1_790_000_531.0  # 2026-09-21 13:42:11 UTC


class FakePane:
    """A pane that shows fixed rows and keeps what is typed."""

    def __init__(
        self, rows: dict[int, tuple[holder_wire.RunTuple, ...]], cols: int, height: int
    ) -> None:
        self.keys: list[tuple[str, str]] = []
        self.pasted: list[str] = []
        self.clipboard: list[tuple[int, bool]] = []
        self.sizes: list[tuple[int, int]] = [(cols, height)]
        self._height = height
        self._frames: asyncio.Queue[protocol.FromPane] = asyncio.Queue()
        self._rows = rows
        self._show(cols, height)

    def _show(self, cols: int, height: int) -> None:
        rows, last = self._rows, len(self._rows) - 1
        self._frames.put_nowait(
            holder_wire.Screen(rows=rows, x=2, y=last, cols=cols, height=height, full=True)
        )

    def end(self, code: int) -> None:
        self._frames.put_nowait(holder_wire.Exited(code=code))

    async def frames(self) -> AsyncIterator[protocol.FromPane]:
        while True:
            yield await self._frames.get()

    def key(self, key: str, text: str = "") -> None:
        self.keys.append((key, text))

    def paste(self, text: str) -> None:
        self.pasted.append(text)

    def resize(self, cols: int, rows: int) -> None:
        self.sizes.append((cols, rows))
        self._height = rows
        self._show(cols, rows)

    def mouse(self, action: str, button: int, x: int, y: int, mods: int = 0) -> None: ...

    def focus(self, gained: bool) -> None: ...

    def show(self, screen: holder_wire.Screen) -> None:
        self._frames.put_nowait(screen)

    def wish(self, number: int, text: str) -> None:
        """The agent wants to write to the clipboard."""
        self._frames.put_nowait(clipboard.ClipboardAsked(number=number, text=text))

    def answer_clipboard(self, answer: clipboard.AnswerClipboard) -> None:
        self.clipboard.append((answer.number, answer.allow))

    def read(self, request: reading.Request) -> None:
        """Answers for the one still there is: what the pane shows."""
        last = tuple(self._rows.get(y, ()) for y in range(self._height))
        match request:
            case reading.StartReading(number=number):
                height, y = self._height, len(self._rows) - 1
                answer: reading.Answer = reading.Reading(
                    count=height, height=height, x=2, y=y, number=number, last=last
                )
            case reading.Find(text=text):
                lines = [("".join(run[0] for run in row), 0) for row in last]
                found = tuple(places(lines, text))
                answer = reading.Found(text=text, count=len(found), places=found)
            case _:
                return
        self._frames.put_nowait(answer)

    async def close(self) -> None: ...


class FakeClient(FakePast):
    """Holds a snapshot, sends the events a test hands it, and writes down every request."""

    def __init__(self, snapshot: wire.Snapshot | None = None, *, down: bool = False) -> None:
        super().__init__()
        self.state = snapshot or wire.Snapshot(session="s-fake", now=NOW)
        self.down = down
        self.older: list[dict[str, Any]] = []  # records before those of the snapshot
        self.newer: list[dict[str, Any]] = []  # … and after them
        self.asked: list[tuple[str, Any]] = []
        self.panes: dict[str, FakePane] = {}
        self.verdict = wire.VerifyView(ok=True, records=4118, checkpoints=4, message="ok")
        self.change_sets: list[wire.ChangeSetView] = []
        self.start_problem: Exception | None = None
        self.locked = False  # the secrets wait for a passphrase
        self.project = NeedsView(workspace="/home/ana/shop")
        self.refuse: Exception | None = None  # raised by every request while set
        self.attachable = asyncio.Event()  # cleared: an attachment is not answered yet
        self.attachable.set()
        self._events: asyncio.Queue[wire.Event | None] = asyncio.Queue()

    # ── For tests ───────────────────────────────────────────────────────────────────────

    def send(self, event: wire.Event) -> None:
        if isinstance(event, wire.Recorded):
            self.newer.append(event.record)
        self._events.put_nowait(event)

    def lose(self) -> None:
        """The supervisor is gone, until `down` is set to False again."""
        self.down = True
        self._events.put_nowait(None)

    def requests(self, name: str) -> list[Any]:
        return [body for asked, body in self.asked if asked == name]

    def _task(self, task: str) -> wire.TaskView:
        return next(one for one in self.state.tasks if one.id == task)

    def _change(self, task: str, state: str) -> None:
        changed = msgspec.structs.replace(self._task(task), state=state)
        tasks = tuple(changed if one.id == task else one for one in self.state.tasks)
        self.state = msgspec.structs.replace(self.state, tasks=tasks)
        self.send(wire.TaskChanged(task=changed))

    def _ask(self, name: str, body: Any = None) -> None:
        self.asked.append((name, body))
        if self.down:
            raise DaemonUnavailable("The supervisor is not running.")
        if self.refuse is not None:
            raise self.refuse

    # ── AsyncClient ─────────────────────────────────────────────────────────────────────

    async def connect(self) -> None:
        if self.down:
            raise DaemonUnavailable("The supervisor is not running.")

    async def close(self) -> None: ...

    async def snapshot(self) -> wire.Snapshot:
        return self.state

    async def events(self) -> AsyncIterator[wire.Event]:
        yield self.state
        while (event := await self._events.get()) is not None:
            yield event
        raise DaemonUnavailable("The supervisor closed the event stream.")

    async def pair(self) -> None:
        self._ask("pair")

    async def start_task(self, request: wire.StartTask) -> wire.Started:
        self._ask("start_task", request)
        if self.start_problem is not None:
            raise self.start_problem
        if self.locked:
            raise VaultLocked("The secrets are locked.")
        number = len(self.state.tasks) + 1
        task = task_view(number, request.purpose, cwd=request.cwd)
        self.state = msgspec.structs.replace(self.state, tasks=(*self.state.tasks, task))
        self.send(wire.TaskChanged(task=task))
        return wire.Started(task=task, socket="", token="")

    async def vault(self) -> VaultView:
        self._ask("vault")
        return VaultView(protection="passphrase", locked=self.locked)

    async def unlock(self, passphrase: str) -> VaultView:
        self._ask("unlock", passphrase)
        if passphrase != "open sesame":
            raise VaultLocked("That is not the passphrase.")
        self.locked = False
        return await self.vault()

    async def needs(self, cwd: str) -> NeedsView:
        self._ask("needs", cwd)
        return self.project

    async def answer_needs(self, shown: NeedsView, *, accept: bool) -> None:
        self._ask("answer_needs", accept)
        self.project = msgspec.structs.replace(shown, state="accepted" if accept else "refused")

    async def attach(self, task: str, cols: int, rows: int) -> FakePane:
        self._ask("attach", task)
        await self.attachable.wait()
        if not any(one.id == task for one in self.state.tasks):
            raise NotFound("There is no such task.")
        self.panes[task] = FakePane(agent_rows(self._task(task)), cols, rows)
        return self.panes[task]

    async def answer(self, approval: str, answer: wire.AnswerApproval) -> None:
        self._ask("answer", (approval, answer))
        left = tuple(one for one in self.state.approvals if one.id != approval)
        self.state = msgspec.structs.replace(self.state, approvals=left)
        word = "approved" if answer.approve else "denied"
        self.send(wire.ApprovalAnswered(id=approval, answer=word, by="ana"))

    async def noticed(self, ids: Sequence[str], *, looked_at: bool) -> None:
        self._ask("noticed", (tuple(ids), looked_at))

    async def always(self, approval: str) -> wire.AlwaysView:
        self._ask("always", approval)
        return wire.AlwaysView(
            rule='permit (principal, action == Action::"push", resource == Ref::"origin x");',
            judged=42, unreadable=1, changed=("ask → allow  git push origin x",),
        )  # fmt: skip

    async def revoke_task(self, task: str) -> wire.RevokedView:
        self._ask("revoke_task", task)
        self._change(task, "revoked")
        return wire.RevokedView(
            tasks=(task,), leases_dead=3, leases_unconfirmed=1, connections_cut=2, took_ms=41.2
        )

    async def revoke_grant(self, grant: str) -> wire.RevokedView:
        self._ask("revoke_grant", grant)
        gone = next(one for one in self.state.grants if one.id == grant)
        self.send(wire.GrantChanged(grant=gone, live=False))
        return wire.RevokedView(tasks=(gone.task,), leases_dead=1, took_ms=3.0)

    async def revoke_all(self) -> wire.RevokedView:
        self._ask("revoke_all")
        ids = tuple(one.id for one in self.state.tasks)
        return wire.RevokedView(tasks=ids, leases_dead=5, took_ms=12.0)

    async def freeze_task(self, task: str) -> None:
        self._ask("freeze_task", task)
        self._change(task, "frozen")

    async def thaw_task(self, task: str) -> None:
        self._ask("thaw_task", task)
        self._change(task, "working")

    async def freeze_all(self) -> None:
        self._ask("freeze_all")

    async def history(
        self,
        *,
        after: int = 0,
        before: int = 0,
        limit: int = 500,
        task: str = "",
        kinds: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        self._ask("history", before)
        every = [*self.older, *self.state.records]
        return [record for record in every if not before or record["seq"] < before][-limit:]

    def past(self) -> list[dict[str, Any]]:
        return [*self.older, *self.state.records, *self.newer]

    def numbers(self) -> dict[str, str]:
        return {str(task.number): task.id for task in self.state.tasks}

    def now(self) -> float:
        return NOW

    async def changes(self) -> list[wire.ChangeSetView]:
        self._ask("changes")
        return [msgspec.structs.replace(one, changes=(), diff="") for one in self.change_sets]

    async def change_set(self, task: str, *, diff: bool = False) -> wire.ChangeSetView:
        self._ask("change_set", task)
        return next(one for one in self.change_sets if one.task == task)

    async def apply_changes(self, task: str, request: wire.ApplyChanges) -> wire.AppliedView:
        self._ask("apply_changes", (task, request))
        found = next(one for one in self.change_sets if one.task == task)
        applied = len(request.paths) or len(found.changes)
        return wire.AppliedView(applied=applied, left=len(found.changes) - applied)

    async def drop_changes(self, task: str) -> None:
        self._ask("drop_changes", task)

    async def verify(self) -> wire.VerifyView:
        self._ask("verify")
        return self.verdict


# ── The story ───────────────────────────────────────────────────────────────────────────


def task_view(number: int, purpose: str, **changes: Any) -> wire.TaskView:
    """Task `t-N` of a contained Claude Code on a laptop."""
    given: dict[str, Any] = {
        "id": f"t-{number}",
        "number": number,
        "purpose": purpose,
        "state": "working",
        "user": "ana@laptop",
        "agent": "claude-code 2.1.330",
        "profile": "claude-code",
        "runtime": "laptop",
        "tier": "A",
        "cwd": "/home/ana/shop",
        "repository": "/home/ana/shop",
        "branch": "agent/flaky-checkout",
        "created": NOW - 41 * 60,
    }
    return wire.TaskView(**(given | changes))


def approval(
    number: int, task: str = "t-1", title: str = "gh workflow run deploy.yml", **changes: Any
) -> ApprovalRequest:
    """A low-risk request `a-N` that waits since 19 s and expires in 10 minutes."""
    request = ApprovalRequest(
        id=f"a-{number}",
        task=task,
        epoch=2,
        call=f"c-{number}",
        call_hash=f"{number:064x}",
        title=title,
        effects=(
            Effect(
                Verb.HTTP,
                "api.github.com",
                {"method": "POST", "path": "/repos/acme/shop/actions/workflows/deploy.yml"},
            ),
        ),
        asking=("standard/outward.ci",),
        reason="starts a workflow",
        risk=Risk.MEDIUM,
        created=NOW - 19 + number / 100,
        expires=NOW + 589,
    )
    return replace(request, **changes)


DEPLOY = approval(
    1,
    title="gh workflow run deploy.yml --ref agent/flaky-checkout -f env=production",
    risk=Risk.HIGH,
    code="K7",
    agent_note="deploying so that I can verify the fix",
    change=("+ actions:write (has contents:write on agent/*, metadata:read)",),
    credential="github",
)


def story() -> wire.Snapshot:
    """A workspace in the middle of a day."""
    tasks = (
        task_view(1, "flaky checkout", state="waiting for approval", epoch=2,
                  allowed=64, asked=1, denied=1),
        task_view(2, "upgrade pg14→16", state="working", profile="codex", agent="codex 0.169.0"),
        task_view(3, "docs", state="idle", branch="docs"),
        task_view(4, "invoice bug", state="frozen", profile="codex", agent="codex 0.169.0",
                  tier="uncontained", exposed=("~/.ssh", "~/.aws", "~/.config/gh", "~/.npmrc")),
        task_view(5, "scrape job", state="revoked", ended=NOW - 400),
        task_view(6, "explain the tests", state="waiting for you"),
        task_view(0, "explore a01d", id="t-1.1", path="1.1", parent="t-1", subagent="a01d",
                  pane=False, created=NOW - 72, allowed=3, denied=0),
    )  # fmt: skip
    grants = (
        grant("g-1", "github", "api.github.com", left=1860, whole=2400, uses=7, ago=10),
        grant("g-2", "stripe-test", "api.stripe.com", left=44, whole=120, uses=23, ago=3),
        grant("g-3", "release-jwt", "deploy.example.com", task="t-2", left=700, whole=900,
              mode=KillMode.VERIFIER, bound=65.0, issuer="local-jwt"),
    )  # fmt: skip
    leases = (Lease("l-1", "g-2", "t-1", "c-81f", 2, NOW - 8, NOW + 7, uses=1),)
    return wire.Snapshot(
        session="s-fake",
        now=NOW,
        tasks=tasks,
        grants=grants,
        leases=leases,
        approvals=(DEPLOY,),
        records=tuple(records()),
    )


def change_set(task: str) -> wire.ChangeSetView:
    """What one task left in its overlay."""
    return wire.ChangeSetView(
        task=task, number=1, purpose="Raise the retry limit", workspace="/home/ana/shop",
        added=1, modified=1, deleted=1, size=642, digest="sha256:0",
        changes=(
            wire.ChangeView(path=".husky/pre-commit", kind="added", after="file",
                            risk="git runs it"),
            wire.ChangeView(path="src/retry.py", kind="modified", before="file", after="file"),
            wire.ChangeView(path="src/old.py", kind="deleted", before="file"),
        ),
        diff=(
            "--- /dev/null\n+++ b/.husky/pre-commit\n@@ -0,0 +1 @@\n+npm test\n"
            "--- a/src/retry.py\n+++ b/src/retry.py\n@@ -1,2 +1,2 @@\n"
            " import time\n-LIMIT = 3\n+LIMIT = 5  # \x1b[2J plays no tricks\n"
        ),
    )  # fmt: skip


def grant(
    name: str, credential: str, resource: str, *, task: str = "t-1", left: float, whole: float,
    uses: int = 0, ago: float = 0.0, mode: KillMode = KillMode.WIRE, bound: float = 0.1,
    issuer: str = "stored",
) -> Grant:  # fmt: skip
    return Grant(
        id=name, task=task, credential=credential, resource=resource, issuer=issuer,
        kill_mode=mode, kill_bound=bound, created=NOW + left - whole, expires=NOW + left,
        uses=uses, last_used=NOW - ago if ago else 0.0,
    )  # fmt: skip


def records() -> list[dict[str, Any]]:
    """What the ledger would hold, in its own words."""
    who = {"user": "ana@laptop", "user_evidence": "os", "agent": "claude-code 2.1.330",
           "agent_digest": "sha256:9c1f", "runtime": "laptop", "tier": "A"}  # fmt: skip
    told: list[tuple[float, str, str, dict[str, Any]]] = [
        (2460, "task.started", "t-1", {"purpose": "flaky checkout"}),
        (1400, "call.opened", "t-1", {"preview": "npm test -- checkout", "outcome": "allow",
                                      "call": "c-7d1", "policies": ["standard/tests"]}),
        (1391, "call.settled", "t-1", {"call": "c-7d1", "outcome": "ok", "leases": []}),
        (900, "incident.surrogate_elsewhere", "t-4", {"detail": {"host": "paste.example"}}),
        (899, "task.frozen", "t-4", {"by": "policy"}),
        (400, "task.revoked", "t-5", {"by": "ana", "leases": ["l-8", "l-9", "l-10"]}),
        (399, "task.killed", "t-5", {"processes_left": 0, "leases_unconfirmed": 0}),
        (150, "call.denied", "t-1", {"preview": "cat .env", "outcome": "deny",
                                     "reason": ".env holds real secrets",
                                     "policies": ["standard/secrets"]}),
        (30, "use.intent", "t-1", {"effect": "POST api.github.com/repos/acme/shop/pulls",
                                   "outcome": "ask", "approval": "a-0", "lease": "l-7f9"}),
        (28, "call.opened", "t-1", {"preview": "git push origin agent/flaky-checkout",
                                    "outcome": "allow", "call": "c-7f9", "lease": "l-80a"}),
        (19, "approval.asked", "t-1", {"title": DEPLOY.title, "approval": "a-1",
                                       "risk": "high"}),
    ]  # fmt: skip
    return [
        {"v": 1, "seq": 4100 + n, "time": NOW - ago, "kind": kind, "hash": f"{n:064x}",
         **who, "task": task, "purpose": "", "epoch": 2, **body}
        for n, (ago, kind, task, body) in enumerate(told)
    ]  # fmt: skip


def agent_rows(task: wire.TaskView) -> dict[int, tuple[holder_wire.RunTuple, ...]]:
    """Something an agent might show."""
    green, grey, plain = 0x1000000 | 0x86CE8B, 8, -1
    rows: list[tuple[holder_wire.RunTuple, ...]] = [
        ((f" ✻ Welcome to {task.agent}", 0x1000000 | 0xE8956B, -1, 1),),
        ((f"   {task.cwd}", grey, -1, 0),),
        (),
    ]
    for tool, result in (
        ("Bash(npm test -- checkout)", "1 failed, 41 passed"),
        ("Update(src/checkout.ts)", "12 additions, 3 removals"),
        ("Bash(npm test -- checkout)", "42 passed"),
        ("Bash(git push origin agent/flaky-checkout)", "pushed 1 commit"),
        ("Bash(gh workflow run deploy.yml)", "Running PreToolUse hook…"),
    ):
        name, rest = tool.split("(", 1)
        rows.append((("● ", green, -1, 0), (name, plain, -1, 1), (f"({rest}", plain, -1, 0)))
        rows.append(((f"  ⎿  {result}", grey, -1, 0),))
    rows += [(), (("> ", plain, -1, 1),)]
    return dict(enumerate(rows))
