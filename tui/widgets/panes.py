"""The panes of all tasks, tiled as far as there is room; attached when first looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rich.style import Style
from rich.text import Text
from textual import events, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from supervisor.errors import TaskpassError
from supervisor.model import TaskState
from supervisor.protocol import wire
from tui import palette
from tui.keymap import DEFAULT, Keymap
from tui.text import STATE_COLOUR, STATE_SYMBOL, clip, one_line, task_state
from tui.tiles import ONE, Grid, arrange, page
from tui.widgets.line import Line
from tui.world import is_gone

if TYPE_CHECKING:
    from supervisor.client import AsyncClient
    from supervisor.client_pane import PaneConnection

_WELCOME = "welcome"
_MISSING = "missing"  # class of what stands in a tile while its terminal cannot be attached
_RETRY_SECONDS = 1.0
_TYPED_AHEAD = 256  # keys kept while a pane is being attached
# Among our own colours, a pane has the ground that its agent is told when it asks; alone in a
# terminal it keeps that terminal's.
_GROUND = Style(color=palette.TEXT, bgcolor=palette.INK)
_KEYS = 24  # cells of the first column of the welcome
_BORDER = 2  # cells that a tile's border takes of its width and height


class Tile(Container):
    """One task's place: its frame, and its terminal once that is attached."""

    def __init__(self, task: wire.TaskView) -> None:
        super().__init__(id=f"tile-{task.id}")
        self.about = task
        self._said: tuple[Text, str] | None = None

    def show(self, task: wire.TaskView) -> None:
        """Follow the task's state in title and frame."""
        self.about = task
        state = task_state(task.state)
        self.set_class(state is TaskState.WAITING_APPROVAL, "-asks")
        said = _title(task), _exposed(task)
        if said != self._said:  # to set a title draws all of the tile anew
            self._said = said
            self.border_title = Content.from_rich_text(said[0])
            self.border_subtitle = Content(said[1])


