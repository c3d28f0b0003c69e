"""Every record, filtered, with its details and the state of the chain."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import DataTable, Input

from supervisor.errors import TaskpassError, UsageError
from supervisor.protocol import wire
from tui import palette, query, records
from tui.lines import View, key_line, spread
from tui.text import clip, moment, plural, table, visible
from tui.widgets.line import Line

if TYPE_CHECKING:
    from supervisor.client import AsyncClient

_PAGE = 500  # records read at once
_FILL_SECONDS = 0.5  # new records are put in at this pace at most
_WIDE = 110  # columns from which the details stand beside the list
_DETAIL = 46  # their width, as in dialogs.tcss
_KEYS = (
    ("↑↓", "record"),
    ("enter", "details"),
    ("/", "filter"),
    ("o", "older records"),
    ("v", "verify the chain"),
    ("q", "back"),
)


class Records(DataTable[Text]):
    """Rows are moved through as in a pager."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("home,g", "scroll_top", show=False),
        Binding("end,G", "scroll_bottom", show=False),
        Binding("k", "cursor_up", show=False),
        Binding("j", "cursor_down", show=False),
    ]


class HistoryScreen(Screen[None]):
    """The ledger for people. Follows new records while it is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("q", "dismiss", show=False),
        Binding("slash", "filter", show=False),
        Binding("v", "verify", show=False),
        Binding("o", "older", show=False),
    ]

    def __init__(self, client: AsyncClient, view: View) -> None:
        super().__init__()
        # Classes by width in columns.
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (_WIDE, "-wide")]
        self._client = client
        self._last = view
        self._records: dict[int, dict[str, Any]] = {}
        self._shown: list[int] = []
        self._query = query.Query()
        self._chain = Text("chain: checking…", palette.MUTED)
        self._loaded = False
        self._first_seen = False  # there is nothing older
        self._filled = 0.0  # when the table was last made anew

    def compose(self) -> ComposeResult:
        yield Line(id="history-title")
        yield Input(
            id="history-filter",
            placeholder="filter: task:1 decision:ask,deny host:api.example.com any words",
        )
        with Horizontal(id="history-body"):
            with Vertical(id="history-list"):
                yield Records(id="history-table", cursor_type="row", zebra_stripes=False)
                yield Line(id="history-empty")
            with VerticalScroll(id="history-detail"):
                yield Line(id="history-record")
        yield Line(id="history-keys")

    def on_mount(self) -> None:
        table = self._table
        table.add_column("time", width=11)
        table.add_column("task", width=18)
        table.add_column("what", width=10)
        table.add_column("decision", width=9)
        table.add_column("lease", width=12)
        self.query_one("#history-detail").can_focus = False
        table.focus()
        self._draw()
        self._load()
        self._check()

    def on_resize(self) -> None:
        self._fit()

    @property
    def _table(self) -> Records:
        return self.query_one(Records)

    def _fit(self) -> None:
        """Give the sentence what the other columns leave; drop the lease where it is tight."""
        # From the screen's size: the table's own is that of the layout before a resize.
        whole = self.size.width - (_DETAIL if self.size.width >= _WIDE else 0)
        columns = list(self._table.columns.values())
        columns[4].width = 12 if whole >= 90 else 0
        taken = sum(column.width for column in columns if column is not columns[2])
        # Two cells of padding a column, and the scroll bar.
        width = max(16, whole - taken - 2 * len(columns) - 1)
        if columns[2].width != width:
            columns[2].width = width
            self._fill()
        self.query_one("#history-keys", Line).say(key_line("", _KEYS, self.size.width))
        self._draw()

    # ── Loading ─────────────────────────────────────────────────────────────────────────

    @property
    def _oldest(self) -> int:
        """Number of the oldest record that has been read; 0 before any has."""
        return min(self._records, default=0)

    @work(group="load", exclusive=True)
    async def _load(self) -> None:
        """Read the latest records, or the page before those that have been read."""
        try:
            loaded = await self._client.history(before=self._oldest, limit=_PAGE)
        except TaskpassError as error:
            self.notify(str(error), severity="error", markup=False)
            loaded = [] if self._records else list(self._last.world.records)
        self._first_seen = not loaded
        self._records |= {int(record.get("seq", 0)): record for record in loaded}
        self._loaded = True
        self._fill()

    @work(group="verify", exclusive=True)
    async def _check(self) -> None:
        self._chain = Text("chain: checking…", palette.MUTED)
        self._draw()
        try:
            self._chain = _chain(await self._client.verify())
        except TaskpassError as error:
            self._chain = Text(clip(f"chain not checked: {error.message}", 60), palette.AMBER)
        self._draw()

    def follow(self, view: View) -> None:
        """Take in what the event stream brought."""
        self._last = view
        fresh = [record for record in view.world.records if int(record["seq"]) not in self._records]
        if not fresh or not self._loaded or time.monotonic() - self._filled < _FILL_SECONDS:
            return  # the next drawing is soon
        self._records |= {int(record["seq"]): record for record in fresh}
        self._fill()

    # ── Drawing ─────────────────────────────────────────────────────────────────────────

    def _number(self, task: str) -> str:
        known = self._last.world.tasks.get(task)
        return str(known.number) if known else ""

    def _fill(self) -> None:
        """The table anew, newest first; the cursor stays on its record."""
        table = self._table
        self._filled = time.monotonic()
        at_top = table.cursor_row <= 0
        here = self._shown[table.cursor_row] if 0 <= table.cursor_row < len(self._shown) else -1
        matching = [
            seq
            for seq, record in self._records.items()
            if self._query.matches(record, self._number)
        ]
        self._shown = sorted(matching, reverse=True)
        table.clear()
        width = list(table.columns.values())[2].width
        for seq in self._shown:
            table.add_row(*self._row(records.line(self._records[seq]), width))
        if here in self._shown and not at_top:
            table.move_cursor(row=self._shown.index(here))
        table.display = bool(self._shown)
        empty = self.query_one("#history-empty", Line)
        empty.display = not self._shown
        empty.say(self._empty())
        self._draw()
        self._detail()

    def _row(self, line: records.Line, width: int) -> tuple[Text, ...]:
        task = self._last.world.tasks.get(line.task)
        name = f"{task.number} {task.purpose or task.profile}" if task else line.task
        return (
            Text(moment(line.time, self._last.now), palette.MUTED),
            Text(clip(name, 18), palette.TEXT),
            Text(clip(line.sentence, width), palette.TEXT if line.notable else palette.MUTED),
            Text(line.decision or "·", line.colour),
            Text(clip(line.lease, 12), palette.MUTED),
        )

    def _empty(self) -> Text:
        if not self._loaded:
            return Text("reading the records…", palette.MUTED)
        if self._records:
            older = " Press o to look further back." if self._oldest > 1 else ""
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
        if self._query != query.Query():
            count += f" of {len(self._records)}"
        if self._oldest > 1:
            count += f", back to number {self._oldest}"
        left.append(f"  {count}", palette.MUTED)
        right = self._chain.copy().append(" ")
        self.query_one("#history-title", Line).say(spread(left, right, self.size.width))

    def _detail(self) -> None:
        pane = self.query_one("#history-detail")
        line = self.query_one("#history-record", Line)
        row = self._table.cursor_row
        if not 0 <= row < len(self._shown):
            pane.border_title = Content("")
            line.say(Text("no record", palette.MUTED))
            return
        record = self._records[self._shown[row]]
        pane.border_title = Content(f"record {self._shown[row]}")
        rows = [
            (name, visible(value) if value else Text("–", palette.MUTED))
            for name, value in records.fields(record)
        ]
        width = line.size.width or 38
        line.say(table(rows, width, min(14, width // 3)))

    # ── Keys ────────────────────────────────────────────────────────────────────────────

    def on_data_table_row_highlighted(self) -> None:
        self._detail()
        self.query_one("#history-detail").scroll_home(animate=False)
        if self._shown and self._table.cursor_row == len(self._shown) - 1:
            self.action_older()

    def on_data_table_row_selected(self) -> None:
        self.toggle_class("-detail")

    def on_input_changed(self, event: Input.Changed) -> None:
        try:
            self._query = query.parse(event.value)
        except UsageError as error:
            self.query_one("#history-filter").border_subtitle = Content(f" {error} ")
            return
        self.query_one("#history-filter").border_subtitle = Content("")
        self._fill()

    def on_input_submitted(self) -> None:
        self._table.focus()

    def action_filter(self) -> None:
        self.remove_class("-detail")
        self.query_one("#history-filter").focus()

    def action_older(self) -> None:
        if self._loaded and not self._first_seen and self._oldest > 1:
            self._load()

    def action_verify(self) -> None:
        self._check()

    def action_back(self) -> None:
        """Escape leaves the innermost thing first: the filter, the details, the screen."""
        if self.query_one("#history-filter").has_focus:
            self._table.focus()
        elif self.has_class("-detail"):
            self.remove_class("-detail")
        else:
            self.dismiss()


def _chain(state: wire.VerifyView) -> Text:
    if not state.ok:
        return Text(
            f" CHAIN BROKEN: {clip(state.message, 70)} ", f"bold {palette.INK} on {palette.RED}"
        )
    text = Text("chain ok ✓", f"bold {palette.GREEN}")
    about = f"  {plural(state.records, 'record')}, {plural(state.checkpoints, 'checkpoint')}"
    return text.append(about, palette.MUTED)
