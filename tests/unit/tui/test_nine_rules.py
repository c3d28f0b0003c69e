"""The nine rules of approvals, one after the other, each by what a person or an agent could try.

Rule 7 (a decision from inside a task's process tree is refused) is tried with real tasks in
`tests/adversarial/test_forgery.py`; rules 1 and 9 also with real panes in `test_hostile_panes.py`.
"""

from __future__ import annotations

import asyncio
import re
import string
import time
from dataclasses import replace

import pytest
from textual import events
from textual.geometry import Offset

from supervisor.approvals.queue import ApprovalQueue, new_code
from supervisor.approvals.rules import MAX_MINUTES
from supervisor.calls.questions import refusal
from supervisor.errors import UsageError
from supervisor.model import (
    Answer,
    Approval,
    ApprovalRequest,
    Decision,
    Effect,
    Outcome,
    Risk,
    Scope,
    Verb,
)
from supervisor.protocol import holder_wire, wire
from tests.support.fake_client import DEPLOY, NOW, approval
from tests.support.judging import question
from tests.support.tui_driver import LEADER, Driver, asking, running
from tui.gate import ARM_SECONDS, TASK_STEPS, Gate, Move, Reply
from tui.widgets.paper import Paper
from tui.world import World

FAKE_DOCK = {
    n: ((f"╔═ APPROVAL {n} of 9 ═ O once  d deny ═ type the code K7 ═╗", -1, -1, 1),)
    for n in range(40)
}


class Hands:
    """The gate's clock, in a test's hands."""

    def __init__(self, d: Driver) -> None:
        self.now = 1000.0
        d.dock.ticks = lambda: self.now


async def read_through(d: Driver) -> Hands:
    """The dock is open, read to its end, and armed long ago."""
    hands = Hands(d)
    await d.lead("a")
    await d.until(lambda: d.dock.gate.end_seen)
    hands.now += 10.0
    assert d.dock.gate.may_approve(hands.now)
    return hands


def armed(code: str = "") -> Gate:
    gate = Gate()
    gate.show("request", code, 0.0)
    gate.reached_end()
    return gate


def press(gate: Gate, key: str, at: float) -> Reply | Move | None:
    return gate.press(key, key if len(key) == 1 else None, at)


def read(d: Driver) -> str:
    """All that the dock has to say, shown or still below."""
    paper = d.dock.query_one(Paper)
    return "\n".join(line.plain for line in paper._wrap(paper.size.width))


# ── 1. Only over the supervisor's socket, in chrome that no pane can reach ──────────────


async def test_rule_1_what_a_pane_shows_is_no_request() -> None:
    async with running(asking()) as d:
        pane = d.client.panes["t-1"]
        pane._frames.put_nowait(
            holder_wire.Screen(rows=FAKE_DOCK, x=0, y=0, cols=80, height=40, full=True)
        )
        await d.lead("a")
        assert not d.dock.display
        assert "No approval waits." in d.toasts
        await d.press("O", "K", "7", "O")
        assert d.answers == []


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_rule_1_no_cell_of_the_dock_belongs_to_a_pane(size: tuple[int, int]) -> None:
    async with running(size=size) as d:
        await d.open_dock()
        for x, y in (Offset(x, y) for x in range(size[0]) for y in range(size[1])):
            if d.dock.region.contains(x, y):
                widget, _ = d.app.screen.get_widget_at(x, y)
                assert widget is d.dock or d.dock in widget.ancestors
        for line in ("header", "attention", "strip"):
            region = d.app.main.query_one(f"#{line}").region
            assert not region.overlaps(d.app.main.panes.region)


# ── 2. Arrival moves nothing; the leader enters; it arms after half a second ────────────


async def test_rule_2_arrival_moves_no_focus_and_opens_nothing() -> None:
    async with running(asking()) as d:
        pane = d.app.focused
        d.client.send(wire.ApprovalAsked(approval=approval(1)))
        await d.until(lambda: "gh workflow run" in d.said("attention"))
        assert d.app.focused is pane
        assert not d.dock.display


async def test_rule_2_it_arms_after_half_a_second_and_drains_what_was_typed_before() -> None:
    assert ARM_SECONDS == 0.5
    async with running(asking(approval(1))) as d:
        hands = Hands(d)
        for key in (LEADER, "a", "O", "T", "d", "n", "f"):
            d.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await d.until(lambda: d.dock.has_focus)
        await d.until(lambda: d.dock.gate.end_seen)
        hands.now += 0.49
        await d.press("O", "d")
        assert d.answers == []
        hands.now += 10.0
        await d.press("O")
        await d.until(lambda: d.answers)


