"""The history on the screen."""

from __future__ import annotations

from supervisor.protocol import wire
from tests.support.fake_client import NOW, FakeClient, story
from tests.support.tui_driver import running
from tui.screens.history import HistoryScreen
from tui.widgets.line import Line


async def test_history_filters_follows_and_tells_a_broken_chain() -> None:
    client = FakeClient(story())
    client.verdict = wire.VerifyView(ok=False, records=9, checkpoints=1, message="record 7 differs")
    async with running(client=client) as d:
        await d.lead("h")
        screen = d.app.screen
        assert isinstance(screen, HistoryScreen)
        await d.until(lambda: "11 records" in screen.query_one("#history-title", Line).said)
        await d.until(lambda: "record 7 differs" in screen.query_one("#history-title", Line).said)
        await d.press("slash", *"decision:deny")
        await d.until(lambda: "1 record of" in screen.query_one("#history-title", Line).said)
        assert "cat .env" in screen.query_one("#history-record", Line).said
        record = {"seq": 5000, "time": NOW, "kind": "call.denied", "hash": "", "outcome": "deny"}
        d.client.send(wire.Recorded(record=record))
        await d.until(lambda: "2 records of" in screen.query_one("#history-title", Line).said)
        await d.press("escape", "escape")
        await d.until(lambda: d.app.screen is d.app.main)


async def test_history_reads_older_records_when_its_end_is_reached() -> None:
    client = FakeClient(story())
    client.older = [
        {"seq": n, "time": NOW - 9000, "kind": "call.denied", "hash": "", "preview": f"old {n}"}
        for n in range(3600, 4100)
    ]
    async with running(client=client) as d:
        await d.lead("h")
        screen = d.app.screen
        assert isinstance(screen, HistoryScreen)
        title = screen.query_one("#history-title", Line)
        await d.until(lambda: "500 records, back to number 3611" in title.said)
        await d.press("end")
        await d.until(lambda: "511 records, back to number 3600" in title.said)
        assert "old 3611" in screen.query_one("#history-record", Line).said, "the cursor stays"
        await d.press("slash", *"old_3601", "enter")
        await d.until(lambda: "No record matches" in screen.query_one("#history-empty", Line).said)
