"""Pages and timelines of a ledger, against reading all of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor.ledger.reading import reading
from supervisor.review.finding import BUCKETS, matching, page, timeline
from supervisor.review.query import parse
from tests.support.past import BEGAN, a_day, write_past

QUERIES = ["", "task:t-1", "decision:deny,ask", "kind:approval.*", "kind:call.denied .env",
           "-task:t-2 ls", "nothing-at-all", "task:t-2 kind:approval.asked", "DIR1"]  # fmt: skip


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("past") / "ledger.db"
    write_past(path, a_day(3, 40))
    return path


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
)
@given(line=st.sampled_from(QUERIES), limit=st.integers(1, 60), hurried=st.booleans())
def test_pages_hold_every_record_that_matches_once_newest_first(
    past: Path, line: str, limit: int, hurried: bool
) -> None:
    query = parse(line, BEGAN)
    with reading(past) as source:
        wanted = [row.seq for row in source.rows() if query.matches(row.record())]
        found, before, turns = [], 0, 0
        while True:
            got = page(source, query, before=before, limit=limit, patience=0.0 if hurried else 10.0)
            assert len(got.records) <= limit
            found += [record["seq"] for record in got.records]
            before, turns = got.next, turns + 1
            if not before:
                break
            assert turns < 1000
        assert found == wanted[::-1]
        assert [row.seq for row, _ in matching(source, query)] == wanted
        assert got.head == source.head


def test_what_is_new_is_read_after_a_number(past: Path) -> None:
    with reading(past) as source:
        newest = page(source, parse(""), after=source.head - 3)
        assert [record["seq"] for record in newest.records] == [source.head - n for n in range(3)]
        assert newest.next == 0


def test_a_timeline_counts_every_record_once(past: Path) -> None:
    with reading(past) as source:
        told = timeline(source, parse(""))
        assert len(told.records) == BUCKETS
        assert sum(told.records) == source.head
        assert sum(told.asked) == 3 * 8
        assert (told.start, told.end) == (BEGAN, BEGAN + source.head - 1)
        assert sum(timeline(source, parse("nothing-at-all")).records) == 0


@pytest.mark.full
def test_a_hundred_thousand_records_are_paged_and_searched_in_time(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    write_past(path, (each for _ in range(500) for each in a_day(2, 92)), every=256)
    with reading(path) as source:
        assert source.head >= 100_000
        began = time.monotonic()
        assert len(page(source, parse(""), limit=500).records) == 500
        first = time.monotonic() - began
        began = time.monotonic()
        assert len(page(source, parse(""), before=50_000, limit=500).records) == 500
        middle = time.monotonic() - began
        began = time.monotonic()
        assert not page(source, parse("nothing-at-all"), patience=60).records
        search = time.monotonic() - began
        began = time.monotonic()
        assert sum(timeline(source, parse("")).records) == source.head
        line = time.monotonic() - began
    print(f"page {first:.4f} s, middle {middle:.4f} s, search {search:.2f} s, line {line:.2f} s")
    assert max(first, middle) < 0.1
    assert search < 5
    assert line < 10