async def test_rule_2_it_arms_again_when_its_content_changes() -> None:
    async with running(asking(approval(1))) as d:
        hands = await read_through(d)
        # Another one joins: the answer would cover more than was read.
        d.client.send(wire.ApprovalAsked(approval=approval(2)))
        await d.until(lambda: "×2" in str(d.dock.border_title))
        await d.press("O")
        assert d.answers == []
        assert d.dock.gate.arms_in(hands.now) == ARM_SECONDS


async def test_rule_2_it_arms_again_when_the_terminal_regains_the_focus() -> None:
    async with running(asking(approval(1))) as d:
        hands = await read_through(d)
        d.app.post_message(events.AppBlur())
        d.app.post_message(events.AppFocus())
        await d.until(lambda: d.dock.gate.arms_in(hands.now))
        await d.press("O")
        assert d.answers == []


# ── 3. Nothing is preselected; what hands do by themselves does nothing ─────────────────


@pytest.mark.parametrize("code", ["", "K7"])
def test_rule_3_of_all_keys_two_approve_and_one_denies(code: str) -> None:
    answers: dict[str, Reply] = {}
    for key in (*string.printable, "enter", "space", "tab", "up", "f1", "ctrl+m", "backspace"):
        gate = armed(code)
        for one in code:
            press(gate, one, 1.0)
        found = press(gate, key, 1.0)
        if isinstance(found, Reply):
            answers[key] = found
    assert {key for key, reply in answers.items() if reply.approve} == {"O", "T"}
    assert {key for key, reply in answers.items() if not reply.approve} == {"d", "f"}


@pytest.mark.parametrize("key", ["enter", "space", "y", "Y", *string.digits])
def test_rule_3_enter_space_y_and_digits_do_nothing(key: str) -> None:
    gate = armed()
    assert press(gate, key, 1.0) is None
    assert press(gate, "O", 1.0) == Reply(approve=True), "and leave everything as it was"


def test_rule_3_high_risk_needs_its_code_and_a_wrong_one_disarms() -> None:
    gate = armed("K7")
    assert press(gate, "O", 1.0) is None
    assert press(gate, "W", 1.0) is None
    for key in "K7O":
        assert press(gate, key, 1.0 + ARM_SECONDS - 0.01) is None
    for key in "K7":
        press(gate, key, 1.0 + ARM_SECONDS)
    assert press(gate, "O", 2.0) == Reply(approve=True)


async def test_rule_3_the_code_is_short_and_fresh_for_each_request() -> None:
    drawn: list[str] = []

    def draw() -> str:
        drawn.append(new_code())
        return drawn[-1]

    queue = ApprovalQueue(new_code=draw)
    later = time.time() + 100
    first = queue.ask(question("a-1", call_hash="1", risk=Risk.HIGH, expires=later))
    second = queue.ask(question("a-2", call_hash="2", risk=Risk.HIGH, expires=later))
    assert [first.request.code, second.request.code] == drawn
    assert all(re.fullmatch(r"[A-Z0-9]{2,3}", new_code()) for _ in range(500))
    queue.cancel_task(first.request.task)


# ── 4. The whole of it, nothing hidden, and read to its end ─────────────────────────────


async def test_rule_4_everything_one_decides_by_is_shown() -> None:
    asked = replace(
        DEPLOY,
        cwd="/home/ana/shop",
        arguments='{"env": "production"}',
        diff="--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n",
        change=("+ github at api.github.com", "has npm at registry.example (3 used)"),
    )
    async with running(asking(asked)) as d:
        await d.open_dock()
        shown = read(d)
        for fact in (
            asked.title,
            "ana@laptop › claude-code 2.1.330 › laptop › flaky checkout",  # who
            "tier A contained",
            "/home/ana/shop",
            "POST api.github.com/repos/acme/shop/actions/workflows/deploy.yml",  # verb, resource
            "HIGH",
            "github  released for what you approve, to nothing else",
            "+ github at api.github.com",  # the difference
            "has npm at registry.example",
            "standard/outward.ci",  # the rule
            "starts a workflow",
            '{"env": "production"}',
            "│ -old\n│ +new",
        ):
            assert fact in shown
        assert "this task 15 min" in d.said("dock-foot")  # the lifetime
        assert "no answer in 9:49 = denied" in str(d.dock.border_subtitle)


