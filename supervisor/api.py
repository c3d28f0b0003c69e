"""The HTTP API on the supervisor's socket. Thin: who asks, what they ask, what core answers.

Every connection is attested before its first request: the peer must be of our uid and outside
every task. Answers to approvals come only from a paired screen: a process with a terminal
that is not one of ours, holding a token bound to that very process.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from aiohttp import web

from supervisor import procfs
from supervisor.approvals.rules import MAX_MINUTES
from supervisor.authzen.routes import Routes
from supervisor.authzen.service import Service
from supervisor.core import Engine
from supervisor.errors import Denied, NotAttested, NotFound, TaskpassError, UsageError
from supervisor.events import Events
from supervisor.identity.attest_linux import peer_process, tree_of
from supervisor.identity.evidence import current_user
from supervisor.keeping import Keeper
from supervisor.ledger.verify import verify
from supervisor.model import Answer, Process, Scope
from supervisor.paths import Paths
from supervisor.policy_watch import PolicyWatch
from supervisor.process.watch import watch
from supervisor.protocol import handshake, wire
from supervisor.routes.bodies import as_json, asked_in
from supervisor.routes.credentials import CredentialRoutes
from supervisor.routes.imports import ImportRoutes
from supervisor.routes.needs import NeedRoutes
from supervisor.routes.notices import Notices
from supervisor.routes.person import PersonRoutes
from supervisor.routes.recordings import RecordingRoutes
from supervisor.routes.review import ReviewRoutes
from supervisor.routes.setup import SetupRoutes
from supervisor.routes.vault import VaultRoutes
from supervisor.tasks.launch import Launcher
from supervisor.tasks.lifecycle import Lifecycle
from supervisor.tasks.reviewing import Reviews
from supervisor.tasks.saved import place

log = logging.getLogger("supervisor")

_MAX_BODY = 4 * 1024 * 1024
_RECENT = 200  # records in a snapshot
_MAX_RECORDS = 5000
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Api:
    """Routes and what they need."""

    paths: Paths
    engine: Engine
    lifecycle: Lifecycle
    launcher: Launcher
    events: Events
    session: str
    jwks: dict[str, Any]
    stop: Callable[[], None]
    keeper: Keeper
    reviews: Reviews
    watch: PolicyWatch
    credentials: CredentialRoutes
    setup: SetupRoutes
    imports: ImportRoutes
    vault: VaultRoutes
    person: PersonRoutes
    notices: Notices
    review: ReviewRoutes
    recordings: RecordingRoutes
    # Attested peers, kept for as long as their connection.
    _peers: WeakKeyDictionary[asyncio.BaseTransport, Process] = field(
        default_factory=WeakKeyDictionary
    )
    _screens: dict[str, Process] = field(default_factory=dict)  # pairing token → screen
    _version: str = field(init=False)
    _key: bytes = field(init=False)

    def __post_init__(self) -> None:
        self._version = version("taskpass")
        self._key = handshake.install_key(self.paths)
        self.engine.questions.reachable = self._has_screen

    def _has_screen(self) -> bool:
        return any(procfs.lives(screen) for screen in self._screens.values())

    def application(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY, middlewares=[self._guard])
        add = app.router.add_route
        add("GET", "/v1/hello", self._hello)
        add("GET", "/v1/snapshot", self._snapshot)
        add("GET", "/v1/events", self._stream)
        add("POST", "/v1/tasks", self._start)
        add("POST", "/v1/tasks/{id}/attach", self._attach)
        add("GET", "/v1/tasks/{id}/exit", self._exit)
        add("POST", "/v1/tasks/{id}/end", self._end)
        add("POST", "/v1/tasks/{id}/revoke", self._revoke_task)
        add("POST", "/v1/tasks/{id}/freeze", self._freeze_task)
        add("POST", "/v1/tasks/{id}/thaw", self._thaw_task)
        add("POST", "/v1/revoke", self._revoke_all)
        add("POST", "/v1/freeze", self._freeze_all)
        add("POST", "/v1/grants/{id}/revoke", self._revoke_grant)
        add("POST", "/v1/pair", self._pair)
        add("POST", "/v1/approvals/{id}", self._answer)
        add("GET", "/v1/approvals/{id}/always", self._always)
        add("GET", "/v1/policy", self._policy)
        add("POST", "/v1/policy/accept", self._accept_policy)
        add("GET", "/v1/changes", self._change_sets)
        add("GET", "/v1/changes/{id}", self._change_set)
        add("POST", "/v1/changes/{id}/apply", self._apply_changes)
        add("POST", "/v1/changes/{id}/drop", self._drop_changes)
        add("GET", "/v1/history", self._history)
        add("POST", "/v1/verify", self._verify)
        add("GET", "/v1/jwks", self._jwks)
        add("POST", "/v1/stop", self._stop)
        Routes(Service(self.engine)).add_to(app)
        self.credentials.add_to(app)
        self.setup.add_to(app)
        NeedRoutes(self.engine, self.launcher.needs, self._require_screen).add_to(app)
        self.imports.add_to(app)
        self.vault.add_to(app)
        self.person.add_to(app)
        self.notices.add_to(app, self._require_screen)
        self.review.add_to(app)
        self.recordings.add_to(app)
        return app

    # ── who asks ────────────────────────────────────────────────────────────────────────

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            await self._attest(request)
            return await handler(request)
        except TaskpassError as error:
            return _problem(error)
        except msgspec.MsgspecError as error:
            return _problem(UsageError(f"The request is malformed: {error}."))
        except (web.HTTPException, asyncio.CancelledError, ConnectionError):
            raise
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return _problem(
                TaskpassError(
                    "The supervisor failed on this request.",
                    hint=f"See {self.paths.state / 'daemon.log'}.",
                )
            )

    async def _attest(self, request: web.Request) -> Process:
        """The peer, once a connection: of our uid, and not below any task.

        Raises:
            NotAttested: it is neither; the attempt is on record.
        """
        transport = request.transport
        if transport is None:
            raise NotAttested("The connection is gone.")
        known = self._peers.get(transport)
        if known is not None:
            return known
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as sock:
            peer = peer_process(sock)
        task = self._task_above(peer)
        if task:
            await self.engine.incident(
                task,
                "api_from_task",
                {"pid": peer.pid, "request": f"{request.method} {request.path}"},
            )
            raise NotAttested(
                "A task may not talk to the supervisor.", hint="The attempt was recorded."
            )
        self._peers[transport] = peer
        return peer

    def _task_above(self, peer: Process) -> str:
        """The task that `peer` belongs to, "" for none. One walk, however many tasks there are."""
        owners = {holder: task for task, holder in self.launcher.adopting.holders.items()}
        owners |= {e.root: e.top.task.id for e in self.engine.book.tasks() if e.root is not None}
        root = tree_of(peer, owners)
        return owners[root] if root else ""

    async def _pair(self, request: web.Request) -> web.Response:
        peer = await self._attest(request)
        if not _has_terminal(peer):
            raise NotAttested(
                "Only a program with a terminal can answer approvals.",
                hint="Answer in `taskpass`, or with `taskpass approvals approve` in a terminal.",
            )
        self._screens = {t: p for t, p in self._screens.items() if procfs.lives(p)}
        token = secrets.token_urlsafe(24)
        self._screens[token] = peer
        return as_json(wire.Paired(token=token))

    async def _require_screen(self, request: web.Request, approval: str, task: str = "") -> Process:
        """Who may answer, or act as the person in `task`. Raises NotAttested, on record."""
        peer = await self._attest(request)
        offered = request.headers.get("taskpass-screen", "")
        for token, screen in self._screens.items():
            if hmac.compare_digest(token, offered) and screen == peer:
                return peer
        pending = self.engine.approvals.pending(approval)
        if task := task or (pending.task if pending else ""):
            detail = {"pid": peer.pid, "approval": approval}
            await self.engine.incident(task, "answer_refused", detail)
        raise NotAttested(
            "Only a paired screen may answer; the attempt was recorded.",
            hint="Answer in `taskpass`, or with `taskpass approvals approve` in a terminal.",
        )

    def _by(self) -> str:
        return current_user().label

    # ── what they ask ───────────────────────────────────────────────────────────────────

    async def _hello(self, request: web.Request) -> web.Response:
        nonce = request.query.get("nonce", "")
        return as_json(
            wire.Hello(
                protocol=wire.PROTOCOL,
                version=self._version,
                pid=os.getpid(),
                session=self.session,
                proof=handshake.proof(self._key, nonce),
            )
        )

    def _current(self) -> wire.Snapshot:
        book = self.engine.book
        return wire.Snapshot(
            session=self.session,
            now=self.engine.clock(),
            tasks=tuple(self.engine.desk.view(entry) for entry in book.tasks()),
            grants=tuple(book.grants()),
            leases=tuple(book.leases()),
            approvals=tuple(self.engine.approvals.all_pending()),
            owed=self.engine.revoking.views(),
            locked=self.vault.vault.locked,
            records=tuple(self.engine.ledger.latest(_RECENT)),
        )

    async def _snapshot(self, request: web.Request) -> web.Response:
        return as_json(self._current())

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/x-ndjson"})
        # Subscribe first: what happens while the snapshot is made is not lost.
        queue = self.events.subscribe()
        try:
            await response.prepare(request)
            await response.write(_line(self._current()))
            while (event := await queue.get()) is not None:
                lines = _line(event)
                while not queue.empty() and (more := queue.get_nowait()) is not None:
                    lines += _line(more)
                await response.write(lines)
        except ConnectionError:
            pass
        finally:
            self.events.unsubscribe(queue)
        return response

    async def _start(self, request: web.Request) -> web.Response:
        wanted = await asked_in(request, wire.StartTask)
        await self.watch.look()
        starter = await self._attest(request)
        if wanted.under:
            await self._require_screen(request, "", wanted.under)
        launched = await self.launcher.start(wanted)
        if wanted.unattended:
            task = launched.entry.task.id
            watch(starter, lambda: self.engine.desk.spawn(self._left(task)))
        return as_json(
            wire.Started(
                task=self.engine.desk.view(launched.entry),
                socket=launched.socket,
                token=launched.token,
                needs_waiting=launched.needs_waiting,
                mcp=launched.mcp,
            )
        )

    async def _left(self, task: str) -> None:
        """Whoever started an unattended task has gone, however: it ends, and all it holds."""
        if not self.engine.book.task(task).ended:
            await self.lifecycle.revoke(task, "its starter's end")

    async def _attach(self, request: web.Request) -> web.Response:
        return as_json(place(self.paths.task(self.engine.book.task(_id(request)).top.task.id)))

    async def _exit(self, request: web.Request) -> web.Response:
        """Answered when the task has ended."""
        code, failure = await self.lifecycle.outcome(_id(request))
        return as_json({"exit_code": code, "failure": failure})

    async def _end(self, request: web.Request) -> web.Response:
        await self.lifecycle.end(_id(request))
        return as_json({})

    async def _revoke_task(self, request: web.Request) -> web.Response:
        return as_json(await self.lifecycle.revoke(_id(request), self._by()))

    async def _revoke_all(self, request: web.Request) -> web.Response:
        live = [e.task.id for e in self.engine.book.tops() if not (e.ended or e.revoked)]
        done = await asyncio.gather(*(self.lifecycle.revoke(t, self._by()) for t in live))
        return as_json(
            wire.RevokedView(
                tasks=tuple(live),
                leases_dead=sum(d.leases_dead for d in done),
                leases_unconfirmed=sum(d.leases_unconfirmed for d in done),
                connections_cut=sum(d.connections_cut for d in done),
                took_ms=max((d.took_ms for d in done), default=0.0),
            )
        )

    async def _revoke_grant(self, request: web.Request) -> web.Response:
        return as_json(await self.lifecycle.revoke_grant(_id(request), self._by()))

    async def _freeze_task(self, request: web.Request) -> web.Response:
        await self.lifecycle.freeze(_id(request), self._by())
        return as_json({})

    async def _thaw_task(self, request: web.Request) -> web.Response:
        await self.lifecycle.thaw(_id(request), self._by())
        return as_json({})

    async def _freeze_all(self, request: web.Request) -> web.Response:
        await self.lifecycle.freeze_all(self._by())
        return as_json({})

    async def _answer(self, request: web.Request) -> web.Response:
        approval = _id(request)
        await self._require_screen(request, approval)
        body = await asked_in(request, wire.AnswerApproval)
        pending = self.engine.approvals.pending(approval)
        if pending is None:
            raise NotFound("This question is not open any more.", hint="See `taskpass history`.")
        for_good = body.approve and body.scope == "always"
        if for_good:
            await self.keeper.keep(approval, self._by())
        await self.engine.approvals.answer(
            approval,
            answer=Answer.APPROVED if body.approve else Answer.DENIED,
            # The task that asks keeps the policy it started with: for it, the answer stands.
            scope=Scope.TASK if for_good else Scope(body.scope),
            minutes=MAX_MINUTES if for_good else body.minutes,
            code=body.code,
            note=body.note,
            by=self._by(),
        )
        if body.freeze and not body.approve:
            await self.lifecycle.freeze(pending.task, self._by())
        return as_json({})

    async def _always(self, request: web.Request) -> web.Response:
        proposal = await self.keeper.propose(_id(request))
        report = proposal.report
        return as_json(
            wire.AlwaysView(
                rule=proposal.text,
                judged=report.judged,
                unreadable=report.unreadable,
                changed=tuple(
                    f"{change.before} → {change.after}  {change.past.title}"
                    for change in report.changes
                ),
            )
        )

    async def _policy(self, request: web.Request) -> web.Response:
        await self.watch.look()
        pending = await asyncio.to_thread(self.watch.policies.pending)
        return as_json(
            wire.PolicyChange(digest=pending.digest, diff=pending.diff, waits=pending.loosens)
        )

    async def _accept_policy(self, request: web.Request) -> web.Response:
        await self._require_screen(request, "")
        body = await asked_in(request, wire.AcceptPolicy)
        await self.watch.accept(body.digest, self._by())
        return as_json({})

    async def _change_sets(self, request: web.Request) -> web.Response:
        return as_json(await self.reviews.listing())

    async def _change_set(self, request: web.Request) -> web.Response:
        with_diff = request.query.get("diff") == "1"
        return as_json(await self.reviews.show(_id(request), diff=with_diff))

    async def _apply_changes(self, request: web.Request) -> web.Response:
        wanted = await asked_in(request, wire.ApplyChanges)
        return as_json(
            await self.reviews.apply(_id(request), wanted.paths, risky=wanted.risky, by=self._by())
        )

    async def _drop_changes(self, request: web.Request) -> web.Response:
        return as_json({"dropped": await self.reviews.drop(_id(request), by=self._by())})

    async def _history(self, request: web.Request) -> web.Response:
        query = request.query
        after, limit = int(query.get("after", 0)), int(query.get("limit", 500))
        kinds = [kind for kind in query.get("kinds", "").split(",") if kind]
        limit = max(1, min(limit, _MAX_RECORDS))
        ledger, task = self.engine.ledger, query.get("task", "")
        records = (
            ledger.read(after=after, limit=limit, task=task, kinds=kinds)
            if after
            else ledger.latest(limit, task=task, kinds=kinds)
        )
        return as_json(records)

    async def _verify(self, request: web.Request) -> web.Response:
        result = await asyncio.to_thread(verify, self.paths.ledger)
        return as_json(
            wire.VerifyView(
                ok=result.ok,
                records=result.records,
                checkpoints=result.checkpoints,
                message=result.message,
                head=result.head,
                key=result.key,
            )
        )

    async def _jwks(self, request: web.Request) -> web.Response:
        """RFC 7517: the public keys that verify our tokens, for who verifies offline."""
        return as_json(self.jwks)

    async def _stop(self, request: web.Request) -> web.Response:
        live = [e for e in self.engine.book.tops() if not e.ended and e.task.id in
                self.engine.desk.runtimes]  # fmt: skip
        if live:
            raise Denied(
                f"{len(live)} tasks are running.",
                hint="Revoke them first with `taskpass revoke --all`.",
            )
        asyncio.get_running_loop().call_soon(self.stop)
        return as_json({})


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def _line(event: wire.Event) -> bytes:
    return msgspec.json.encode(event) + b"\n"


def _problem(error: TaskpassError) -> web.Response:
    problem = wire.Problem(code=error.code, message=error.message, hint=error.hint)
    return web.Response(
        status=error.status, body=msgspec.json.encode(problem), content_type="application/json"
    )


def _has_terminal(process: Process) -> bool:
    """Field 7 of /proc/PID/stat: the controlling terminal, 0 for none."""
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split()[4] != b"0"
