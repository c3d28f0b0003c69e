"""What every LedgerStore must do. Inherit, and provide the `ledger` fixture."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from supervisor.errors import LedgerFailed
from supervisor.ports import LedgerStore
from tests.support.live import until


class LedgerContract:
    async def test_a_record_is_readable_once_append_has_returned(self, ledger: LedgerStore) -> None:
        entry = await ledger.append("call.opened", {"task": "t-1", "command": "ls ‘x’"})
        (record,) = ledger.read()
        assert record["seq"] == entry.seq == 1
        assert record["hash"] == entry.hash.hex()
        assert (record["v"], record["kind"]) == (1, "call.opened")
        assert (record["task"], record["command"]) == ("t-1", "ls ‘x’")

    async def test_each_record_names_the_hash_of_the_one_before(self, ledger: LedgerStore) -> None:
        for number in range(5):
            await ledger.append("x", {"number": number})
        records = ledger.read()
        assert records[0]["prev"] == "0" * 64
        assert all(later["prev"] == earlier["hash"] for earlier, later in pairwise(records))

    async def test_appends_that_wait_together_all_get_places_of_their_own(
        self, ledger: LedgerStore
    ) -> None:
        entries = await asyncio.gather(*(ledger.append("x", {"n": n}) for n in range(300)))
        assert [entry.seq for entry in entries] == list(range(1, 301))
        assert [record["n"] for record in ledger.read()] == list(range(300))

    async def test_reading_by_task_kind_place_and_number(self, ledger: LedgerStore) -> None:
        for number in range(6):
            task = {"task": f"t-{number % 2}"} if number else {}
            await ledger.append("even" if number % 2 == 0 else "odd", task)

        def seqs(**query: Any) -> list[int]:
            return [record["seq"] for record in ledger.read(**query)]

        assert seqs(task="t-1") == [2, 4, 6]
        assert seqs(task="t-0") == [3, 5]
        assert seqs(kinds=["even"]) == [1, 3, 5]
        assert seqs(kinds=["even", "odd"], after=2, limit=3) == [3, 4, 5]
        assert seqs(task="t-1", kinds=["odd"], after=2) == [4, 6]
        assert seqs(task="t-9") == []

        def last(limit: int, **query: Any) -> list[int]:
            return [record["seq"] for record in ledger.latest(limit, **query)]

        assert last(2) == [5, 6]
        assert last(9) == [1, 2, 3, 4, 5, 6]
        assert last(1, task="t-0") == [5]
        assert last(2, kinds=["odd"]) == [4, 6]

    @pytest.mark.parametrize(
        "body",
        [
            {"seq": 7},
            {"hash": "00"},
            {"prev": "00"},
            {"kind": "other"},
            {"time": 0},
            {"v": 2},
            {"n": 2**60},
            {"n": float("nan")},
            {"n": b"bytes"},
            {"n": "\ud800"},
            {"n": {1: 2}},
            {"task": 3},
        ],
        ids=lambda body: str(body)[:24].encode("ascii", "backslashreplace").decode(),
    )
    async def test_a_body_that_cannot_be_a_record_is_refused_alone(
        self, ledger: LedgerStore, body: dict[str, Any]
    ) -> None:
        before, bad, after = await asyncio.gather(
            ledger.append("x", {}),
            ledger.append("x", body),
            ledger.append("x", {}),
            return_exceptions=True,
        )
        assert isinstance(bad, LedgerFailed)
        assert not isinstance(before, BaseException)
        assert not isinstance(after, BaseException)
        assert [record["seq"] for record in ledger.read()] == [before.seq, after.seq] == [1, 2]

    async def test_reserved_records_are_in_the_same_chain(self, ledger: LedgerStore) -> None:
        await ledger.append("x", {})
        entry = await ledger.append_reserved("task.revoked", {"task": "t-1"})
        assert entry.seq == 2
        assert [record["kind"] for record in ledger.read()] == ["x", "task.revoked"]

    async def test_a_record_behind_stands_before_whatever_is_appended_later(
        self, ledger: LedgerStore
    ) -> None:
        for number in range(3):
            ledger.append_behind("behind", {"n": number})
        assert (await ledger.append("x", {})).seq == 4
        records = ledger.read()
        assert [record["kind"] for record in records] == ["behind"] * 3 + ["x"]
        assert [record["n"] for record in records[:3]] == [0, 1, 2]

    async def test_a_record_behind_is_durable_soon_with_nothing_after_it(
        self, ledger: LedgerStore
    ) -> None:
        assert ledger.lag == 0.0
        ledger.append_behind("x", {"n": 1})
        assert ledger.lag > 0.0
        await until(lambda: ledger.lag == 0.0, "the record")
        assert [record["n"] for record in ledger.read()] == [1]

    async def test_a_record_behind_that_cannot_be_written_says_so(
        self, ledger: LedgerStore
    ) -> None:
        failures: list[LedgerFailed] = []
        ledger.append_behind("x", {"n": b"bytes"}, failures.append)
        ledger.append_behind("x", {"n": 1}, failures.append)
        await until(lambda: ledger.lag == 0.0, "the records")
        assert [record["n"] for record in ledger.read()] == [1]
        assert len(failures) == 1

    async def test_a_record_behind_can_be_added_to_until_it_is_on_its_way(
        self, ledger: LedgerStore
    ) -> None:
        add = ledger.append_behind("x", {"n": 1, "m": 1})
        assert add({"m": 2, "more": "said"})
        await ledger.append("y", {})
        assert not add({"m": 3})
        record = ledger.read()[0]
        assert (record["n"], record["m"], record["more"]) == (1, 2, "said")

    async def test_records_behind_keep_their_order_whenever_they_come(
        self, ledger: LedgerStore
    ) -> None:
        for number in range(60):
            ledger.append_behind("x", {"n": number})
            if number % 20 == 19:
                await ledger.append("x", {"n": -1})
            await asyncio.sleep(0.003)  # over several of its commits
        await until(lambda: ledger.lag == 0.0, "the records")
        assert [record["n"] for record in ledger.read() if record["n"] >= 0] == list(range(60))

    async def test_what_waits_behind_is_written_when_the_ledger_closes(
        self, ledger: LedgerStore
    ) -> None:
        failures: list[LedgerFailed] = []
        ledger.append_behind("x", {}, failures.append)
        await ledger.close()
        await until(lambda: ledger.lag == 0.0, "the record")
        assert failures == []
        with pytest.raises(LedgerFailed):
            ledger.append_behind("x", {})

    async def test_a_closed_ledger_refuses(self, ledger: LedgerStore) -> None:
        waiting = asyncio.ensure_future(ledger.append("x", {}))
        await asyncio.sleep(0)
        await ledger.close()
        assert (await waiting).seq == 1  # what was asked for before is written
        with pytest.raises(LedgerFailed):
            await ledger.append("x", {})
        await ledger.close()  # once more does no harm
