"""Tool definitions of MCP servers, pinned: what a server said first holds until a person agrees.

A server that is seen for the first time is pinned as it is, on record. Later a definition that is
new or another one is hidden, and a person is asked once, with the difference. Yes pins it; no
hides the tool for as long as it stays like that.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from supervisor.calls.mcp import question
from supervisor.calls.questions import Questions
from supervisor.calls.recorder import Recorder
from supervisor.desk import Desk
from supervisor.errors import Denied, LedgerFailed, TaskpassError
from supervisor.gateway.definitions import change, digest
from supervisor.grants.book import Book, TaskEntry
from supervisor.intake.reports import Verdict
from supervisor.model import (
    Answer,
    Decision,
    Effect,
    Outcome,
    Risk,
    ToolCall,
    Verb,
)

if TYPE_CHECKING:
    from supervisor.core import Engine

_POLICY = "mcp/definition"  # as the policy that asks is called on screens and in records


class Pin(msgspec.Struct, frozen=True):
    """What was decided about one definition."""

    digest: str
    definition: dict[str, Any] = {}
    refused: str = ""  # digest of the one that a person said no to, last


class _Saved(msgspec.Struct):
    servers: dict[str, dict[str, Pin]] = {}


@dataclass(slots=True)
class ToolDefinitions:
    """The pins of one supervisor; `file` keeps them."""

    book: Book
    records: Recorder
    questions: Questions
    desk: Desk
    file: Path
    clock: Callable[[], float]
    _saved: _Saved = field(default_factory=_Saved, init=False)
    _asking: dict[str, dict[str, asyncio.Event]] = field(default_factory=dict, init=False)

    @classmethod
    def of(cls, engine: Engine, file: Path) -> ToolDefinitions:
        """The pins in `file`, minded by `engine` from now on: no other definition is called."""
        made = cls(
            engine.book, engine.records, engine.questions, engine.desk, file, engine.clock
        )  # fmt: skip
        made._load()
        engine.admit = made.check
        return made

    def _load(self) -> None:
        """What cannot be read pins nothing: its servers' tools are asked about, all of them."""
        try:
            self._saved = msgspec.json.decode(self.file.read_bytes(), type=_Saved)
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError):
            self._saved = _Saved({"": {}})  # not empty: nothing is seen for the first time

    def check(self, call: ToolCall) -> None:
        """Whether the call is of a tool as it is pinned.

        Raises:
            Denied: it is not.
        """
        if not call.definition:
            return
        if call.method:
            return
        server, _, name = call.tool.removeprefix("mcp__").partition("__")
        pin = self._saved.servers.get(server, {}).get(name)
        if pin is None or pin.digest != call.definition:
            raise Denied(
                f"The tool {name} of the MCP server {server} is not as it was accepted.",
                hint="The person is asked about the change: list the tools again after that.",
            )

    async def offered(
        self, task: str, server: str, definitions: Sequence[Mapping[str, Any]]
    ) -> Verdict:
        """See `intake.reports.Definitions`."""
        entry = self.book.require_live(task)
        offered = {str(each["name"]): dict(each) for each in definitions}
        pins = self._saved.servers.get(server)
        if pins is None and "" not in self._saved.servers:
            fresh = {name: Pin(digest(each), each) for name, each in offered.items()}
            await self._write(entry, "mcp.pinned", server, {n: p.digest for n, p in fresh.items()})
            self._saved.servers[server] = fresh
            await self._save()
            return Verdict(tuple(offered), ())
        known = pins or {}
        shown, asking = [], []
        for name, each in offered.items():
            pin, now = known.get(name), digest(each)
            if pin is not None and pin.digest == now:
                shown.append(name)
            elif pin is None or pin.refused != now:
                asking.append(name)
                self._ask(entry, server, name, each)
        return Verdict(tuple(shown), tuple(asking))

    async def answered(self, server: str) -> None:
        """See `intake.reports.Definitions`."""
        for event in list(self._asking.get(server, {}).values()):
            await event.wait()

    def _ask(self, entry: TaskEntry, server: str, name: str, definition: dict[str, Any]) -> None:
        """Put it before a person, once however many tasks see it."""
        open_ones = self._asking.setdefault(server, {})
        key = f"{name} {digest(definition)}"
        if key in open_ones:
            return
        done = open_ones[key] = asyncio.Event()

        async def ask() -> None:
            try:
                await self._decide(entry, server, name, definition)
            except TaskpassError:
                pass  # its task is over, or nothing can be recorded: it stays hidden
            finally:
                del open_ones[key]
                done.set()

        self.desk.spawn(ask())

    async def _decide(
        self, entry: TaskEntry, server: str, name: str, definition: dict[str, Any]
    ) -> None:
        pin = self._saved.servers.get(server, {}).get(name)
        now = digest(definition)
        old = pin.definition if pin is not None and pin.digest else None
        difference = self.records.redact(change(f"{server}.{name}", old, definition))
        effect = Effect(
            Verb.MCP,
            f"{server}.{name} as {now[7:19]}",
            {"server": server, "tool": name, "reads": False, "browser": False},
        )
        reason = "A tool of an MCP server is not what it was when you accepted it."
        if old is None:
            reason = "An MCP server offers a tool that it did not have when you accepted it."
        decision = Decision(Outcome.ASK, reason, (_POLICY,), risk=Risk.MEDIUM, about=(effect,))
        call = question(entry, f"mcp__{server}__{name}", difference, decision, self.clock())
        approval, _ = await self.questions.about_call(entry, call, 0.0)
        if approval is None or approval.answer not in (Answer.APPROVED, Answer.DENIED):
            return
        yes = approval.answer is Answer.APPROVED
        accepted = Pin(now, definition) if yes else _refusing(pin, now)
        kind = "mcp.accepted" if yes else "mcp.refused"
        await self._write(entry, kind, server, {name: now}, approval=approval.id)
        self._saved.servers.setdefault(server, {})[name] = accepted
        await self._save()

    async def _write(
        self,
        entry: TaskEntry,
        kind: str,
        server: str,
        digests: Mapping[str, str],
        *,
        approval: str = "",
    ) -> None:
        await self.records.write(
            kind, entry, server=server, definitions=dict(digests), approval=approval
        )

    async def _save(self) -> None:
        """Raises LedgerFailed: what is decided now would be forgotten."""

        def put() -> None:
            temporary = self.file.with_suffix(".new")
            with open(temporary, "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(msgspec.json.encode(self._saved))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.file)

        try:
            await asyncio.to_thread(put)
        except OSError as error:
            raise LedgerFailed(f"Cannot keep {self.file}: {error.strerror}.") from error


def _refusing(pin: Pin | None, refused: str) -> Pin:
    """As it was, with the digest of what a person said no to."""
    return Pin(pin.digest if pin else "", pin.definition if pin else {}, refused)
