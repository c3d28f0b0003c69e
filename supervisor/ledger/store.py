"""The ledger as the supervisor uses it: awaited appends over one writing thread.

Appends that wait at the same time share one commit (group commit), and each returns after its
own record is on the disk. Readers use a connection of their own and never wait for the writer.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from supervisor.errors import LedgerFailed
from supervisor.ledger.database import CheckpointRule, Database, Draft, Written
from supervisor.ledger.files import key_path, open_reader, reserve_path
from supervisor.ledger.record import decode
from supervisor.ledger.reserve import Reserve
from supervisor.ledger.signing import CheckpointKey
from supervisor.ports import Entry, LedgerStore

_BATCH = 512  # records in one commit; what was asked for together is not divided
_IDLE = 0.25  # seconds without an append after which the write-ahead log is folded
# Seconds that a record waits for company, and for what is added to it, when nobody waits for it;
# and how often that is looked at.
_BEHIND, _TICK = 0.06, 0.05
_FOLD_AFTER = 256  # commits after which it is folded even when busy

Listener = Callable[[Iterator[dict[str, Any]]], None]


class _Waiting(NamedTuple):
    draft: Draft
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Entry] | None  # None: nobody waits
    failed: Callable[[LedgerFailed], object] | None = None  # who is told of a failure then


class SqliteLedger(LedgerStore):
    """A ledger in the SQLite file `path`; beside it `.key` (signing) and `.reserve` (space).

    Args:
        sign_key: signs checkpoints; by default the key file beside `path`, made on first use.
        rule: when a checkpoint is signed.

    Raises:
        LedgerFailed: the file cannot be opened for writing.
        LedgerBroken: the newest records do not verify.
        ConfigError: the key file cannot be trusted.
    """

    def __init__(
        self,
        path: Path,
        *,
        sign_key: CheckpointKey | None = None,
        reserve: Reserve | None = None,
        rule: CheckpointRule | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        rule = rule or CheckpointRule()
        self._clock = clock
        self._sign_every = rule.seconds
        self._database = Database(
            path,
            key=sign_key or CheckpointKey.from_file(key_path(path)),
            reserve=reserve or Reserve(reserve_path(path)),
            rule=rule,
            clock=clock,
        )
        self._reader = open_reader(path)
        self._reading = threading.Lock()
        self._queue: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._behind: list[_Waiting] = []  # of the loop; asked for, not handed to the thread
        self._timer: asyncio.TimerHandle | None = None  # of `_hand_over_old`
        self._asked = 0  # records behind, ever
        self._since: deque[float] = deque()  # when each record behind was asked for; not durable
        self._listeners: list[tuple[asyncio.AbstractEventLoop, Listener]] = []
        self._closing = False
        self._thread = threading.Thread(target=self._write, name="ledger", daemon=True)
        self._thread.start()

    @property
    def head(self) -> int:
        """Number of the last durable record: `read(after=head - n)` gives the latest n."""
        return self._database.seq

    async def append(self, kind: str, body: Mapping[str, Any]) -> Entry:
        return await self._append(kind, body, reserved=False)

    async def append_reserved(self, kind: str, body: Mapping[str, Any]) -> Entry:
        return await self._append(kind, body, reserved=True)

    def append_behind(
        self,
        kind: str,
        body: Mapping[str, Any],
        failed: Callable[[LedgerFailed], object] = lambda error: None,
    ) -> Callable[[Mapping[str, Any]], bool]:
        loop = self._open_loop()
        if self._timer is None:
            self._timer = loop.call_later(_BEHIND, self._hand_over_old)
        kept = dict(body)
        self._behind.append(_Waiting(Draft(kind, kept, self._clock(), False), loop, None, failed))
        self._since.append(time.monotonic())
        self._asked += 1
        place = self._asked

        def add(more: Mapping[str, Any]) -> bool:
            if place <= self._asked - len(self._behind):  # the thread has it
                return False
            kept.update(more)
            return True

        return add

    @property
    def lag(self) -> float:
        return time.monotonic() - self._since[0] if self._since else 0.0

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on the running loop with the records of each commit, in order.

        The records are as `read` gives them. Returns what ends the subscription.
        """
        entry = (asyncio.get_running_loop(), listener)
        self._listeners = [*self._listeners, entry]

        def unsubscribe() -> None:
            self._listeners = [other for other in self._listeners if other is not entry]

        return unsubscribe

    def read(
        self, *, after: int = 0, limit: int = 1000, task: str = "", kinds: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        return self._select(after, "ASC", limit, task, kinds)

    def latest(
        self, limit: int = 1000, *, task: str = "", kinds: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """The last `limit` records, oldest first."""
        return self._select(0, "DESC", limit, task, kinds)[::-1]

    async def close(self) -> None:
        """Write what waits, sign the head, and close. Later appends fail."""
        if self._closing:
            return
        self._closing = True
        self._hand_over()
        self._queue.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        with self._reading:
            self._reader.close()

    def _select(
        self, after: int, order: str, limit: int, task: str, kinds: Sequence[str]
    ) -> list[dict[str, Any]]:
        where = ["seq > ?"]
        parameters: list[str | int] = [after]
        if task:
            where.append("task = ?")
            parameters.append(task)
        if kinds:
            where.append(f"kind IN ({', '.join('?' * len(kinds))})")
            parameters.extend(kinds)
        # Only our own words are put together here; every value is a parameter.
        query = (
            "SELECT canonical, hash FROM records WHERE "  # noqa: S608
            + " AND ".join(where)
            + f" ORDER BY seq {order} LIMIT ?"
        )
        with self._reading:
            rows = self._reader.execute(query, (*parameters, limit)).fetchall()
        return [decode(canonical, digest) for canonical, digest in rows]

    async def _append(self, kind: str, body: Mapping[str, Any], *, reserved: bool) -> Entry:
        loop = self._open_loop()
        future: asyncio.Future[Entry] = loop.create_future()
        # A copy: the writer reads it later, on its own thread.
        draft = Draft(kind, dict(body), self._clock(), reserved)
        self._behind.append(_Waiting(draft, loop, future))
        self._hand_over()
        return await future

    def _open_loop(self) -> asyncio.AbstractEventLoop:
        if self._closing:
            raise LedgerFailed("The history is closed.", hint="Start the supervisor again.")
        return asyncio.get_running_loop()

    def _hand_over(self) -> None:
        """Give the thread what was asked for, in order."""
        if self._behind:
            self._queue.put(self._behind)
            self._behind = []

    def _hand_over_old(self) -> None:
        """Give it what has waited for its time; the younger may still be added to."""
        self._timer, behind = None, self._behind
        if not behind:
            return
        due = time.monotonic() - _BEHIND + _TICK
        since = list(self._since)[-len(behind) :]
        old = bisect.bisect_right(since, due)
        if old:
            self._queue.put(behind[:old])
            self._behind = behind[old:]
        if self._behind:
            self._timer = self._behind[0].loop.call_later(_TICK, self._hand_over_old)

    # ── the writing thread ──────────────────────────────────────────────────────────────

    def _write(self) -> None:
        commits = 0  # since the log was folded
        while True:
            try:
                first = self._queue.get(timeout=self._patience(commits))
            except queue.Empty:
                if commits:
                    self._database.fold()
                    commits = 0
                else:
                    self._database.sign()
                continue
            batch, last = self._gather(first)
            if batch:
                self._commit(batch)
                commits += 1
                if commits >= _FOLD_AFTER:
                    self._database.fold()
                    commits = 0
            if last:
                self._database.close()
                return

    def _patience(self, commits: int) -> float | None:
        """Seconds to wait for the next append before there is something else to do."""
        if commits:
            return _IDLE
        return self._sign_every if self._database.unsigned else None

    def _gather(self, first: list[_Waiting] | None) -> tuple[list[_Waiting], bool]:
        """What waits now, some `_BATCH` of it, and whether the end was asked for."""
        batch: list[_Waiting] = []
        waiting = first
        while waiting is not None:
            batch += waiting
            if len(batch) >= _BATCH:
                return batch, False
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        answers: Sequence[Written | LedgerFailed]
        try:
            answers = self._database.write([waiting.draft for waiting in batch])
        except Exception as error:
            # Whatever it was, nobody may wait for ever, and nothing was acknowledged.
            failure = LedgerFailed(
                f"The history cannot be written: {error}.", hint="See the supervisor's log."
            )
            answers = [failure] * len(batch)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, Written | LedgerFailed]]]
        by_loop = {}
        for waiting, answer in zip(batch, answers, strict=True):
            by_loop.setdefault(waiting.loop, []).append((waiting, answer))
        for loop, settled in by_loop.items():
            _call(loop, self._settle, settled)
        self._publish([answer for answer in answers if isinstance(answer, Written)])

    def _settle(self, settled: Sequence[tuple[_Waiting, Written | LedgerFailed]]) -> None:
        """Tell those who asked, on their loop."""
        for waiting, answer in settled:
            if waiting.future is None:
                self._since.popleft()
                if isinstance(answer, LedgerFailed) and waiting.failed is not None:
                    waiting.failed(answer)
            elif waiting.future.done():  # the caller gave up meanwhile; the record stays
                continue
            elif isinstance(answer, LedgerFailed):
                waiting.future.set_exception(answer)
            else:
                waiting.future.set_result(Entry(answer.seq, answer.hash))

    def _publish(self, written: Sequence[Written]) -> None:
        listeners = self._listeners
        if not listeners or not written:
            return
        for loop, listener in listeners:
            # Read only by a listener that looks at them: mostly there is no screen.
            _call(loop, listener, (decode(each.canonical, each.hash) for each in written))


def _call(loop: asyncio.AbstractEventLoop, function: Callable[..., None], argument: object) -> None:
    # A loop that has ended has nobody waiting on it.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, argument)
