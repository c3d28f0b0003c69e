"""Requests are shown, read and answered."""

from __future__ import annotations

import time

import pytest
from textual import events

from supervisor.errors import Denied
from supervisor.model import Effect, Verb
from supervisor.protocol import wire
from tests.support.fake_client import approval
from tests.support.tui_driver import LEADER, asking, running
from tui.screens.always import AlwaysScreen
from tui.widgets.line import Line
from tui.widgets.paper import Paper


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


async def test_how_long_for_this_task_is_chosen() -> None:
    async with running(asking(approval(1))) as d:
        await d.approvable()
        assert "this task 15 min" in d.said("dock-foot")
        await d.press("+", "+", "+", "-")
        assert "this task 60 min" in d.said("dock-foot")
        await d.press("T")
        await d.until(lambda: d.answers)
        assert d.answers[0][1] == wire.AnswerApproval(approve=True, scope="task", minutes=60)


async def test_the_hints_are_buttons_behind_the_same_gate() -> None:
    async with running(asking(approval(1), approval(2, title="other"))) as d:
        await d.approvable()
        d.stop_the_clock()
        d.dock.rearm()
        await d.click("dock-foot", "once")
        assert d.answers == []
        d.dock.ticks = time.monotonic
        await d.until(lambda: d.dock.gate.may_approve(time.monotonic()))
        await d.click("dock-foot", "others")
        await d.until(lambda: "other" in d.paper)
        await d.until(lambda: d.dock.gate.may_approve(time.monotonic()))
        await d.click("dock-foot", "once")
        await d.until(lambda: d.answers)
        assert d.answers == [("a-2", wire.AnswerApproval(approve=True, scope="once"))]


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
        await d.until(lambda: isinstance(d.app.screen, AlwaysScreen) and d.app.screen.armed)
        await d.press("W")
        await d.until(lambda: d.answers)
        assert d.answers == [("a-1", wire.AnswerApproval(approve=True, scope="always"))]


async def test_a_rule_for_good_is_not_written_by_keys_typed_ahead() -> None:
    async with running(asking(approval(1))) as d:
        await d.approvable()
        d.app.post_message(events.Key("A", "A"))
        await d.until(lambda: isinstance(d.app.screen, AlwaysScreen))
        screen = d.app.screen
        assert isinstance(screen, AlwaysScreen)
        screen._armed_at = float("inf")
        await d.press("W", "W", "enter")
        assert d.answers == []
        assert d.app.screen is screen


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
        assert d.dock.gate.code_refused
        await d.until(lambda: not d.dock.gate.arms_in(d.dock.ticks()))
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
    async with running(asking(approval(1), approval(2, task="t-2", title="cargo publish"))) as d:
        await d.approvable()
        d.stop_the_clock()
        d.client.send(wire.ApprovalAnswered(id="a-1", answer="denied", by="another screen"))
        await d.until(lambda: "cargo publish" in d.paper)
        await d.until(lambda: d.dock.gate.end_seen)
        assert d.dock.gate.arms_in(d.dock.ticks())
        await d.press("O")
        assert d.answers == []


async def test_regained_terminal_focus_arms_anew() -> None:
    async with running(asking(approval(1))) as d:
        await d.approvable()
        d.stop_the_clock()
        d.app.post_message(events.AppBlur())
        d.app.post_message(events.AppFocus())
        await d.until(lambda: d.dock.gate.arms_in(d.dock.ticks()))
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


async def test_what_differs_in_anything_shown_is_not_one_batch() -> None:
    edit = approval(1, title="Edit write /w/a", diff="-a\n+b\n")
    others = (
        approval(2, title=edit.title, diff="-a\n+rm -rf /\n"),
        approval(3, title=edit.title, diff=edit.diff, arguments='{"x": 1}'),
        approval(4, title=edit.title, diff=edit.diff, cwd="/elsewhere"),
    )
    async with running(asking(edit, *others, approval(5, title=edit.title, diff=edit.diff))) as d:
        await d.open_dock()
        assert "1 of 4 · ×2" in str(d.dock.border_title)


async def test_a_change_of_a_file_is_shown_as_a_diff_to_its_end() -> None:
    diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new \x1b[2J\u202e\n" + " same\n" * 60
    async with running(asking(approval(1, diff=diff, arguments='{\n "a": 1\n}', cwd="/w"))) as d:
        await d.open_dock()
        await d.press("O")
        assert d.answers == []
        shown = "\n".join(line.plain for line in d.dock.query_one(Paper)._lines)
        assert "in          /w" in shown
        assert "\n│ -old\n│ +new ⟨U+001B⟩[2J⟨U+202E⟩\n" in shown
        assert '\n│  "a": 1\n' in shown
        await d.press("end")
        await d.until(lambda: d.dock.gate.end_seen)
        await d.press("O")
        await d.until(lambda: d.answers)


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


async def test_a_request_is_told_to_the_terminal_once_a_burst(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("supervisor.notify.pace.GAP", 0.5)
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
