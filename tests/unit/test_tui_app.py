"""The app over a fake supervisor: whose keys are whose, answers, revocation, loss."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from supervisor import wire
from supervisor.errors import AgentNotFound, Denied, VersionMismatch
from supervisor.model import Effect, Risk, Verb
from tests.support.fake_app import fake_app
from tests.support.fake_client import NOW, FakeClient, approval, story, task_view
from tui.app import TaskpassApp
from tui.screens.always import AlwaysScreen
from tui.screens.grants import GrantsDialog
from tui.screens.history import HistoryScreen
from tui.screens.new_task import NewTaskDialog
from tui.widgets.dock import ApprovalDock
from tui.widgets.line import Line
from tui.widgets.panes import Tile
from tui.widgets.paper import Paper

LEADER = "ctrl+backslash"


class Driver:
    """One running app, its pilot and its supervisor."""

    def __init__(self, app: TaskpassApp, client: FakeClient, pilot: Pilot[int]) -> None:
        self.app, self.client, self.pilot = app, client, pilot

    async def until(self, true: Callable[[], object], seconds: float = 5.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "it did not come true in time"
            await self.pilot.pause(0.01)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def lead(self, key: str) -> None:
        await self.press(LEADER, key)

    @property
    def dock(self) -> ApprovalDock:
        return self.app.main.dock

    async def open_dock(self) -> None:
        """Open the dock and wait until it takes answers."""
        await self.lead("a")
        await self.until(lambda: self.dock.has_focus)
        await self.until(lambda: not self.dock.gate.arms_in(time.monotonic()))

    async def approvable(self) -> None:
        await self.open_dock()
        await self.until(lambda: self.dock.gate.may_approve(time.monotonic()))

    def said(self, name: str) -> str:
        return self.app.main.query_one(f"#{name}", Line).said

    @property
    def paper(self) -> str:
        """What the dock shows of a request."""
        paper = self.dock.query_one(Paper)
        return "\n".join(paper.render_line(row).text for row in range(paper.size.height))

    def tile(self, task: str) -> Tile:
        return self.app.main.query_one(f"#tile-{task}", Tile)

    @property
    def toasts(self) -> list[str]:
        return [notice.message for notice in self.app._notifications]

    @property
    def answers(self) -> list[tuple[str, wire.AnswerApproval]]:
        return self.client.requests("answer")

    @property
    def typed(self) -> list[str]:
        return [key for key, _ in self.client.panes["t-1"].keys]


@asynccontextmanager
async def running(
    snapshot: wire.Snapshot | None = None,
    *,
    size: tuple[int, int] = (120, 40),
    client: FakeClient | None = None,
    **more: Any,
) -> AsyncIterator[Driver]:
    client = client or FakeClient(snapshot or story())
    more.setdefault("task", "t-1")
    app = fake_app(client, **more)
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, client, pilot)
        if any(task.id == "t-1" for task in client.state.tasks) and not client.down:
            await driver.until(lambda: app.focused is not None and app.focused.id == "pane-t-1")
        yield driver


def asking(*requests: Any) -> wire.Snapshot:
    return msgspec.structs.replace(story(), approvals=requests)


# ── Keys ────────────────────────────────────────────────────────────────────────────────


async def test_every_key_but_the_leader_goes_to_the_pane() -> None:
    keys = ["a", "O", "ctrl+c", "ctrl+p", "ctrl+q", "tab", "shift+tab", "escape", "f1", "enter"]
    async with running() as d:
        await d.press(*keys)
        await d.until(lambda: len(d.typed) == len(keys))
        assert d.typed == keys
        assert d.app.is_running


@pytest.mark.parametrize("leader", ["ctrl+backslash", "f12"])
async def test_the_leader_twice_sends_it_to_the_pane(leader: str) -> None:
    async with running() as d:
        await d.press(leader, leader)
        assert d.typed == ["ctrl+backslash"]


async def test_a_chord_typed_in_one_burst_never_ends_half_in_the_pane() -> None:
    async with running() as d:
        for key, character in ((LEADER, None), ("h", "h")):
            d.app.post_message(events.Key(key, character))
        await d.until(lambda: isinstance(d.app.screen, HistoryScreen))
        assert d.typed == []


async def test_the_which_key_line_shows_and_an_unknown_key_leaves_it() -> None:
    async with running() as d:
        await d.press(LEADER)
        assert "freeze all" in d.said("which-key")
        await d.press("w")
        assert not d.app.main.query_one("#which-key").display
        assert d.typed == []


# ── Approvals ───────────────────────────────────────────────────────────────────────────


async def test_an_arriving_request_moves_no_focus_and_takes_no_key() -> None:
    async with running(asking()) as d:
        pane = d.app.focused
        d.client.send(wire.ApprovalAsked(approval=approval(1)))
        await d.until(lambda: "gh workflow run" in d.said("attention"))
        await d.press("O", "T", "y", "enter")
        await d.until(lambda: d.typed == ["O", "T", "y", "enter"])
        assert d.app.focused is pane
        assert not d.dock.display
        assert d.answers == []


async def test_keys_typed_ahead_of_the_dock_answer_nothing() -> None:
    async with running(asking(approval(1))) as d:
        for key in (LEADER, "a", "O", "d", "enter"):  # before the dock can have armed
            d.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await d.until(lambda: d.dock.gate.may_approve(time.monotonic()))
        assert d.answers == []
        await d.press("O")
        await d.until(lambda: d.answers)
        assert d.answers == [("a-1", wire.AnswerApproval(approve=True, scope="once"))]
        await d.until(lambda: not d.dock.display)
        assert d.app.focused is not None
        assert d.app.focused.id == "pane-t-1", "the pane has its keys again"


async def test_for_this_task_is_a_quarter_of_an_hour() -> None:
    async with running(asking(approval(1))) as d:
        await d.approvable()
        await d.press("T")
        await d.until(lambda: d.answers)
        assert d.answers[0][1] == wire.AnswerApproval(approve=True, scope="task", minutes=15)


async def test_an_effect_is_told_in_words_that_a_person_decides_by() -> None:
    told = {"remote": "origin", "url": "", "ref": "main", "force": True, "delete": False,
            "protected": True, "several": False, "foreign": False}  # fmt: skip
    push = Effect(Verb.PUSH, "origin main", told)
    package = Effect(Verb.INSTALL, "npm", {"manager": "npm", "package": "left-pad"})
    async with running(asking(approval(1, effects=(push, package)))) as d:
        await d.open_dock()
        shown = d.paper
        assert "push origin main  by force  a protected branch" in shown
        assert "install npm  package left-pad" in shown
        assert "remote" not in shown


async def test_an_answer_for_good_is_shown_before_it_is_given() -> None:
    async with running(asking(approval(1))) as d:
        await d.approvable()
        await d.press("A")
        await d.until(lambda: isinstance(d.app.screen, AlwaysScreen))
        shown = d.app.screen.query_one("#page", Line).said
        assert 'resource == Ref::"origin x"' in shown
        assert "1 of 42 calls would have been decided otherwise" in shown
        await d.press("enter", "escape")
        await d.until(lambda: not isinstance(d.app.screen, AlwaysScreen))
        assert d.answers == []
        await d.until(lambda: d.dock.gate.may_approve(time.monotonic()))
        await d.press("A")
        await d.until(lambda: isinstance(d.app.screen, AlwaysScreen))
        await d.press("W")
        await d.until(lambda: d.answers)
        assert d.answers == [("a-1", wire.AnswerApproval(approve=True, scope="always"))]


async def test_high_risk_is_never_approved_for_good() -> None:
    async with running() as d:
        await d.open_dock()
        await d.press("K", "7", "A")
        assert d.client.requests("always") == []


async def test_a_high_risk_request_wants_its_code() -> None:
    async with running() as d:
        await d.open_dock()
        await d.press("O", "T", "enter", "space", "y", "1")
        assert d.answers == []
        await d.press("K", "7", "O")
        await d.until(lambda: d.answers)
        assert d.answers[0][1].code == "K7"


async def test_a_long_request_is_read_to_its_end_before_it_is_approved() -> None:
    long = approval(1, title="\n".join(f"echo {n}" for n in range(60)))
    async with running(asking(long), size=(80, 24)) as d:
        await d.open_dock()
        await d.press("O")
        assert d.answers == []
        assert "read to the end" in d.said("dock-foot")
        await d.press(*["pagedown"] * 10)
        await d.until(lambda: d.dock.gate.end_seen)
        await d.press("O")
        await d.until(lambda: d.answers)


async def test_a_request_that_changes_under_the_eyes_arms_anew() -> None:
    async with running(asking(approval(1), approval(2, task="t-2", title="other"))) as d:
        await d.approvable()
        d.client.send(wire.ApprovalAnswered(id="a-1", answer="denied", by="another screen"))
        await d.until(lambda: d.dock.shown_batch and d.dock.shown_batch.first.id == "a-2")
        await d.press("O")
        assert d.answers == []


async def test_regained_terminal_focus_arms_anew() -> None:
    async with running(asking(approval(1))) as d:
        await d.approvable()
        d.app.post_message(events.AppBlur())
        d.app.post_message(events.AppFocus())
        await d.until(lambda: d.dock.gate.arms_in(time.monotonic()))
        await d.press("O")
        assert d.answers == []


async def test_identical_requests_get_one_answer_listed_in_full() -> None:
    async with running(asking(approval(1), approval(2))) as d:
        await d.approvable()
        assert d.dock.border_title is not None
        assert "1 of 1" in str(d.dock.border_title)
        await d.press("O")
        await d.until(lambda: len(d.answers) == 2)
        assert [name for name, _ in d.answers] == ["a-1", "a-2"]


async def test_the_dock_spells_out_what_is_hidden_and_marks_the_agents_words() -> None:
    request = approval(1, title="ls \u202e[bold]x", agent_note="trust me\x1b[2J")
    async with running(asking(request)) as d:
        await d.open_dock()
        shown = d.paper
        assert "ls ⟨U+202E⟩[bold]x" in shown
        assert "(untrusted) trust me⟨U+001B⟩[2J" in shown


async def test_a_toast_quotes_a_request_without_what_hides_in_it() -> None:
    async with running(asking(approval(1, title="ls \u202e\x1b[2J[red]x"))) as d:
        await d.lead("d")
        await d.until(lambda: "denied: ls ··[2J[red]x" in d.toasts)


async def test_a_denial_can_carry_a_note_and_freeze() -> None:
    async with running(asking(approval(1), approval(2, title="other"))) as d:
        await d.open_dock()
        await d.press("n", *"use ci", "enter")
        await d.until(lambda: d.answers)
        assert d.answers[0] == ("a-1", wire.AnswerApproval(approve=False, note="use ci"))
        await d.until(lambda: not d.dock.gate.arms_in(time.monotonic()))
        await d.press("f")
        await d.until(lambda: len(d.answers) == 2)
        assert d.answers[1] == ("a-2", wire.AnswerApproval(approve=False, freeze=True))


async def test_the_leader_denies_the_first_request_without_the_dock() -> None:
    async with running() as d:
        await d.lead("d")
        await d.until(lambda: d.answers)
        assert d.answers == [("a-1", wire.AnswerApproval(approve=False))]


async def test_an_answer_that_fails_says_so_and_can_be_given_again() -> None:
    async with running(asking(approval(1))) as d:
        await d.approvable()
        d.client.refuse = Denied("This screen is not paired.", hint="Open `taskpass`.")
        await d.press("O")
        await d.until(lambda: any("not paired" in toast for toast in d.toasts))
        assert d.dock.display
        d.client.refuse = None
        await d.until(lambda: d.dock.gate.may_approve(time.monotonic()))
        await d.press("O")
        await d.until(lambda: d.answers and not d.dock.display)


# ── Revoke, freeze ──────────────────────────────────────────────────────────────────────


async def test_revoking_asks_nothing_and_tells_what_is_dead() -> None:
    async with running() as d:
        await d.lead("x")
        await d.until(lambda: "revoked" in d.said("side-tasks"))
        assert d.client.requests("revoke_task") == ["t-1"]
        sentence = "revoked: 3 leases dead in 41 ms, 1 unconfirmed, 2 connections cut"
        await d.until(lambda: sentence in d.toasts)


async def test_freeze_is_undone_by_the_same_key() -> None:
    async with running() as d:
        await d.lead("f")
        await d.until(lambda: "❄ frozen" in str(d.tile("t-1").border_title))
        await d.lead("f")
        await d.until(lambda: d.client.requests("thaw_task"))
        assert d.client.requests("freeze_task") == d.client.requests("thaw_task") == ["t-1"]


async def test_panic_freezes_all_and_once_more_revokes_all() -> None:
    async with running() as d:
        await d.lead("X")
        await d.until(lambda: d.client.requests("freeze_all"))
        assert d.client.requests("revoke_all") == []
        await d.press("X")
        await d.until(lambda: d.client.requests("revoke_all"))
        assert d.typed == []


async def test_after_panic_any_other_key_revokes_nothing() -> None:
    async with running() as d:
        await d.lead("X")
        await d.press("escape", "X")
        await d.until(lambda: d.typed == ["X"])
        assert d.client.requests("revoke_all") == []


async def test_one_grant_is_revoked_from_the_list() -> None:
    async with running() as d:
        await d.lead("g")
        await d.until(lambda: isinstance(d.app.screen, GrantsDialog))
        await d.press("down", "x")
        await d.until(lambda: d.client.requests("revoke_grant"))
        assert d.client.requests("revoke_grant") == ["g-3"]


# ── Tasks, history, loss ────────────────────────────────────────────────────────────────


async def test_digits_and_tab_show_other_tasks() -> None:
    async with running() as d:
        await d.lead("2")
        await d.until(lambda: d.app.focused is not None and d.app.focused.id == "pane-t-2")
        assert "upgrade pg14→16" in d.said("header")
        await d.lead("tab")
        await d.until(lambda: "docs" in d.said("header"))
        await d.lead("9")
        await d.until(lambda: "There is no task 9." in d.toasts)


async def test_panes_are_tiled_where_there_is_room_and_the_focus_moves_among_them() -> None:
    async with running(size=(120, 40)) as d:
        panes = d.app.main.panes
        assert panes.shown == ["t-1", "t-2"]
        await d.until(lambda: {"t-1", "t-2"} <= d.client.panes.keys())
        await d.until(lambda: d.tile("t-2").region.y > d.tile("t-1").region.y)
        assert "flaky checkout" in str(d.tile("t-1").border_title)
        await d.lead("2")
        await d.until(lambda: d.app.focused is not None and d.app.focused.id == "pane-t-2")
        assert panes.shown == ["t-1", "t-2"], "the panes stay where they are"
        await d.press("x")
        assert [key for key, _ in d.client.panes["t-2"].keys] == ["x"]
        assert d.typed == []
        await d.lead("3")
        await d.until(lambda: panes.shown == ["t-3", "t-4"])


async def test_what_is_typed_before_a_pane_is_attached_reaches_it_and_no_other() -> None:
    async with running(size=(80, 24)) as d:
        d.client.attachable.clear()
        await d.lead("2")
        await d.until(lambda: "t-2" in d.client.requests("attach"))
        await d.press("l", "s")
        d.client.attachable.set()
        keys = [f"f{n % 9 + 1}" for n in range(60)]
        for key in keys:  # and while it is being put in its place
            d.app.post_message(events.Key(key, None))
            await asyncio.sleep(0)
        await d.until(lambda: len(d.client.panes["t-2"].keys) == len(keys) + 2)
        assert [key for key, _ in d.client.panes["t-2"].keys] == ["l", "s", *keys]
        assert d.typed == []


async def test_a_click_into_another_pane_goes_there() -> None:
    async with running() as d:
        await d.until(lambda: "t-2" in d.client.panes and d.tile("t-2").children)
        await d.until(lambda: d.tile("t-2").region.height > 5)
        await d.pilot.click("#pane-t-2")
        await d.until(lambda: "upgrade pg14→16" in d.said("header"))
        assert d.app.view().task is not None
        await d.lead("f")
        await d.until(lambda: d.client.requests("freeze_task"))
        assert d.client.requests("freeze_task") == ["t-2"]


async def test_zoom_gives_one_pane_the_room_and_keeps_the_identity() -> None:
    async with running() as d:
        before = d.tile("t-1").size
        await d.lead("z")
        await d.until(lambda: d.app.main.panes.shown == ["t-1"])
        await d.until(lambda: d.tile("t-1").size.height > before.height)
        assert d.app.focused is not None
        assert d.app.focused.id == "pane-t-1"
        header = d.app.main.query_one("#header", Line)
        assert header.display
        assert "ana@laptop › claude-code 2.1.330 › laptop › flaky checkout" in header.said
        await d.lead("z")
        await d.until(lambda: d.app.main.panes.shown == ["t-1", "t-2"])


async def test_a_task_that_waits_for_an_answer_says_so_whatever_else_it_does() -> None:
    task = task_view(1, "flaky checkout", state="waiting for you")
    async with running(
        wire.Snapshot(session="s", now=NOW, tasks=(task,), approvals=(approval(1),))
    ) as d:
        await d.until(lambda: "▲ waiting for approval" in str(d.tile("t-1").border_title))
        d.client.send(wire.ApprovalAnswered(id="a-1", answer="denied", by="ana"))
        await d.until(lambda: "◐ waiting for you" in str(d.tile("t-1").border_title))


async def test_a_pane_that_could_not_be_attached_is_tried_again() -> None:
    async with running(size=(80, 24)) as d:
        d.client.refuse = Denied("The holder is busy.")
        await d.lead("2")
        await d.until(lambda: "The holder is busy." in d.toasts)
        d.client.refuse = None
        await d.until(lambda: d.app.focused is not None and d.app.focused.id == "pane-t-2")


async def test_a_new_task_is_started_and_shown() -> None:
    async with running(wire.Snapshot(session="s", now=NOW), task="") as d:
        await d.until(lambda: "taskpass run -- claude" in d.said("welcome"))
        await d.lead("n")
        await d.until(lambda: isinstance(d.app.screen, NewTaskDialog))
        await d.press("tab", *"docs")
        d.app.screen.query_one("#new-cwd", Input).value = "/tmp"
        await d.press("enter")
        await d.until(lambda: d.client.requests("start_task"))
        request = d.client.requests("start_task")[0]
        assert (request.argv, request.purpose, request.cwd) == (("claude",), "docs", "/tmp")
        await d.until(lambda: d.app.focused is not None and d.app.focused.id == "pane-t-1")


async def test_what_is_typed_in_one_burst_goes_into_its_fields() -> None:
    async with running() as d:
        await d.lead("n")
        await d.until(lambda: isinstance(d.app.screen, NewTaskDialog))
        await d.until(lambda: d.app.focused is not None and d.app.focused.id == "new-command")
        for key in ("s", "h", "tab", "o", "k"):
            d.app.post_message(events.Key(key, None if key == "tab" else key))
        fields = d.app.screen.query(Input)
        await d.until(lambda: [field.value for field in fields][:2] == ["sh", "ok"])


@pytest.mark.parametrize(
    ("command", "cwd", "sentence"),
    [
        ("", "/tmp", "There is no command."),
        ("claude 'x", "/tmp", "a quote that does not close"),
        ("claude", "/no/such/place", "There is no directory /no/such/place."),
        ("claud", "/tmp", "There is no program claud."),
    ],
)
async def test_what_cannot_be_started_is_one_sentence(
    command: str, cwd: str, sentence: str
) -> None:
    async with running() as d:
        d.client.refuse = AgentNotFound("There is no program claud.")
        await d.lead("n")
        await d.until(lambda: isinstance(d.app.screen, NewTaskDialog))
        d.app.screen.query_one("#new-command", Input).value = command
        d.app.screen.query_one("#new-cwd", Input).value = cwd
        await d.press("enter")
        await d.until(lambda: sentence in d.app.screen.query_one("#new-say", Line).said)


async def test_history_filters_follows_and_tells_a_broken_chain() -> None:
    client = FakeClient(story())
    client.verdict = wire.VerifyView(ok=False, records=9, checkpoints=1, message="record 7 differs")
    async with running(client=client) as d:
        await d.lead("slash")
        screen = d.app.screen
        assert isinstance(screen, HistoryScreen)
        await d.until(lambda: "11 records" in screen.query_one("#history-title", Line).said)
        await d.until(lambda: "record 7 differs" in screen.query_one("#history-title", Line).said)
        await d.press(*"decision:deny")
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


async def test_a_request_is_told_to_the_terminal_once_a_burst(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.app._BELL_SECONDS", 0.5)
    async with running(asking()) as d:
        written: list[str] = []
        assert d.app._driver is not None
        monkeypatch.setattr(d.app._driver, "write", written.append)
        for n in range(1, 6):
            request = approval(n, title=f"push\x1b]0;{n}\x07\nand more")
            d.client.send(wire.ApprovalAsked(approval=request))

        def notes() -> list[str]:
            return [text for text in written if text.startswith("\x1b]9;")]

        await d.until(lambda: len(notes()) == 2)
        assert notes()[0] == "\x1b]9;taskpass: flaky checkout wants push·]0;1·\x07"
        assert "5 approvals wait, first flaky checkout: push" in notes()[1]
        await d.pilot.pause(0.8)
        assert len(notes()) == 2


async def test_leaving_the_workspace_tells_what_goes_on() -> None:
    async with running() as d:
        await d.lead("q")
        await asyncio.wait_for(_gone(d), 5)
    assert d.app.farewell == "5 tasks go on. `taskpass` returns."


async def test_a_lost_supervisor_is_said_and_found_again() -> None:
    async with running() as d:
        d.client.lose()
        await d.until(lambda: "supervisor lost – reconnecting" in d.said("header"))
        await d.press("h", "i")
        await d.until(lambda: d.typed == ["h", "i"])
        d.client.down = False
        await d.until(lambda: "tier A contained" in d.said("header"))
        assert len(d.client.requests("pair")) >= 2, "it pairs with the new supervisor"


async def test_another_version_ends_the_app_with_one_sentence() -> None:
    class Other(FakeClient):
        async def connect(self) -> None:
            raise VersionMismatch("The supervisor speaks protocol 2.", hint="Stop it.")

    app = fake_app(Other(story()))
    async with app.run_test() as pilot:
        while app.is_running and app.return_value is None:
            await pilot.pause(0.01)
    assert (app.return_value, app.farewell) == (125, "The supervisor speaks protocol 2. Stop it.")


async def test_the_run_screen_ends_with_the_agents_exit_code() -> None:
    async with running(shape="run", size=(80, 24)) as d:
        assert "claude-code" in d.said("status")
        assert "▲1" in d.said("status")
        other = task_view(2, "other", ended=NOW, exit_code=9, state="ended")
        d.client.send(wire.TaskChanged(task=other))
        d.client.send(
            wire.TaskChanged(task=task_view(1, "x", ended=NOW, exit_code=7, state="ended"))
        )
        await asyncio.wait_for(_gone(d), 5)
    assert d.app.return_value == 7


async def test_the_pane_tells_the_exit_code_when_the_supervisor_cannot() -> None:
    async with running(shape="run") as d:
        d.client.lose()
        d.client.panes["t-1"].end(3)
        await asyncio.wait_for(_gone(d), 5)
    assert d.app.return_value == 3
    assert any("Welcome to claude-code" in row for row in d.app.last_screen)


async def test_a_revoked_run_says_why_it_ended() -> None:
    async with running(shape="run") as d:
        await d.lead("x")
        await d.until(lambda: "✕ revoked" in d.said("status"))
        d.client.panes["t-1"].end(137)
        await asyncio.wait_for(_gone(d), 5)
    assert d.app.return_value == 137
    assert d.app.farewell.startswith("The task was revoked")


async def test_leaving_the_run_screen_lets_the_task_go_on() -> None:
    async with running(shape="run") as d:
        await d.lead("q")
        await asyncio.wait_for(_gone(d), 5)
    assert d.app.return_value is None
    assert "`taskpass` returns" in d.app.farewell


async def _gone(d: Driver) -> None:
    while d.app._exit is False:
        await d.pilot.pause(0.01)


@pytest.mark.parametrize(
    ("width", "parts"),
    [(120, ["ana", "claude-code 2.1.330", "laptop", "flaky checkout", "tier A"]),
     (80, ["ana", "claude-code", "laptop", "flaky", "tier A"])],
)  # fmt: skip
@pytest.mark.parametrize("shape", ["run", "workspace"])
async def test_the_four_parts_of_identity_always_show(
    shape: str, width: int, parts: list[str]
) -> None:
    async with running(shape=shape, size=(width, 24)) as d:
        await d.until(lambda: "laptop" in d.said("status" if shape == "run" else "header"))
        line = d.said("status" if shape == "run" else "header")
        assert all(part in line for part in parts), line
        assert len(line) == width


async def test_an_uncontained_task_says_so_and_what_it_can_read() -> None:
    async with running() as d:
        await d.lead("4")
        await d.until(lambda: "uncontained" in d.said("header"))
        assert "can read ~/.ssh, ~/.aws" in str(d.tile("t-4").border_subtitle)


async def test_a_high_risk_request_is_marked_in_words() -> None:
    async with running(asking(approval(1, risk=Risk.HIGH, code="A2"))) as d:
        await d.until(lambda: "HIGH" in d.said("attention"))


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_without_colour_states_are_told_by_symbol_and_word(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(size=size) as d:
        await d.open_dock()
        await d.press("escape")
        shown = d.said("side-tasks") if size[0] >= 120 else d.said("strip")
        assert all(symbol in shown for symbol in "▲◐●○❄✕")
        assert "Welcome to claude-code" in d.app.export_screenshot().replace("\u00a0", " ").replace(
            "&#160;", " "
        )
