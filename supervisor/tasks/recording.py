"""Recordings of tasks' terminals: made while a task runs, and read again.

The supervisor looks on at a task's pane as one more screen. It gives the recording its key, which
the vault seals, and keeps what it knows to be secret out of it. A restarted supervisor goes on in
another file; what was shown in between is not in any.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from supervisor.calls.recorder import Recorder
from supervisor.client_pane import PaneConnection
from supervisor.errors import LedgerBroken, NotFound, TaskpassError
from supervisor.grants.book import TaskEntry
from supervisor.paths import private_dir
from supervisor.protocol import holder_wire, wire
from supervisor.protocol.recording import ChunkView, FrameView, RecordingView
from supervisor.recording.frames import Film, Pane, pack, unpack
from supervisor.recording.masking import mask_rows
from supervisor.recording.sealed import Reader, Writer, header_of
from supervisor.vault.store import FileVault

log = logging.getLogger("supervisor")

_SECONDS = 0.1  # between two frames
_CHUNK = 5.0  # seconds of a chunk
_CHUNK_FRAMES = 200
_MOST = 512 * 1024 * 1024  # bytes of one file
_NAME = re.compile(r"(t-[a-z0-9]+)\.(\d+)\.rec")


@dataclass(slots=True)
class Recordings:
    """All recordings of this user, below `folder`."""

    folder: Path
    vault: FileVault
    records: Recorder
    clock: Callable[[], float] = time.time
    _prepared: dict[str, Writer] = field(default_factory=dict)
    _running: set[str] = field(default_factory=set)

    async def prepare(self, task: str) -> None:
        """Make a task's next file, before the task starts.

        Raises:
            VaultLocked: there is nowhere to keep its key. TaskpassError, OSError.
        """
        await self._know_secrets()
        key = os.urandom(32)
        sealed = await self.vault.seal(_about(task), key)

        def make() -> Writer:
            private_dir(self.folder)
            number = len(self._files(task)) + 1
            path = self.folder / f"{task}.{number}.rec"
            return Writer(path, task, self.clock(), key, sealed)

        self._prepared[task] = await asyncio.to_thread(make)

    async def _know_secrets(self) -> None:
        """Load what has to be kept out: a restarted supervisor has not needed all of it yet.

        Raises:
            VaultLocked: it cannot be told what is secret, so nothing is recorded.
        """
        for spec in self.vault.specs():
            if spec.protection:
                with contextlib.suppress(NotFound):  # gone from its store: nothing shows it
                    await self.vault.secret(spec.name)

    async def discard(self, task: str) -> None:
        """The task never ran."""
        writer = self._prepared.pop(task, None)
        if writer is not None:
            writer.abandon()
            await asyncio.to_thread(self._unlink, task)

    async def follow(self, entry: TaskEntry, place: wire.Attached) -> None:
        """Record a pane until its task ends. Never raises: what fails is on record."""
        task = entry.task.id
        try:
            if task not in self._prepared:
                await self.prepare(task)
            writer = self._prepared.pop(task)
            self._running.add(task)
            await self.records.write("recording.started", entry)
            try:
                await self._record(place, writer)
            finally:
                # Also when we end: the file is whole, as far as it goes.
                with contextlib.suppress(OSError):
                    writer.close(self.clock())
            digest = await asyncio.to_thread(_digest, self._files(task)[-1])
            await self.records.write(
                "recording.ended", entry, bytes=writer.size, chunks=writer.chunks, digest=digest
            )
        except (OSError, TaskpassError) as error:
            log.warning("the recording of %s: %s", task, error)
            with contextlib.suppress(TaskpassError):
                reason = error.message if isinstance(error, TaskpassError) else str(error.strerror)
                await self.records.write("recording.failed", entry, reason=reason)
        finally:
            self._running.discard(task)

    async def _record(self, place: wire.Attached, writer: Writer) -> None:
        pane, film = Pane(), Film()
        frames: list[FrameView] = []
        # A screen of no size looks on, and never decides how large the terminal is.
        connection = await PaneConnection.open(place.socket, place.token, 0, 0)

        def shoot() -> None:
            now = self.clock()
            rows = mask_rows(pane.rows, self.vault.redactor())
            frame = film.frame(now, pane, rows, full=not frames)
            if frame is not None:
                frames.append(frame)

        async def keep() -> None:
            if frames:
                kept = tuple(frames)
                frames.clear()
                await asyncio.to_thread(lambda: writer.write(kept[0].at, pack(kept)))

        fresh = asyncio.Event()

        async def take() -> None:
            async for message in connection.frames():
                if isinstance(message, holder_wire.Exited):
                    return
                if isinstance(message, holder_wire.Screen):
                    pane.take(message)
                    fresh.set()

        taking = asyncio.ensure_future(take())
        try:
            while not taking.done() and writer.size < _MOST:
                waiting = asyncio.ensure_future(fresh.wait())
                patience = max(0.0, frames[0].at + _CHUNK - self.clock()) if frames else None
                await asyncio.wait(
                    (taking, waiting), timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
                waiting.cancel()
                if fresh.is_set():
                    fresh.clear()
                    shoot()
                old = frames and self.clock() - frames[0].at >= _CHUNK
                if old or len(frames) >= _CHUNK_FRAMES:
                    await keep()
                await asyncio.wait((taking,), timeout=_SECONDS)
            if fresh.is_set():
                shoot()
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)
            if frames:
                writer.write(frames[0].at, pack(frames))
            await connection.close()

    # ── Reading ─────────────────────────────────────────────────────────────────────────

    async def listing(self) -> list[RecordingView]:
        """Every task's, the newest first."""

        def tasks() -> list[str]:
            found = {m[1] for path in self._all() if (m := _NAME.fullmatch(path.name))}
            return sorted(found)

        views = [await self._view(task) for task in await asyncio.to_thread(tasks)]
        return sorted(views, key=lambda view: -view.began)

    async def _view(self, task: str) -> RecordingView:
        paths = self._files(task)
        size = sum(path.stat().st_size for path in paths)
        running = task in self._running
        began = 0.0
        try:
            began = (await asyncio.to_thread(header_of, paths[0])).began
            readers = await self._readers(task)
            ended = max((p.start for reader in readers for p in reader.places), default=began)
            whole = running or all([await asyncio.to_thread(_whole, each) for each in readers])
            return RecordingView(task=task, began=began, ended=ended, size=size, running=running,
                                 whole=whole)  # fmt: skip
        except TaskpassError as error:
            return RecordingView(task=task, began=began, ended=began, size=size, running=running,
                                 problem=error.message)  # fmt: skip

    async def chunk(self, task: str, at: float) -> ChunkView:
        """What was shown at a time (0: from the beginning), or next.

        Raises:
            NotFound: nothing of the task was recorded.
            LedgerBroken: it was altered. VaultLocked: its key is not to be had.
        """
        readers = await self._readers(task)
        every = [(place, reader) for reader in readers for place in reader.places]
        filled = [(place, reader) for place, reader in every if not place.empty]

        def read() -> ChunkView:
            if not filled:
                raise NotFound("This recording shows nothing yet.", hint="Look again later.")
            index = max((n for n, (place, _) in enumerate(filled) if place.start <= at), default=0)
            place, reader = filled[index]
            following = filled[index + 1][0].start if index + 1 < len(filled) else 0.0
            running = task in self._running
            return ChunkView(
                frames=unpack(reader.read(place)),
                start=place.start,
                next=following,
                began=filled[0][0].start,
                ended=every[-1][0].start,
                whole=running or all(map(_whole, readers)),
            )

        return await asyncio.to_thread(read)

    async def frames(self, task: str) -> Iterator[FrameView]:
        """All of it, in order. Raises as `chunk`, some of it while it is read."""
        readers = await self._readers(task)

        def read() -> Iterator[FrameView]:
            for reader in readers:
                for place in reader.places:
                    if data := reader.read(place):
                        yield from unpack(data)

        return read()

    async def remove(self, task: str) -> None:
        """Forget a task's recording. Raises NotFound."""
        if task in self._running:
            raise NotFound("This task is being recorded still.", hint="Wait for its end.")
        await self._readers(task, opened=False)
        await asyncio.to_thread(self._unlink, task)

    async def _readers(self, task: str, *, opened: bool = True) -> list[Reader]:
        paths = self._files(task)
        if not paths:
            raise NotFound(
                "Nothing of this task was recorded.", hint="Start one with `taskpass run --record`."
            )
        readers = []
        for path in paths if opened else ():
            header = await asyncio.to_thread(header_of, path)
            if header.task != task:
                raise LedgerBroken(f"{path} is another task's recording.")
            key = await self.vault.unseal(_about(task), header.key.encode())
            readers.append(await asyncio.to_thread(Reader, path, key))
        return readers

    def _all(self) -> list[Path]:
        return list(self.folder.glob("t-*.rec")) if self.folder.is_dir() else []

    def _files(self, task: str) -> list[Path]:
        named = [(m, p) for p in self._all() if (m := _NAME.fullmatch(p.name)) and m[1] == task]
        return [path for match, path in sorted(named, key=lambda each: int(each[0][2]))]

    def _unlink(self, task: str) -> None:
        for path in self._files(task):
            path.unlink(missing_ok=True)


def _about(task: str) -> str:
    return f"recording {task}"


def _whole(reader: Reader) -> bool:
    return reader.whole


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