class Panes(Container):
    """Holds one tile a task, and a text where there is none."""

    class Failed(Message):
        """A pane could not be attached."""

        def __init__(self, error: TaskpassError) -> None:
            super().__init__()
            self.error = error

    class Entered(Message):
        """The person has gone into a task's pane."""

        def __init__(self, task: str) -> None:
            super().__init__()
            self.task = task

    def __init__(self, client: AsyncClient, *, framed: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self._client = client
        self._framed = framed
        self.keys = DEFAULT
        self._focused = ""
        self._asked_for: tuple[Sequence[wire.TaskView], wire.TaskView | None, bool] = (
            (),
            None,
            True,
        )
        self._shown: list[str] = []
        self._grid = ONE
        self._tiles: dict[str, Tile] = {}
        self._attached: dict[str, Widget] = {}
        self._asked: set[str] = set()
        self._failed: set[str] = set()
        self._connections: dict[str, PaneConnection] = {}
        self._typed_ahead: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        yield Line(id=_WELCOME)

    @property
    def shown(self) -> list[str]:
        """Ids of the tasks that are shown, in their order on the screen."""
        return self._shown

    def terminal(self) -> Widget | None:
        """The pane of the focused task, if it can take keys."""
        pane = self._attached.get(self._focused)
        return pane if pane is not None and pane.can_focus else None

    def press(self, key: str) -> None:
        """Send a key to the focused task: for the leader, which no pane ever sees."""
        connection = self._connections.get(self._focused)
        if connection is not None:
            connection.key(key)

    def copy_mode(self, *, find: bool) -> None:
        """Let the person read back in the focused pane."""
        from tui.widgets.terminal import TerminalPane

        pane = self.terminal()
        if isinstance(pane, TerminalPane):
            pane.copy_mode(find=find)

    def links(self) -> list[tuple[str, str, Callable[[], object]]]:
        """The focused pane's links: text, target, and what shows that link."""
        from tui.widgets.terminal import TerminalPane

        pane = self.terminal()
        if not isinstance(pane, TerminalPane):
            return []
        return [(link.text, link.target, partial(pane.open_link, link)) for link in pane.links]

    def answer_wish(self) -> bool:
        """Have an agent's wish to write to the clipboard answered; False where none has one.

        The focused pane's comes first.
        """
        from tui.widgets.terminal import TerminalPane

        focused = self._attached.get(self._focused)
        for pane in (focused, *self._attached.values()):
            if isinstance(pane, TerminalPane) and pane.wish is not None:
                pane.answer_wish()
                return True
        return False

    def welcome(self, known: bool) -> None:
        """What stands where no task is; before the supervisor has spoken nothing is known."""
        words = _welcome(self.keys) if known else Text("connecting…", palette.MUTED)
        self.query_one(f"#{_WELCOME}", Line).say(words)

    def type_ahead(self, key: str, text: str) -> None:
        """A key for the focused task while nothing has the focus: its pane gets it, now or when
        it is attached.
        """
        if self._focused in self._connections:
            self._connections[self._focused].key(key, text)
        elif self._focused in self._asked:
            del self._typed_ahead[_TYPED_AHEAD:]
            self._typed_ahead.append((key, text))

    # ── Which panes, and where ──────────────────────────────────────────────────────────

    def show(
        self, tasks: Sequence[wire.TaskView], focused: wire.TaskView | None, *, one: bool = False
    ) -> None:
        """Show the focused task's pane, and as many of `tasks` beside it as there is room for.

        With `one` it has all the room, and no frame.
        """
        self._asked_for = (tasks, focused, one)
        moved = focused is not None and focused.id != self._focused
        self._focused = focused.id if focused else ""
        self.query_one(f"#{_WELCOME}").display = focused is None
        candidates = {task.id: task for task in tasks if task.pane and not is_gone(task)}
        if focused is not None:
            candidates[focused.id] = focused
        ordered = sorted(candidates, key=lambda task: candidates[task].number)
        grid = ONE if one else arrange(len(ordered), *self.size)
        self._place(page(ordered, self._focused, grid.count), grid, candidates, one)
        if moved:
            self._typed_ahead.clear()
            self._focus()

    def on_resize(self) -> None:
        tasks, focused, one = self._asked_for
        self.show(tasks, focused, one=one)

    def _place(
        self, shown: list[str], grid: Grid, tasks: dict[str, wire.TaskView], one: bool
    ) -> None:
        self.set_class(self._framed and not one, "-framed")
        for task in shown:
            if task not in self._tiles:
                self._tiles[task] = Tile(tasks[task])
                self.mount(self._tiles[task])
            self._tiles[task].show(tasks[task])
            if task not in self._asked:
                self._asked.add(task)
                self._connect(tasks[task], grid)
        if (shown, grid) != (self._shown, self._grid):
            self._shown, self._grid = shown, grid
            self._lay_out()
        for task, tile in self._tiles.items():
            tile.set_class(task == self._focused, "-focused")

    def _lay_out(self) -> None:
        self.styles.grid_size_columns = self._grid.columns
        self.styles.grid_size_rows = self._grid.rows
        places = {task: n for n, task in enumerate(self._shown)}
        spans = dict(zip(self._shown, self._grid.spans(), strict=False))
        for task, tile in self._tiles.items():
            tile.display = task in places
            tile.styles.column_span = spans.get(task, 1)
        self.sort_children(
            key=lambda child: places.get(child.about.id, -1) if isinstance(child, Tile) else -2
        )

    def _focus(self) -> None:
        """Focus moves with the pane, but is never taken from a dock or a dialog."""
        if self.screen.focused is not None and not self._has(self.screen.focused):
            return
        pane = self.terminal()
        if pane is not None:
            # At once: `Widget.focus` would let keys that wait already pass by.
            self.screen.set_focus(pane, scroll_visible=False)
        else:
            self.screen.set_focus(None)  # no other task gets what is typed now

    def _has(self, widget: Widget) -> bool:
        return self in widget.ancestors

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        tile = event.widget.parent
        if isinstance(tile, Tile) and tile.about.id != self._focused:
            self.post_message(self.Entered(tile.about.id))

    # ── Attaching ───────────────────────────────────────────────────────────────────────

    @work(group="attach")
    async def _connect(self, task: wire.TaskView, grid: Grid) -> None:
        from tui.widgets.terminal import TerminalPane

        pane: Widget
        if not task.pane:
            pane = self._text(task, "It was started with --headless: it has no terminal.")
        else:
            try:
                connection = await self._client.attach(task.id, *self._inner(grid))
            except TaskpassError as error:
                if not is_gone(task):
                    await self._later(task, error)
                    return
                pane = self._text(task, "It has ended: its terminal is gone.")
            else:
                ground = _GROUND if self._framed else Style()
                pane = TerminalPane(
                    connection, ground=ground, keys=lambda: self.keys, id=f"pane-{task.id}"
                )
                self._keys_go_to(task.id, connection)
        await self._tiles[task.id].remove_children(f".{_MISSING}")
        await self._tiles[task.id].mount(pane)
        self._attached[task.id] = pane
        if task.id == self._focused:
            self._focus()

    def _keys_go_to(self, task: str, connection: PaneConnection) -> None:
        self._connections[task] = connection
        if task == self._focused:
            for key, text in self._typed_ahead:
                connection.key(key, text)
            self._typed_ahead.clear()

    def _inner(self, grid: Grid) -> tuple[int, int]:
        """Columns and rows of a terminal in a tile of `grid`, before it is laid out."""
        border = _BORDER if self.has_class("-framed") else 0
        width, height = self.size.width // grid.columns, self.size.height // grid.rows
        return max(20, width - border), max(5, height - border)

    def _text(self, task: wire.TaskView, sentence: str) -> Line:
        pane = Line(id=f"pane-{task.id}", classes="no-pane")
        pane.say(Text(f"Task {task.called}: {sentence}", palette.MUTED))
        return pane

    async def _later(self, task: wire.TaskView, error: TaskpassError) -> None:
        """Say that the pane cannot be attached, until it is; the next drawing tries again."""
        tile = self._tiles[task.id]
        missing = next(iter(tile.query(f".{_MISSING}").results(Line)), None)
        if missing is None:
            missing = Line(classes=f"no-pane {_MISSING}")
            await tile.mount(missing)
        missing.say(_not_attached(task, error))
        if task.id not in self._failed:
            self._failed.add(task.id)
            self.post_message(self.Failed(error))
        await asyncio.sleep(_RETRY_SECONDS)
        self._asked.discard(task.id)


def _not_attached(task: wire.TaskView, error: TaskpassError) -> Text:
    """What happened, and what comes next: the app starts a lost supervisor by itself."""
    text = Text(justify="center")
    text.append(f"Task {task.called}: its terminal cannot be shown now.\n", f"bold {palette.TEXT}")
    text.append(f"{one_line(error.message)}\n\n", palette.AMBER)
    return text.append(
        "Its agent is as it was, but nothing new is allowed to it meanwhile.\n"
        "It is tried again every second. If this stays, `taskpass doctor` says why.",
        palette.MUTED,
    )


def _title(task: wire.TaskView) -> Text:
    """`1 claude-code · ● working · flaky checkout · shop @ branch`: what may be cut comes last."""
    state = task_state(task.state)
    text = Text(f"{task.called} {one_line(task.agent).partition(' ')[0]} · ", end="")
    text.append(f"{STATE_SYMBOL[state]} {state}", STATE_COLOUR[state])
    if state is TaskState.ENDED and task.exit_code is not None:
        text.append(f", exit code {task.exit_code}")
    if task.purpose:
        text.append(f" · {one_line(task.purpose)}")
    place = one_line(task.repository or task.cwd).rstrip("/").rpartition("/")[2] or "/"
    text.append(f" · {place}")
    if task.branch:
        text.append(f" @ {clip(task.branch, 30)}")
    return text


def _exposed(task: wire.TaskView) -> str:
    ways = f"can get out by {_some(task.holes)}" if task.holes else ""
    if task.tier != "uncontained":
        return ways
    if not task.exposed:
        return ", ".join(filter(None, ("uncontained: this agent can read what you can read", ways)))
    return ", ".join(filter(None, (f"uncontained, can read {_some(task.exposed)}", ways)))


def _some(names: tuple[str, ...]) -> str:
    """The first names, without the places in brackets, and how many more there are."""
    plain = tuple(dict.fromkeys(name.partition(" (")[0] for name in names))
    shown = ", ".join(clip(one_line(name), 24) for name in plain[:3])
    return shown + (f" +{len(plain) - 3}" if len(plain) > 3 else "")


def _welcome(keys: Keymap) -> Text:
    """What stands where no task is: what to press, and what will stand where."""
    text = Text()
    text.append("No task runs.\n\n", f"bold {palette.TEXT}")
    for colour, key, does in (
        (palette.AMBER, keys.command("new_task").shown, "starts an agent here"),
        (
            palette.TEAL,
            "taskpass run -- claude",
            "the same in another terminal; it shows here",
        ),
        (palette.TEAL, "taskpass demo", "shows all of it without an agent"),
    ):
        text.append(f"{key:<{_KEYS}}", f"bold {colour}").append(f"{does}\n", palette.TEXT)
    text.append("\nThen you see\n", f"bold {palette.TEXT}")
    revoke, panic = keys.chord("revoke"), keys.chord("panic")
    for what, where in (
        ("the agent", f"here; every key but {keys.leader_shown} and F12 goes to it"),
        ("what it may use", f"beside it, with the time that is left: {keys.chord('grants')}"),
        ("what it asks", f"below, until you answer: {keys.chord('answer')}"),
        ("the way out", f"{revoke} takes a task's access away, {panic} stops everything"),
    ):
        text.append(f"{what:<{_KEYS}}", palette.TEAL).append(f"{where}\n", palette.MUTED)
    help_key = keys.command("help").shown.ljust(_KEYS)
    return text.append(f"\n{help_key}", f"bold {palette.AMBER}").append("all keys", palette.TEXT)
