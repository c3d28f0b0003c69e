"""The API's part about the past: pages, proofs, figures, replays and exports of the history."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from supervisor.errors import NotFound, UsageError
from supervisor.grants.book import Book
from supervisor.ledger.files import key_path
from supervisor.ledger.reading import Reading, reading
from supervisor.ledger.signing import CheckpointKey, fingerprint
from supervisor.ledger.verify import verify
from supervisor.ports import LedgerStore
from supervisor.protocol.review import FORMATS, FiguresView, HeadView, ProofView, ReplayView
from supervisor.review import figures, finding
from supervisor.review.proof import prove
from supervisor.review.query import Query, parse
from supervisor.review.replaying import Today, replay
from supervisor.routes.bodies import as_json, as_stream

_MOST = 2000  # records in one page
_MOST_REPLAYED = 500
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ReviewRoutes:
    """Who asks is attested in `api`. Everything is read in threads, beside the ledger's writer."""

    path: Path  # of the ledger
    ledger: LedgerStore
    book: Book
    today: Today
    by: Callable[[], str]
    clock: Callable[[], float]

    def add_to(self, app: web.Application) -> None:
        add = app.router.add_route
        add("GET", "/v1/review/records", self._page)
        add("GET", "/v1/review/records/{seq}", self._record)
        add("GET", "/v1/review/replay", self._replay)
        add("GET", "/v1/review/timeline", self._timeline)
        add("GET", "/v1/review/figures", self._figures)
        add("GET", "/v1/review/export", self._export)

    async def _page(self, request: web.Request) -> web.Response:
        query = self._query(request)
        before, after = _number(request, "before"), _number(request, "after")
        limit = max(1, min(_number(request, "limit") or 500, _MOST))
        return as_json(
            await self._read(
                lambda source: finding.page(source, query, before=before, after=after, limit=limit)
            )
        )

    async def _record(self, request: web.Request) -> web.Response:
        try:
            seq = int(request.match_info["seq"])
        except ValueError:
            raise UsageError("A record is named by its number.") from None
        key = await asyncio.to_thread(self._key)

        def look(source: Reading) -> ProofView:
            row = _row(source, seq)
            proof = prove(source, row, key.valid)
            head = proof.checkpoint
            return ProofView(
                record=row.record(),
                standing=proof.standing,
                message=proof.message,
                prev=proof.prev,
                broken_at=proof.broken_at,
                head=HeadView(number=head.number, seq=head.seq, time=head.time,
                              signature=head.signature.hex()) if head else None,
                key=fingerprint(key.public),
            )  # fmt: skip

        return as_json(await self._read(look))

    async def _replay(self, request: web.Request) -> web.Response:
        try:
            seqs = [int(each) for each in request.query.get("seq", "").split(",") if each]
        except ValueError:
            raise UsageError("Records are named by their numbers.") from None
        if len(seqs) > _MOST_REPLAYED:
            raise UsageError(f"At most {_MOST_REPLAYED} records are judged again at once.")

        def judge(source: Reading) -> list[ReplayView]:
            return [replay(source, _row(source, seq).record(), self.today) for seq in seqs]

        return as_json(await self._read(judge))

    async def _timeline(self, request: web.Request) -> web.Response:
        query = self._query(request)
        return as_json(await self._read(lambda source: finding.timeline(source, query)))

    async def _figures(self, request: web.Request) -> web.Response:
        query = self._query(request)

        def count(source: Reading) -> FiguresView:
            return figures.figures(
                record for _, record in finding.matching(source, query, figures.KINDS)
            )

        return as_json(await self._read(count))

    async def _export(self, request: web.Request) -> web.StreamResponse:
        form = request.query.get("format", "jsonl")
        if form not in FORMATS:
            raise UsageError(f"There is no format {form!r}.", hint=f"Use {', '.join(FORMATS)}.")
        query = self._query(request)
        told = request.query.get("q", "")
        await self.ledger.append(
            "history.exported", {"by": self.by(), "query": told, "format": form}
        )
        with contextlib.ExitStack() as stack:
            parts = await asyncio.to_thread(self._parts, stack, form, query, told)
            return await as_stream(request, parts)

    def _parts(
        self, stack: contextlib.ExitStack, form: str, query: Query, told: str
    ) -> Iterator[bytes]:
        """The lines of an export. Raises TaskpassError before the first of them."""
        from supervisor.review import exporting

        key = self._key()
        found = verify(self.path, sign_key=key)
        source = stack.enter_context(reading(self.path))
        origin = exporting.Origin(
            query=told,
            made=self.clock(),
            key=key.public,
            chain="ok" if found.ok else found.message,
            head=source.head,
        )
        return exporting.export(
            form,
            finding.matching(source, query),
            source.checkpoints(),
            origin,
            key.sign_statement,
        )

    def _key(self) -> CheckpointKey:
        return CheckpointKey.from_file(key_path(self.path))

    def _query(self, request: web.Request) -> Query:
        numbers = {entry.place: entry.task.id for entry in self.book.tasks()}
        return parse(
            request.query.get("q", ""), self.clock(), lambda shown: numbers.get(shown, shown)
        )

    async def _read(self, work: Callable[[Reading], _T]) -> _T:
        def read() -> _T:
            with reading(self.path) as source:
                return work(source)

        return await asyncio.to_thread(read)


def _row(source: Reading, seq: int) -> Any:
    row = source.row(seq)
    if row is None:
        raise NotFound(f"There is no record {seq}.", hint="See `taskpass history`.")
    return row


def _number(request: web.Request, name: str) -> int:
    try:
        return max(0, int(request.query.get(name, 0)))
    except ValueError:
        raise UsageError(f"{name} is a number.") from None
