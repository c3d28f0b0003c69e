"""The history on the screen."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from supervisor.protocol import wire
from supervisor.protocol.review import PageView, ReplayView
from tests.support.fake_client import NOW, FakeClient, story
from tests.support.pictures import text_of
from tests.support.tui_driver import Driver, running
from tui.screens import history_text
from tui.screens.history import HistoryScreen
from tui.widgets.line import Line
from tui.widgets.records import RecordList


def screen_of(d: Driver) -> HistoryScreen:
    screen = d.app.screen
    assert isinstance(screen, HistoryScreen)
    return screen


def said(d: Driver, name: str) -> str:
    return d.app.screen.query_one(f"#{name}", Line).said


def old(first: int, last: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"seq": n, "time": NOW - 9000, "kind": "call.denied", "hash": "", "preview": f"old {n}"}
        | more
        for n in range(first, last)
    ]


async def test_history_filters_follows_and_tells_a_broken_chain() -> None:
    client = FakeClient(story())
    client.verdict = wire.VerifyView(ok=False, records=9, checkpoints=1, message="record 7 differs")
    async with running(client=client) as d:
        await d.lead("h")
        screen_of(d)
        await d.until(lambda: "11 records" in said(d, "history-title"))
        await d.until(lambda: "record 7 differs" in said(d, "history-title"))
        await d.press("slash", *"decision:deny")
        await d.until(lambda: "1 record of" in said(d, "history-title"))
        assert "cat .env" in said(d, "history-record")
        record = {"seq": 5000, "time": NOW, "kind": "call.denied", "hash": "", "outcome": "deny"}
        d.client.send(wire.Recorded(record=record))
        await d.until(lambda: "2 records of" in said(d, "history-title"))
        await d.press("escape", "escape")
        await d.until(lambda: d.app.screen is d.app.main)


async def test_history_can_be_left_while_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer comes when the list is gone and the screen is just going."""
    client = FakeClient(story())
    asked, answered = asyncio.Event(), asyncio.Event()
    find = client.find

    async def slowly(*words: Any, **more: Any) -> PageView:
        asked.set()
        await answered.wait()
        return await find(*words, **more)

    monkeypatch.setattr(client, "find", slowly)
    monkeypatch.setattr(RecordList, "on_unmount", lambda self: answered.set(), raising=False)
    async with running(client=client) as d:
        await d.lead("h")
        await asked.wait()
        await d.press("escape")
        await answered.wait()
        await d.until(lambda: d.app.screen is d.app.main)


async def test_history_reads_older_records_when_its_end_is_reached() -> None:
    client = FakeClient(story())
    client.older = old(3600, 4100)
    async with running(client=client) as d:
        await d.lead("h")
        screen = screen_of(d)
        await d.until(
            lambda: "500 records of 4110, back to number 3611" in said(d, "history-title")
        )
        await d.press("end")
        await d.until(lambda: "511 records of 4110 " in said(d, "history-title"))
        assert screen.query_one(RecordList).current == 3611, "the cursor stays"
        assert "old 3611" in said(d, "history-record")
        await d.press("slash", *"nothing_such", "enter")
        await d.until(lambda: "No record matches" in said(d, "history-empty"))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_hundred_thousand_records_are_read_as_they_are_reached(
    size: tuple[int, int],
) -> None:
    client = FakeClient(story())
    client.older = old(1, 4100)
    client.newer = old(4200, 100_200)
    async with running(client=client, size=size) as d:
        await d.lead("h")
        await d.until(lambda: "500 records of 100199" in said(d, "history-title"))
        for pages in range(2, 5):
            await d.press("end")
            await d.until(lambda n=pages: f"{n * 500} records of" in said(d, "history-title"))
        await d.press("slash", *"seq:7", "enter")
        await d.until(lambda: "1 record of" in said(d, "history-title"))
        assert "old 7" in said(d, "history-record")


async def test_a_record_shows_its_proof() -> None:
    async with running() as d:
        await d.lead("h")
        await d.until(lambda: "✓ verified" in said(d, "history-record"))
        assert "Checkpoint 17" in said(d, "history-record").replace("\n", " ")
        assert "SHA256:q7dX" in said(d, "history-record")
        shown = said(d, "history-record")
        assert datetime.fromtimestamp(NOW).strftime("%Y-%m-%d %H:") in shown
        assert str(int(NOW))[:6] not in shown, "no time is left as seconds"


async def test_a_broken_place_in_the_chain_is_told_in_words() -> None:
    client = FakeClient(story())
    client.broken_at = 4109
    async with running(client=client) as d:
        await d.lead("h")
        await d.until(lambda: "✕ BROKEN" in said(d, "history-record"))
        assert "Record 4109 was" in said(d, "history-record")


async def test_a_decision_is_judged_again_beside_what_was_decided() -> None:
    client = FakeClient(story())
    client.today = ReplayView(
        seq=0, title="", then="allow", then_rules=("standard/git.push",), now="deny",
        now_rules=("mine/no-push",), now_reason="not on Fridays", now_hint="wait until Monday",
    )  # fmt: skip
    async with running(client=client) as d:
        await d.lead("h")
        await d.until(lambda: "✓ verified" in said(d, "history-record"))
        await d.press("down", "r")
        await d.until(lambda: "ANOTHER ANSWER" in said(d, "history-record"))
        shown = said(d, "history-record")
        for told in ("allow  standard/git.push", "DENY  mine/no-push", "not on Fridays", "Monday"):
            assert told in shown
        assert client.requests("replay") == [[4109]]
        client.today = ReplayView(seq=0, title="", then="", problem="it is no call")
        await d.press("down", "r")
        await d.until(lambda: "cannot be judged again" in said(d, "history-record"))