async def test_rule_4_nothing_that_hides_or_turns_text_gets_through() -> None:
    trick = "a\x1b[2J\u202eb\u200bc\u2066d\x07e\ufe0f\u3164\tf"
    asked = approval(
        1, title=trick, agent_note=trick, diff=f"+{trick}", arguments=trick, cwd=trick,
        reason=trick, change=(f"+ {trick}",), credential=trick, asking=(trick,),
        effects=(Effect(Verb.RUN, trick, {"text": trick}),
                 Effect(Verb.HTTP, trick, {"path": trick})),
    )  # fmt: skip
    async with running(asking(asked)) as d:
        await d.open_dock()
        shown = read(d).replace("\n", "")
        assert not [
            c for c in shown if not c.isprintable() or c in "\u200b\u202e\u2066\ufe0f\u3164"
        ]
        assert shown.count("⟨U+202E⟩") >= 10


async def test_rule_4_the_agents_own_words_are_marked_wherever_they_stand() -> None:
    async with running(asking(approval(1, agent_note="line one\nrisk        low"))) as d:
        await d.open_dock()
        lines = read(d).splitlines()
        at = next(n for n, line in enumerate(lines) if "line one" in line)
        assert lines[at].startswith("agent says  (untrusted) ")
        # A line of theirs never begins where our labels do.
        assert lines[at + 1].startswith(" " * 12)


async def test_rule_4_no_line_of_theirs_looks_like_one_of_ours() -> None:
    forged = "risk        low"
    text = f"ls\n{forged}\n" + "x" * 300 + " " * 300 + forged + "\n" + forged
    asked = approval(1, title=text, diff=text, arguments=text, cwd=text, risk=Risk.HIGH, code="K7",
                     effects=(Effect(Verb.RUN, "ls", {"text": text}),))  # fmt: skip
    async with running(asking(asked)) as d:
        await d.open_dock()
        ours = [line for line in read(d).splitlines() if re.match(r"\s?risk\b", line)]
        assert ours == ["risk        HIGH: type the code to approve"]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_rule_4_approve_waits_until_the_end_was_shown(size: tuple[int, int]) -> None:
    padded = approval(1, title="echo safe\n" + "\n" * 3000 + "rm -rf /")
    async with running(asking(padded), size=size) as d:
        await d.open_dock()
        await d.press("O", "T", "A")
        assert d.answers == []
        assert d.client.requests("always") == []
        assert re.search(r"↓ \d+ more lines: read to the end", d.said("dock-foot"))
        await d.press("end")
        await d.until(lambda: d.dock.gate.end_seen)
        await d.press("O")
        await d.until(lambda: d.answers)


# ── 5. Once, the shortest time; only what is identical together ─────────────────────────


def test_rule_5_the_shortest_lifetime_is_where_it_starts() -> None:
    assert press(armed(), "T", 1.0) == Reply(True, Scope.TASK, minutes=min(TASK_STEPS))
    assert max(TASK_STEPS) <= MAX_MINUTES
    assert wire.AnswerApproval(approve=True).scope == Scope.ONCE


DIFFERENT = {
    "task": {"task": "t-2"},
    "epoch": {"epoch": 3},
    "title": {"title": "gh workflow run other.yml"},
    "verb": {"effects": (Effect(Verb.PUSH, "api.github.com"),)},
    "resource": {"effects": (Effect(Verb.HTTP, "other.example"),)},
    "credential": {"credential": "github"},
    "risk": {"risk": Risk.LOW},
    "directory": {"cwd": "/elsewhere"},
    "arguments": {"arguments": "{}"},
    "change of a file": {"diff": "+x"},
}


@pytest.mark.parametrize("field", DIFFERENT)
def test_rule_5_only_identical_requests_are_one_batch(field: str) -> None:
    other = approval(2, **DIFFERENT[field])
    world = World(approvals={"a-1": approval(1), "a-2": other})
    assert [len(batch.requests) for batch in world.pending(NOW)] == [1, 1]
    world = World(approvals={"a-1": approval(1), "a-2": approval(2)})
    assert [len(batch.requests) for batch in world.pending(NOW)] == [2]


