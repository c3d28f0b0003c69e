"""Every record, filtered, with its details, its proof and what today's policy would say."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input

from supervisor.errors import TaskpassError, UsageError
from supervisor.protocol.review import PageView, ProofView, ReplayView, TimelineView
from tui import palette, records
from tui.lines import View, key_line, spread
from tui.screens import history_text
from tui.screens.past import ExportDialog, FiguresPage
from tui.screens.player import PlayerScreen
from tui.text import clip, plural
from tui.widgets.line import Line
from tui.widgets.records import RecordList

if TYPE_CHECKING:
    from supervisor.client import AsyncClient

_PAGE = 500  # records read at once
_ENOUGH = 100  # found, before the person is asked whether to look further back
_FILL_SECONDS = 0.5  # new records are looked for at this pace at most
_TYPED = 0.15  # seconds without a key, after which a filter is meant
_WIDE = 110  # columns from which the details stand beside the list
_DETAIL = 46  # their width, as in dialogs.tcss
_FRAME = 5  # of these, its border, padding and scroll bar
_TALL = 30  # lines from which there is room for the timeline
_KEYS = (
    ("↑↓", "record"),
    ("enter", "details"),
    ("/", "filter"),
    ("r", "re-judge"),
    ("t", "timeline"),
    ("f", "figures"),
    ("e", "export"),
    ("p", "play"),
    ("o", "older"),
    ("v", "verify"),
    ("q", "back"),
)


class HistoryScreen(Screen[None]):
    """The ledger for people. Follows new records while it is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("q", "dismiss", show=False),
        Binding("slash", "filter", show=False),
        Binding("v", "verify", show=False),
        Binding("o", "older", show=False),
        Binding("r", "replay", show=False),
        Binding("t", "timeline", show=False),
        Binding("f", "figures", show=False),
        Binding("e", "export", show=False),
        Binding("p", "play", show=False),
    ]

    def __init__(self, client: AsyncClient, view: View) -> None:
        super().__init__()
        # Classes by width in columns.
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (_WIDE, "-wide")]
        self._client = client
        self._last = view
        self._filter = ""
        self._records: dict[int, dict[str, Any]] = {}  # that match, of those looked at
        self._shown: list[int] = []
        self._next = 0  # look on before this record; 0: there is nothing older
        self._head = 0  # the newest record that was looked at
        self._chain = Text("chain: checking…", palette.MUTED)
        self._loaded = False
        self._looked = 0.0  # when it was last looked for new records
        self._proof: ProofView | None = None
        self._replayed: ReplayView | None = None
        self._timeline: TimelineView | None = None
        self._with_timeline: bool | None = None  # None: where there is room

    def compose(self) -> ComposeResult:
        yield Line(id="history-title")
        yield Input(
            id="history-filter",
            placeholder="filter: task:1 decision:ask,deny host:api.example.com since:2h any words",
        )
        with Horizontal(id="history-body"):
            with Vertical(id="history-list"):
                yield Line(id="history-heading")
                yield RecordList(self._row, id="history-table")
                yield Line(id="history-empty")
                yield Line(id="history-timeline")
            with VerticalScroll(id="history-detail"):
                yield Line(id="history-record")
        yield Line(id="history-keys")

    def on_mount(self) -> None:
        self.query_one("#history-detail").can_focus = False
        self._list.focus()
        self._draw()
        self._load()
        self._check()

    def on_resize(self) -> None:
        self.query_one("#history-keys", Line).say(key_line("", _KEYS, self.size.width))
        self._fill()
        self._draw_timeline()

    @property
    def _list(self) -> RecordList:
        return self.query_one(RecordList)

    @property
    def _record(self) -> dict[str, Any] | None:
        """The record in focus."""
        return self._records.get(self._list.current)

    # ── Loading ─────────────────────────────────────────────────────────────────────────

    @work(group="load", exclusive=True)
    async def _load(self, wait: float = 0.0) -> None:
        """Read the newest records that match."""
        await asyncio.sleep(wait)
        self._loaded, self._records, self._next, self._head = False, {}, 0, 0
        self._timeline = None
        self._fill()
        await self._look_back(0)
        await self._look_over_time()

    @work(group="load", exclusive=True)
    async def _load_older(self) -> None:
        await self._look_back(self._next)

    async def _look_back(self, before: int) -> None:
        """Look for records before a number (0: from the newest on), until there is a pageful."""
        found = 0
        try:
            while True:
                page = await self._client.find(self._filter, before=before, limit=_PAGE)
                found += len(page.records)
                before = page.next
                self._take(page, older=True)
                if not before or found >= _ENOUGH:
                    return
        except TaskpassError as error:
            self._failed(error)

    def _take(self, page: PageView, *, older: bool) -> None:
        self.query_one("#history-filter").border_subtitle = Content("")
        self._records |= {int(record["seq"]): record for record in page.records}
        self._head = max(self._head, page.head)
        if older:
            self._next = page.next
        self._loaded = True
        self._fill()

    def _failed(self, error: TaskpassError) -> None:
        if isinstance(error, UsageError):  # what was typed cannot be read, yet
            self.query_one("#history-filter").border_subtitle = Content(f" {error} ")
        else:
            self.notify(str(error), severity="error", markup=False)
        self._loaded = True
        self._fill()

    @work(group="verify", exclusive=True)
    async def _check(self) -> None:
        self._chain = Text("chain: checking…", palette.MUTED)
        self._draw()
        try:
            self._chain = history_text.chain(await self._client.verify())
        except TaskpassError as error:
            self._chain = Text(clip(f"chain not checked: {error.message}", 60), palette.AMBER)
        self._draw()

    async def _look_over_time(self) -> None:
        if not self._timeline_shown:
            return
        try:
            self._timeline = await self._client.timeline(self._filter)
        except TaskpassError:
            self._timeline = None  # the list has said it
        self._draw_timeline()

    def follow(self, view: View) -> None:
        """Look for what the event stream says is new."""
        self._last = view
        newest = max((int(record["seq"]) for record in view.world.records), default=0)
        now = time.monotonic()
        if newest > self._head and self._loaded and now - self._looked >= _FILL_SECONDS:
            self._looked = now
            self._load_newer()

    @work(group="newer", exclusive=True)
    async def _load_newer(self) -> None:
        wanted, head = self._filter, self._head
        try:
            page = await self._client.find(wanted, after=head, limit=_PAGE)
        except TaskpassError:
            return  # the next look is soon
        if wanted != self._filter or head != self._head:
            return  # another list has begun meanwhile
        if page.next:
            self._load()  # more than a page is new: none of it is to be missing in between
        else:
            self._take(page, older=False)

    # ── Drawing ─────────────────────────────────────────────────────────────────────────

    def _fill(self) -> None:
        """The list anew; the cursor stays on its record."""
        self._shown = sorted(self._records, reverse=True)
        self._list.show(self._shown)
        self._list.display = bool(self._shown)
        self.query_one("#history-heading", Line).display = bool(self._shown)
        self.query_one("#history-heading", Line).say(history_text.heading(self._list_width))
        empty = self.query_one("#history-empty", Line)
        empty.display = not self._shown
        empty.say(self._empty())
        self._draw()
        self._detail()

    @property
    def _list_width(self) -> int:
        # As its rows have it, beside the mark of the one in focus.
        return self.size.width - (_DETAIL if self.size.width >= _WIDE else 0) - 1

    def _row(self, seq: int, width: int) -> Text:
        line = records.line(self._records[seq])
        return history_text.row(line, self._task_name(line.task), self._last.now, width)

    def _task_name(self, task: str) -> str:
        known = self._last.world.tasks.get(task)
        return f"{known.called} {known.purpose or known.profile}" if known else task

    def _empty(self) -> Text:
        if not self._loaded:
            return Text("reading the records…", palette.MUTED)
        if self._filter:
            older = " Press o to look further back." if self._next else ""
            return Text(f"No record matches. Change the filter with /.{older}", palette.MUTED)
        return Text(
            "Nothing is recorded yet. Start a task with `taskpass run -- claude`;\n"
            "every call it makes appears here.",
            palette.MUTED,
            justify="center",
        )

    def _draw(self) -> None:
        left = Text(" HISTORY", f"bold {palette.TEAL}")
        count = plural(len(self._shown), "record")
        if self._head:
            count += f" of {self._head}"
        if self._next:
            count += f", back to number {self._next}"
        left.append(f"  {count}", palette.MUTED)
        right = self._chain.copy().append(" ")
        self.query_one("#history-title", Line).say(spread(left, right, self.size.width))

    @property
    def _timeline_shown(self) -> bool:
        return self.size.height >= _TALL if self._with_timeline is None else self._with_timeline

    def _draw_timeline(self) -> None:
        line = self.query_one("#history-timeline", Line)
        line.display = self._timeline_shown and self._timeline is not None
        if self._timeline is not None:
            line.say(history_text.over_time(self._timeline, self._list_width))

    def _detail(self) -> None:
        pane = self.query_one("#history-detail")
        line = self.query_one("#history-record", Line)
        record = self._record
        if record is None:
            pane.border_title = Content("")
            line.say(Text("no record", palette.MUTED))
            return
        seq = int(record["seq"])
        pane.border_title = Content(f"record {seq}")
        proof = self._proof if self._proof and self._proof.record["seq"] == seq else None
        replayed = self._replayed if self._replayed and self._replayed.seq == seq else None
        # From the screen's size: its own is not known before it has been on show.
        width = (_DETAIL if self.size.width >= _WIDE else self.size.width) - _FRAME
        line.say(history_text.detail(record, proof, replayed, self._last.now, width))

    @work(group="proof", exclusive=True)
    async def _prove(self) -> None:
        """What backs the record in focus, once the focus stays there."""
        await asyncio.sleep(_TYPED)
        seq = self._list.current
        if not seq or (self._proof is not None and self._proof.record["seq"] == seq):
            return
        try:
            self._proof = await self._client.proof(seq)
        except TaskpassError:
            return
        self._detail()

    # ── Keys ────────────────────────────────────────────────────────────────────────────

    def on_record_list_moved(self) -> None:
        self._detail()
        self._prove()
        self.query_one("#history-detail").scroll_home(animate=False)
        if self._shown and self._list.at_end:
            self.action_older()

    def on_record_list_chosen(self) -> None:
        self.toggle_class("-detail")
        self.call_after_refresh(self._detail)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._filter = event.value.strip()
        self._load(_TYPED)

    def on_input_submitted(self) -> None:
        self._list.focus()

    def action_filter(self) -> None:
        self.remove_class("-detail")
        self.query_one("#history-filter").focus()

    def action_older(self) -> None:
        if self._loaded and self._next:
            self._load_older()

    def action_verify(self) -> None:
        self._check()

    @work(group="replay", exclusive=True)
    async def action_replay(self) -> None:
        """Judge the record in focus again, by today's policy."""
        seq = self._list.current
        if not seq:
            return
        try:
            self._replayed = (await self._client.replay([seq]))[0]
        except TaskpassError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        if self.size.width < _WIDE:
            self.add_class("-detail")
        self.call_after_refresh(self._detail)

    @work(group="load", exclusive=True)
    async def action_timeline(self) -> None:
        self._with_timeline = not self._timeline_shown
        await self._look_over_time()
        self._draw_timeline()

    @work(group="figures", exclusive=True)
    async def action_figures(self) -> None:
        try:
            told = await self._client.figures(self._filter)
        except TaskpassError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self.app.push_screen(FiguresPage(told, self._filter))

    @work(group="play", exclusive=True)
    async def action_play(self) -> None:
        """Play what the terminal of the record's task showed, from the record on."""
        record = self._record
        if record is None or not record.get("task"):
            self.notify("This record is of no task.", markup=False)
            return
        task = str(record["task"])
        try:
            recorded = any(each.task == task for each in await self._client.recordings())
        except TaskpassError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        if not recorded:
            self.notify(
                "This task's terminal was not recorded. To have one that is: "
                "taskpass run --record -- claude",
                markup=False,
            )
            return
        at = float(record["time"])
        self.app.push_screen(PlayerScreen(self._client, task, self._task_name(task), at))

    def action_export(self) -> None:
        self.app.push_screen(ExportDialog(self._client, self._filter, self._last.now))

    def action_back(self) -> None:
        """Escape leaves the innermost thing first: the filter, the details, the screen."""
        if self.query_one("#history-filter").has_focus:
            self._list.focus()
        elif self.has_class("-detail"):
            self.remove_class("-detail")
        else:
            self.dismiss()
