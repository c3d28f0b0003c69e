"""Hook intake: the agent posts `POST /<token>/<event>`, and is answered in its own format.

The token only keeps strangers out early; who is asking is decided by the connection itself.
Its client end must be held by the agent's root process, or, for a profile with
`hooks_by_child`, by a command whose chain of parents is short and ends at the root: command
hooks are children of the root just as tools are, so `Authorize.open_call` is given that direct
child as `sender` and refuses one that is bound to a call. Otherwise `sender` is the root.

Whatever goes wrong on the way of a call is answered with a denial.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import socket
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import h11
import msgspec

from supervisor.errors import TaskpassError
from supervisor.intake.reports import Report
from supervisor.model import Process
from supervisor.ports import Announced, ConnectionOwner, HookAnswer, HookEvent, Profile

log = logging.getLogger(__name__)

# Reports of finished calls carry the tool's output.
_MAX_BODY = 32 * 1024 * 1024
_MAX_HEAD = 16 * 1024
_MAX_CONNECTIONS = 128
# What may wait behind a request that is being answered.
_MAX_WAITING = 64 * 1024
# curl ← sh ← agent; the shell that Codex starts the script with becomes the script
_LONGEST_CHAIN = 3
# A child between fork and exec shows its parent's descriptors for a moment.
_ATTEST_TRIES = 10
_ATTEST_PAUSE = 0.004  # seconds

_OUTCOMES = {"post": "ok", "failed": "failed"}
_FORGED = "This did not come from the agent itself, so it is refused."
_BROKEN = "taskpass could not judge this call, so it is refused."


class HookIntake:
    """The hook server of one task, on a listener that only its processes reach.

    Args:
        task: its id.
        listener: a listening socket; it is closed by `close`.
        token: path segment that the launch gave to the agent.
        profile: reads inputs and writes answers.
        authorize: judges, settles and records.
        owner: finds the process behind a connection, and its ancestors up to the agent's root.
        chain: how long the chain of a sender may be that speaks for itself, from it to the root;
            None: by the profile.
        hold: seconds a call is held while a person is asked; the agent's own timeout, which
            the launch sets, must be longer.
        reports: what answers events that are no calls, by their phase (`intake.reports`).
    """

    def __init__(
        self,
        task: str,
        listener: socket.socket,
        token: str,
        profile: Profile,
        authorize: Announced,
        owner: ConnectionOwner,
        *,
        hold: float,
        chain: int | None = None,
        reports: Mapping[str, Report] = MappingProxyType({}),
    ) -> None:
        self.task = task
        self.profile = profile
        self.authorize = authorize
        self.owner = owner
        self._listener = listener
        self._token = token.encode()
        self._hold = hold
        self._length = chain
        self._reports = reports
        self._server: asyncio.Server | None = None
        self.connections: set[_Connection] = set()

    async def serve(self) -> None:
        """Start accepting."""
        self._listener.setblocking(False)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), sock=self._listener)

    async def close(self) -> None:
        """Stop, and cut what waits: an agent that gets no answer blocks the call."""
        if self._server is not None:
            self._server.close()
        self._listener.close()
        for connection in tuple(self.connections):
            connection.abort()

    async def answer(
        self, request: Request, connection: _Connection
    ) -> tuple[int, bytes, HookEvent | None]:
        """Status, body, and the event when it opened a call. Never raises."""
        try:
            sender = await self._attest(request, connection)
            if sender is None:
                return 403, self._denial(_FORGED), None
            event = self._parse(request)
        except ValueError as error:
            log.warning("task %s: malformed hook input: %s", self.task, error)
            return 200, self._denial(f"Malformed hook input ({error}), so it is refused."), None
        except Exception:
            log.exception("task %s: hook intake failed", self.task)
            return 200, self._denial(_BROKEN), None
        if event.phase == "pre":
            connection.holding = True
            try:
                return await self._open(event, sender)
            finally:
                connection.holding = False
        if event.phase in self._reports:
            return 200, await self._reported(event), None
        aside = self._aside(event)
        await self._report(event)
        return 200, self._render(event, HookAnswer(allow=True, reason=aside)), None

    async def _attest(self, request: Request, connection: _Connection) -> Process | None:
        """The sender, or None after the attempt was recorded.

        Of a sender that has gone nobody can say any more who it was: a hook that the agent did
        not wait for, or a forgery. It is refused as well, and on record by another word.
        """
        kind, why = "forged_hook", "wrong address"
        if request.method == b"POST" and hmac.compare_digest(request.token, self._token):
            for attempt in range(_ATTEST_TRIES):
                if attempt:
                    await asyncio.sleep(_ATTEST_PAUSE)
                owners = self.owner.owners(request.sockname, request.peername)
                senders = {self._sender(process) for process in owners}
                if len(senders) == 1 and (sender := senders.pop()) is not None:
                    return sender
                if attempt and connection.gone:
                    kind, why = "hook_sender_gone", "its sender was gone before it was looked at"
                    break
            else:
                why = "not sent by the agent itself"
        with contextlib.suppress(Exception):  # recorded or not, it is refused
            await self.authorize.incident(self.task, kind, {"why": why, "event": request.event})
        return None

    def _sender(self, process: Process) -> Process | None:
        """Who speaks when `process` holds the connection: the root, or its direct child."""
        chain = self.owner.ancestry(process)
        if self._length is not None:
            # What is between it and the agent's own child was started for it alone.
            return chain[-2:][0] if len(chain) == self._length else None
        if not self.profile.hooks_by_child:
            return chain[0] if len(chain) == 1 else None
        return chain[-2] if 2 <= len(chain) <= _LONGEST_CHAIN else None

    def _parse(self, request: Request) -> HookEvent:
        raw: Any = msgspec.json.decode(request.body)  # its error is a ValueError
        if not isinstance(raw, dict) or raw.get("hook_event_name") != request.event:
            raise ValueError("not an input of this event")
        event = self.profile.parse_hook(raw)
        if event.phase in {"pre", "post", "failed"} and event.call is None:
            raise ValueError("no call in it")
        return event

    async def _open(self, event: HookEvent, sender: Process) -> tuple[int, bytes, HookEvent | None]:
        assert event.call is not None  # _parse saw to it
        deadline = time.time() + min(self._hold, event.hold or self._hold)
        try:
            answer = await self.authorize.open_call(
                self.task, event.call, sender, deadline=deadline
            )
            body = self.profile.render_answer(event, answer)
        except Exception:
            log.exception("task %s: open_call failed", self.task)
            return 200, self._denial(_BROKEN), None
        return 200, body, event if answer.allow else None

    def _aside(self, event: HookEvent) -> str:
        try:
            return self.authorize.aside(self.task, event.call.agent_call_id) if event.call else ""
        except Exception:
            log.exception("task %s: aside failed", self.task)
            return ""

    async def _report(self, event: HookEvent) -> None:
        try:
            if event.phase == "turn_end":
                await self.authorize.settle_call(
                    self.task, "", "turn ended", subagent=event.subagent
                )
            elif event.phase == "prompt" or event.notice:
                self.authorize.activity(self.task, event.notice)
            elif event.phase == "session_end":
                await self.authorize.settle_call(self.task, "", "session ended")
            elif event.call is not None:
                outcome = _OUTCOMES[event.phase]
                if event.spawned:
                    self.authorize.spawned(self.task, event.spawned, event.call.subagent)
                await self.authorize.settle_call(self.task, event.call.agent_call_id, outcome)
        except Exception:
            # The agent need not know: the call also ends with its turn and by its age.
            log.exception("task %s: settle_call failed", self.task)

    async def _reported(self, event: HookEvent) -> bytes:
        try:
            return await self._reports[event.phase](self.task, event.raw, self._hold)
        except Exception as error:
            if not isinstance(error, ValueError | TaskpassError):
                log.exception("task %s: the report of %s failed", self.task, event.phase)
            return b"{}"  # nothing is granted by it

    async def undelivered(self, event: HookEvent) -> None:
        """The agent left before its allowance reached it: the call will not happen."""
        assert event.call is not None
        with contextlib.suppress(Exception):
            await self.authorize.settle_call(self.task, event.call.agent_call_id, "undelivered")

    def _render(self, event: HookEvent, answer: HookAnswer) -> bytes:
        try:
            return self.profile.render_answer(event, answer)
        except Exception:
            log.exception("task %s: render_answer failed", self.task)
            return b""

    def _denial(self, reason: str) -> bytes:
        return self._render(HookEvent(phase="pre"), HookAnswer(allow=False, reason=reason))

    def full(self) -> bool:
        """Whether another connection would be one too many."""
        return len(self.connections) >= _MAX_CONNECTIONS


class Request:
    """One whole request, with the two ends of its connection."""

    __slots__ = ("body", "event", "method", "peername", "sockname", "token")

    def __init__(
        self, head: h11.Request, body: bytes, sockname: tuple[str, int], peername: tuple[str, int]
    ) -> None:
        parts = head.target.split(b"/")
        well_formed = len(parts) == 3 and not parts[0]
        self.method = head.method
        self.token = parts[1] if well_formed else b""
        self.event = parts[2].decode("ascii", "replace") if well_formed else ""
        self.body = body
        self.sockname = sockname
        self.peername = peername


class _Connection(asyncio.Protocol):
    """One keep-alive connection; requests are answered one after the other."""

    def __init__(self, intake: HookIntake) -> None:
        self.intake = intake
        self.holding = False  # a call is being judged: pointless once the agent has left
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._waiting = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast: uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        if self.intake.full():
            self._transport.abort()
            return
        self.intake.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.intake.connections.discard(self)
        self._transport = None
        # Only a question is withdrawn; the report of an end is carried through.
        if self._task is not None and self.holding:
            self._task.cancel()

    @property
    def gone(self) -> bool:
        """Whether the other end has closed it."""
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._task is not None:
            self._waiting += len(data)
            if self._waiting > _MAX_WAITING:
                self.abort()
                return
        self._http.receive_data(data)
        if self._task is None:
            self._advance()

    def _advance(self) -> None:
        try:
            while self._task is None:
                event = self._http.next_event()
                if isinstance(event, h11.Request):
                    self._head, self._body = event, bytearray()
                    if self._http.they_are_waiting_for_100_continue:
                        self._send(
                            h11.InformationalResponse(status_code=100, headers=[], reason=b"")
                        )
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > _MAX_BODY:
                        self.abort()
                        return
                elif isinstance(event, h11.EndOfMessage):
                    self._task = asyncio.get_running_loop().create_task(self._respond())
                else:
                    return
        except h11.RemoteProtocolError:
            self.abort()

    async def _respond(self) -> None:
        transport, head = self._transport, self._head
        if transport is None or head is None:
            return
        sockname = transport.get_extra_info("sockname")
        peername = transport.get_extra_info("peername")
        request = Request(head, bytes(self._body), sockname[:2], peername[:2])
        self._body = bytearray()
        status, body, opened = await self.intake.answer(request, self)
        if self._transport is None:
            if opened is not None:
                await self.intake.undelivered(opened)
            return
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        self._send(
            h11.Response(status_code=status, headers=headers, reason=b""),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        self._task, self._waiting = None, 0
        if self._http.our_state is h11.MUST_CLOSE:
            transport.close()
            return
        self._http.start_next_cycle()
        self._advance()

    def _send(self, *events: h11.Event) -> None:
        assert self._transport is not None
        self._transport.write(b"".join(self._http.send(event) or b"" for event in events))


__all__ = ["HookIntake"]
