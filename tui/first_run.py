"""The first run: one screen that tells what lies about and asks once. Knows no supervisor.

Whoever shows it says what stands there and what one key does; the screen only asks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui import keys, palette, themes
from tui.dressed import Dressed
from tui.text import clip, hang, one_line
from tui.widgets.line import Line

_MARK = 4  # cells of "[x] "
_LABELS = 13
_MOST_AGENT_LINES = 3


class Choice(StrEnum):
    """What the person wants."""

    BROKER = "broker"  # and go on
    SKIP = "skip"  # not now: go on
    DEMO = "demo"  # see the demo first; nothing is decided
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Row:
    """One log-in that was found.

    Attributes:
        about: whose, how strong, how old.
        does: what taskpass does, or would do, about it.
        more: whole sentences, shown for the row in focus.
        choosable: it can be brokered.
        exposed: an agent can use it without asking, also in the planned container.
    """

    title: str
    about: str
    does: str
    more: str = ""
    choosable: bool = False
    chosen: bool = False
    exposed: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything on the screen. `agents`: each with its log-in, in words."""

    agents: tuple[str, ...]
    containment: str
    contained: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one row."""

    good: bool
    words: str


Broker = Callable[[Sequence[int]], Awaitable[Sequence[Told]]]


class FirstRunApp(Dressed[Choice], inherit_bindings=False):
    """Asks once; `return_value` is what the person chose, None like LEAVE.

    Args:
        broker: brokers the rows with these numbers, one answer for each.
        look: the theme that the person has chosen, if any.
    """

    TITLE = "taskpass"
    CSS_PATH: ClassVar[list[str | Path]] = ["styles/app.tcss", "styles/first_run.tcss"]  # type: ignore[assignment]
    ENABLE_COMMAND_PALETTE = False
    ESCAPE_TO_MINIMIZE = False
    ARMED_AFTER = 0.5  # seconds: what was typed before the screen could be read decides nothing
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "broker", "Broker", show=False, priority=True),
        Binding("s", "skip", "Not now", show=False, priority=True),
        Binding("d", "demo", "Demo", show=False, priority=True),
        Binding("space", "choose", "Choose", show=False, priority=True),
        Binding("enter", "go_on", "Go on", show=False, priority=True),
        Binding("ctrl+c", "leave", "Leave", show=False, priority=True),
    ]

    def __init__(self, sheet: Sheet, broker: Broker, *, look: str = "") -> None:
        keys.install()
        super().__init__()
        self.sheet = sheet
        self.told: tuple[Told, ...] = ()  # what was done, for the terminal afterwards
        self._broker = broker
        self._chosen = {number for number, row in enumerate(sheet.rows) if row.chosen}
        self.armed = False
        self._working = False
        self.dress(themes.suitable(look))

    def compose(self) -> ComposeResult:
        yield Line(id="first-title")
        yield Line(id="first-facts")
        yield Line(id="first-heading")
        yield OptionList(*(Option("") for _ in self.sheet.rows), id="first-rows")
        yield Line(id="first-more")
        yield Line(id="first-keys")

    def on_mount(self) -> None:
        self.query_one("#first-title", Line).say(
            Text(" First run · nothing is changed until you press b", f"bold {palette.TEXT}")
        )
        self.set_timer(self.ARMED_AFTER, self._arm)
        rows = self.query_one(OptionList)
        rows.display = bool(self.sheet.rows)
        if self.sheet.rows:
            rows.highlighted = 0
            rows.focus()

    def _arm(self) -> None:
        self.armed = True

    def on_resize(self) -> None:
        self._draw()

    def on_option_list_option_highlighted(self) -> None:
        self._draw_more()

    # ── What is shown ───────────────────────────────────────────────────────────────────

    def _draw(self) -> None:
        self.query_one("#first-facts", Line).say(self._facts())
        self.query_one("#first-heading", Line).say(self._heading())
        rows = self.query_one(OptionList)
        for number, row in enumerate(self.sheet.rows):
            rows.replace_option_prompt_at_index(number, self._row(number, row))
        self._draw_more()
        self._draw_keys()

    def _facts(self) -> Text:
        width = max(20, self.size.width - 2)
        agents = [one_line(each) for each in self.sheet.agents] or [
            "none of those that are known is installed; any program can be run"
        ]
        lines = hang(" Agents", Text(" · ".join(agents)), width, _LABELS)[:_MOST_AGENT_LINES]
        style = "" if self.sheet.contained else f"bold {palette.RED}"
        sign = "" if self.sheet.contained else "! "
        contained = Text(sign + one_line(self.sheet.containment), style)
        lines += hang(" Containment", contained, width, _LABELS)[:2]
        return Text("\n").join(lines)

    def _heading(self) -> Text:
        if not self.sheet.rows:
            return Text(
                " No log-ins were found that an agent could use. There is nothing to choose;\n"
                " `taskpass credential add` lends what you want lent.",
                palette.MUTED,
            )
        heading = Text(" Without taskpass an agent can use these and ask nobody:")
        if any(row.exposed for row in self.sheet.rows):
            heading.append("  ! with it too", f"bold {palette.RED}")
        return heading

    def _row(self, number: int, row: Row) -> Text:
        room = max(30, self.size.width - _MARK - 4)
        # As wide as they need, so that what a log-in is has the rest.
        rows = self.sheet.rows
        title = min(room * 30 // 100, 1 + max(cell_len(one_line(each.title)) for each in rows))
        does = min(room * 36 // 100, 3 + max(cell_len(each.does) for each in rows))
        mark = "    "
        if row.choosable:
            mark = "[x] " if number in self._chosen else "[ ] "
        text = Text(mark, palette.TEAL, no_wrap=True)
        text.append_text(_cell(row.title, title, palette.TEXT))
        text.append_text(_cell(row.about, room - title - does, palette.MUTED))
        if row.exposed:
            text.append_text(_cell(f"! {row.does}", does, f"bold {palette.RED}"))
        else:
            text.append_text(
                _cell(row.does, does, palette.GREEN if row.choosable else palette.MUTED)
            )
        return text

    def _draw_more(self) -> None:
        line = self.query_one("#first-more", Line)
        if self.told:
            parts = [
                Text(f"{'✓' if each.good else '!'} {one_line(each.words)}",
                     palette.GREEN if each.good else palette.RED)
                for each in self.told
            ]  # fmt: skip
            line.say(Text("\n").join(parts))
            return
        at = self.query_one(OptionList).highlighted
        if at is None:
            line.say(Text())
            return
        row = self.sheet.rows[at]
        text = Text(style=palette.MUTED)
        if row.about:  # it may be clipped above
            text.append(f"{one_line(row.title)}: {one_line(row.about)}\n", palette.TEXT)
        line.say(text.append(one_line(row.more)))

    def _draw_keys(self) -> None:
        if self._working:
            words = "Brokering …"
        elif self.told:
            words = "enter go on · ctrl+c leave"
        elif self._chosen:
            words = (
                f"b broker {len(self._chosen)} and go on · s not now · space choose · ↑↓ · d demo"
            )
        else:
            words = "b go on · s not now · d demo · ctrl+c leave"
            if any(row.choosable for row in self.sheet.rows):
                words = "space choose · " + words
        self.query_one("#first-keys", Line).say(Text(f" {words}", palette.TEAL))

    # ── What keys do ────────────────────────────────────────────────────────────────────

    def action_choose(self) -> None:
        at = self.query_one(OptionList).highlighted
        if at is None or self._working or self.told or not self.sheet.rows[at].choosable:
            return
        self._chosen ^= {at}
        self._draw()

    async def action_broker(self) -> None:
        if not self.armed or self._working or self.told:
            return
        if not self._chosen:
            self.exit(Choice.BROKER)
            return
        self._working = True
        self._draw_keys()
        # Beside the loop of keys, so that a keyring that asks does not hold the screen.
        self.run_worker(self._run_broker(), exclusive=True)

    async def _run_broker(self) -> None:
        told = tuple(await self._broker(sorted(self._chosen)))
        self.told = told
        self._working = False
        if all(each.good for each in told):
            self.exit(Choice.BROKER)
            return
        self._draw_more()
        self._draw_keys()

    def action_go_on(self) -> None:
        if self.told:
            self.exit(Choice.BROKER)

    def action_skip(self) -> None:
        if self.armed and not self._working and not self.told:
            self.exit(Choice.SKIP)

    def action_demo(self) -> None:
        if self.armed and not self._working and not self.told:
            self.exit(Choice.DEMO)

    def action_leave(self) -> None:
        if not self._working:
            self.exit(Choice.LEAVE)


def _cell(words: str, width: int, style: str) -> Text:
    """One column: clipped, and a blank before the next one."""
    shown = clip(one_line(words), max(1, width - 1))
    return Text(shown + " " * max(1, width - cell_len(shown)), style)