@pytest.mark.parametrize("width", [41, 75])
def test_the_names_of_a_record_stand_apart_from_its_values(width: int) -> None:
    names = ["user_evidence", "sandbox_profile", "runtime_evidence", "detail.a_very_long_name", "x"]
    record = {"seq": 7, "time": NOW, "kind": "task.started", "hash": ""} | dict.fromkeys(names, "v")
    said = history_text.detail(record, None, None, NOW, width).plain
    assert max(map(len, said.splitlines())) <= width
    words = said.split()
    assert all(words[words.index(name) + 1] == "v" for name in names)
    beside = [line for line in said.splitlines() if line.endswith(" v")]
    assert len({line.rindex("v") for line in beside}) == 1  # one column of values


def test_a_name_in_a_record_hides_nothing() -> None:
    record = {"seq": 7, "time": NOW, "kind": "x", "hash": "", "detail": {"a\u202eb\x1b": "v"}}
    assert "detail.a·b·" in history_text.detail(record, None, None, NOW, 75).plain


@pytest.mark.parametrize("size", [(80, 24), (120, 12), (120, 40)])
async def test_the_names_of_the_columns_stand_over_them(size: tuple[int, int]) -> None:
    """Whether there is a scroll bar or not."""
    async with running(size=size) as d:
        await d.lead("h")
        await d.until(lambda: "cat .env" in text_of(d.app))
        lines = text_of(d.app).splitlines()
        head = next(line for line in lines if line.split()[:2] == ["time", "task"])
        row = next(line for line in lines if "cat .env" in line)
        for name, value in (("task", "1 flaky"), ("what", "cat .env"), ("decision", "DENY")):
            assert head.index(name) == row.index(value)


async def test_narrow_details_replace_the_list_and_escape_brings_it_back() -> None:
    async with running(size=(80, 24)) as d:
        await d.lead("h")
        screen = screen_of(d)
        await d.until(lambda: "11 records" in said(d, "history-title"))
        detail = screen.query_one("#history-detail")
        assert not detail.display
        await d.press("r")
        await d.until(lambda: detail.display and "the same answer" in said(d, "history-record"))
        await d.press("escape")
        await d.until(lambda: not detail.display)
        await d.press("t")
        await d.until(lambda: "refused" in said(d, "history-timeline"))


async def test_the_timeline_counts_what_the_filter_lets_through() -> None:
    async with running() as d:
        await d.lead("h")
        await d.until(
            lambda: said(d, "history-timeline").partition("\n")[0].rstrip().endswith("11")
        )
        await d.press("t")
        await d.until(lambda: not screen_of(d).query_one("#history-timeline").display)


async def test_figures_and_export_are_a_key_away(tmp_path: Path) -> None:
    async with running() as d:
        await d.lead("h")
        await d.until(lambda: "11 records" in said(d, "history-title"))
        await d.press("f")
        await d.until(lambda: "per 100 calls" in said(d, "page"))
        await d.press("escape", "e")
        await d.until(lambda: d.app.screen.query("#export-file"))
        field = d.app.screen.query_one("#export-file")
        field.value = str(tmp_path / "past.xyz")  # type: ignore[attr-defined]
        await d.press("enter")
        await d.until(lambda: "tells no format" in said(d, "export-said"))
        field.value = str(tmp_path / "past.jsonl")  # type: ignore[attr-defined]
        await d.press("enter")
        await d.until(lambda: (tmp_path / "past.jsonl").exists())
        assert (tmp_path / "past.jsonl").read_text().count("\n") == 11
        await d.until(lambda: isinstance(d.app.screen, HistoryScreen))
        assert any("Written" in toast for toast in d.toasts)


async def test_an_empty_history_says_what_to_do() -> None:
    async with running(wire.Snapshot(session="s-fake", now=NOW), task="") as d:
        await d.lead("h")
        await d.until(lambda: "taskpass run -- claude" in said(d, "history-empty"))


async def test_rows_are_moved_through_by_keys_and_mouse() -> None:
    async with running() as d:
        await d.lead("h")
        await d.until(lambda: "11 records" in said(d, "history-title"))
        rows = screen_of(d).query_one(RecordList)
        for key, seq in (("j", 4109), ("G", 4100), ("k", 4101), ("g", 4110), ("pagedown", 4100)):
            await d.press(key)
            await d.until(lambda seq=seq: rows.current == seq)
        await d.pilot.click(RecordList, offset=(5, 3))
        await d.until(lambda: rows.current == 4107)
        assert rows.render_line(3).text.startswith("▸"), "not told by colour alone"


async def test_what_was_asked_for_an_earlier_filter_is_not_shown_under_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = FakeClient(story())
    asked, answered = asyncio.Event(), asyncio.Event()
    find = client.find

    async def slow(query: str = "", *, before: int = 0, after: int = 0, limit: int = 500) -> Any:
        page = await find(query, before=before, after=after, limit=limit)
        if after:
            asked.set()
            await answered.wait()
        return page

    monkeypatch.setattr(client, "find", slow)
    async with running(client=client) as d:
        await d.lead("h")
        await d.until(lambda: "11 records" in said(d, "history-title"))
        record = {"seq": 5000, "time": NOW, "kind": "call.opened", "hash": "", "outcome": "allow"}
        client.send(wire.Recorded(record=record))
        await d.until(asked.is_set)
        d.app.screen.query_one("#history-filter", Input).value = "decision:deny"  # at once
        await d.until(lambda: "1 record of 5000" in said(d, "history-title"))
        answered.set()
        await d.until(lambda: not any(w.group == "newer" and w.is_running for w in d.app.workers))
        assert "1 record of 5000" in said(d, "history-title")