async def test_rule_5_a_batch_is_listed_in_full_each_bound_to_its_own_hash() -> None:
    many = [approval(n, call_hash=f"sha256:{n:064x}"[:20]) for n in range(1, 8)]
    async with running(asking(*many)) as d:
        await d.approvable()
        shown = read(d)
        assert "×7 identical requests" in shown
        for one in many:
            assert f"call {one.call}  {one.id}  {one.call_hash[7:19]}" in shown
        await d.press("O")
        await d.until(lambda: len(d.answers) == 7)
        assert {name for name, _ in d.answers} == {one.id for one in many}


def test_rule_5_high_risk_is_no_batch() -> None:
    codes = [approval(n, risk=Risk.HIGH, code=f"K{n}") for n in (2, 3)]
    world = World(approvals={one.id: one for one in codes})
    assert [len(batch.requests) for batch in world.pending(NOW)] == [1, 1]


async def test_rule_5_what_goes_on_without_asking_has_an_end_and_is_on_record() -> None:
    records: list[Approval] = []

    async def record(request: ApprovalRequest, given: Approval) -> None:
        records.append(given)

    queue = ApprovalQueue(on_answer=record)
    effect = Effect(Verb.HTTP, "h.test", {"method": "POST", "path": "/a"})
    pending = queue.ask(question(effects=(effect,), expires=time.time() + 100))
    for minutes in (0, -1, MAX_MINUTES + 1):
        with pytest.raises(UsageError):
            await queue.answer(
                pending.request.id, answer=Answer.APPROVED, by="ana", scope=Scope.TASK,
                minutes=minutes,
            )  # fmt: skip
    given = await queue.answer(
        pending.request.id, answer=Answer.APPROVED, by="ana", scope=Scope.TASK, minutes=15
    )
    assert given.expires == pytest.approx(given.at + 15 * 60)
    assert records == [given]


# ── 6. No answer in time is a no ────────────────────────────────────────────────────────


async def test_rule_6_no_answer_in_time_is_no_told_to_the_agent_and_kept() -> None:
    kept: list[Approval] = []

    async def record(request: ApprovalRequest, approval: Approval) -> None:
        kept.append(approval)

    queue = ApprovalQueue(on_answer=record)
    now = time.time()
    pending = queue.ask(question(created=now, expires=now + 0.01))
    answer = await asyncio.wait_for(pending.answer, 5)
    assert answer.answer is Answer.EXPIRED
    assert kept == [answer]
    told = refusal(answer, Decision(Outcome.ASK, "", hint="Open a pull request."))
    assert told == "Nobody answered the approval in time, so this is denied. Open a pull request."


async def test_rule_6_the_screen_says_so_and_what_ran_out_cannot_be_answered() -> None:
    async with running(asking(approval(1, expires=NOW + 1))) as d:
        await d.approvable()
        d.app.clock = d.dock._clock = lambda: NOW + 2
        d.client.send(wire.ApprovalAnswered(id="a-1", answer=Answer.EXPIRED, by=""))
        await d.until(lambda: not d.dock.display)
        assert any("Nobody answered in time" in toast for toast in d.toasts)
        await d.press("O")
        assert d.answers == []


# ── 8. The person is told, once for a burst ─────────────────────────────────────────────


async def test_rule_8_a_burst_rings_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(asking()) as d:
        rung: list[float] = []
        monkeypatch.setattr(d.app, "bell", lambda: rung.append(time.monotonic()))
        for n in range(1, 21):
            d.client.send(wire.ApprovalAsked(approval=approval(n, title=f"make {n}")))
        await d.until(lambda: len(d.app.world.approvals) == 20)
        assert len(rung) == 1


# ── 9. Nothing of a pane reaches the outer terminal ─────────────────────────────────────


async def test_rule_9_a_title_is_cleaned_and_names_no_dock() -> None:
    async with running() as d:
        rows = {0: (("x", -1, -1, 0),)}
        hostile = "own\x1b]52;c;eA==\x07ed\u202e\x9b2J"
        d.client.panes["t-1"]._frames.put_nowait(
            holder_wire.Screen(rows=rows, x=0, y=0, cols=80, height=2, full=True, title=hostile)
        )
        await d.until(lambda: "own" in str(d.tile("t-1").border_title)
                      or "own" in d.app.main.query_one("#pane-t-1").agent_title)  # type: ignore[attr-defined]  # fmt: skip
        shown = str(d.tile("t-1").border_title)
        assert not [c for c in shown if not c.isprintable()]
