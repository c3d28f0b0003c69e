"""The dialog that starts an agent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Label

from supervisor import places
from supervisor.errors import TaskpassError, UsageError, VaultLocked
from supervisor.protocol import wire
from tui import palette, worktree
from tui.launching import LIMITS, OPTIONS, PRESETS, FoundAgent, Wanted, read
from tui.screens.dialog import Dialog
from tui.screens.needs import NeedsScreen
from tui.screens.unlock import UnlockScreen
from tui.text import clip, one_line
from tui.widgets.line import Line

if TYPE_CHECKING:
    from supervisor.client_setup import SetupClient

_FIELDS = ("command", "purpose", "cwd", "branch", "limits", "preset", "options")
_LABELS = {
    "command": "Agent or command",
    "purpose": "Purpose",
    "cwd": "Directory",
    "branch": "New branch",
    "limits": "Limits",
    "preset": "Policy",
    "options": "Options",
}


class NewTaskDialog(Dialog[wire.Started | None]):
    """Agent, purpose, place, limits, policy; enter starts it, answered with what was started.

    Args:
        find: the agents on this machine; called in a thread, since it looks at files.
        cwd: the directory that is proposed.
        cols, rows: of the pane that it will have.
    """

    # Keys typed ahead of a change of focus go where that change leads.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False, priority=True),
        Binding("up", "app.focus_previous", show=False, priority=True),
        Binding("pagedown", "choose(1)", show=False, priority=True),
        Binding("pageup", "choose(-1)", show=False, priority=True),
    ]

    TITLE = "New task"
    KEYS = "tab next field · pgdn choose · enter start · esc back"

    def __init__(
        self,
        client: SetupClient,
        find: Callable[[], Sequence[FoundAgent]],
        cwd: str,
        cols: int,
        rows: int,
    ) -> None:
        super().__init__()
        self._client = client
        self._find = find
        self._agents: Sequence[FoundAgent] = ()
        self._cwd = cwd
        self._size_wanted = (cols, rows)
        self._starting = False

    def compose_box(self) -> ComposeResult:
        values = {"command": "claude", "cwd": self._cwd}
        hints = {
            "purpose": "fix the flaky checkout test",
            "branch": "none: works in the directory itself",
            "limits": " ".join(f"{name}=…" for name in LIMITS),
            "preset": "your own; standard or strict",
            "options": "none; overlay, record",
        }
        for name in _FIELDS:
            with Horizontal(classes="field"):
                yield Label(_LABELS[name], classes="label")
                yield Input(
                    values.get(name, ""), placeholder=hints.get(name, ""), id=f"new-{name}",
                    compact=True, select_on_focus=name == "command",
                )  # fmt: skip
        yield Line(id="new-hint")
        yield Line(id="new-say")

    def on_mount(self) -> None:
        self.query_one("#new-command").focus()
        self._look()

    @work(thread=True, group="agents", exclusive=True)
    def _look(self) -> None:
        found = self._find()
        self.app.call_from_thread(self._found, found)

    def _found(self, agents: Sequence[FoundAgent]) -> None:
        self._agents = agents
        command = self._field("command")
        programs = [agent.program for agent in agents]
        if programs and command.value == "claude" and "claude" not in programs:
            command.value = programs[0]
        self._hint()

    # ── What is chosen ──────────────────────────────────────────────────────────────────

    def _field(self, name: str) -> Input:
        return self.query_one(f"#new-{name}", Input)

    def _focused(self) -> str:
        focused = self.focused
        return (focused.id or "").removeprefix("new-") if focused is not None else ""

    def _choices(self, name: str) -> list[str]:
        match name:
            case "command":
                return [agent.program for agent in self._agents]
            case "branch":
                return ["", worktree.proposed(self._field("purpose").value) or "agent/task"]
            case "preset":
                return list(PRESETS)
            case "options":
                return ["", *OPTIONS, " ".join(OPTIONS)]
            case _:
                return []

    def action_choose(self, by: int) -> None:
        """The next of what the focused field can be."""
        # A proposal is made from the purpose: not before what was typed there has arrived.
        self._field("purpose").call_later(self._choose, self._focused(), by)

    def _choose(self, name: str, by: int) -> None:
        choices = self._choices(name)
        if choices:
            field = self._field(name)
            at = choices.index(field.value) if field.value in choices else -by
            field.value = choices[(at + by) % len(choices)]
            field.cursor_position = len(field.value)

    def on_descendant_focus(self) -> None:
        self._hint()

    def on_input_changed(self) -> None:
        self._hint()

    def _hint(self) -> None:
        """What the focused field can be."""
        name = self._focused()
        match name:
            case "command":
                titles = " · ".join(agent.title for agent in self._agents)
                words = f"found here: {titles}" if titles else "any program can be run"
            case "branch":
                words = f"pgdn proposes {self._choices(name)[1]}, in a work tree of its own"
            case "limits":
                words = "any of " + " ".join(f"{one}=" for one in LIMITS) + " as in memory=4G"
            case "preset":
                words = "pgdn: your own, standard, strict"
            case "options":
                words = "overlay: its changes wait for you · record: keep what it shows, sealed"
            case "purpose":
                words = "as the history will show it"
            case _:
                words = "where it works; what lies outside is not its own"
        self.query_one("#new-hint", Line).say(Text(clip(words, 72), palette.MUTED))

    # ── Starting ────────────────────────────────────────────────────────────────────────

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._starting:
            return
        try:
            wanted = read(*(self._field(name).value for name in _FIELDS))
        except UsageError as error:
            self._say(str(error), palette.RED)
            return
        self._start(wanted)

    @work(group="start")
    async def _start(self, wanted: Wanted) -> None:
        self._starting = True
        self._say(f"starting {wanted.argv[0]}…", palette.TEAL)
        try:
            if await self._needs_answered(wanted.cwd):
                started = await self._placed(wanted)
                if started is not None:
                    self.dismiss(started)
            else:
                self._say("Not started.", palette.MUTED)
        except TaskpassError as error:
            self._say(str(error), palette.RED)
        finally:
            self._starting = False

    async def _placed(self, wanted: Wanted) -> wire.Started | None:
        """Start it where it is wanted; a work tree that no task came to be in goes again."""
        if not wanted.branch:
            return await self._ask(wanted, wanted.cwd)
        made = await worktree.add(wanted.cwd, wanted.branch)
        try:
            if (started := await self._ask(wanted, made.cwd)) is not None:
                return started
        except TaskpassError:
            await self._take_back(made)
            raise
        await self._take_back(made)
        return None

    async def _take_back(self, made: worktree.Worktree) -> None:
        with suppress(UsageError):  # why nothing was started matters more
            await worktree.remove(made)

    async def _ask(self, wanted: Wanted, cwd: str) -> wire.Started | None:
        """Have it started; with locked secrets, once they are unlocked."""
        cols, rows = self._size_wanted
        request = wire.StartTask(
            argv=wanted.argv,
            cwd=cwd,
            environ=places.environment(),
            purpose=wanted.purpose,
            preset=wanted.preset,
            overlay="overlay" in wanted.options,
            record="record" in wanted.options,
            cols=cols,
            rows=rows,
            umask=places.umask(),
            **wanted.limits,
        )
        try:
            return await self._client.start_task(request)
        except VaultLocked:
            if not (await self._client.vault()).locked:
                raise
        if await self.app.push_screen_wait(UnlockScreen(self._client)):
            return await self._client.start_task(request)
        self._say("Not started: its secrets are locked.", palette.RED)
        return None

    async def _needs_answered(self, cwd: str) -> bool:
        """Ask about what the project says it needs, if nobody has; whether to go on."""
        needs = await self._client.needs(cwd)
        if needs.state != "waiting":
            return True
        accepted = await self.app.push_screen_wait(NeedsScreen(needs))
        if accepted is None:
            return False
        await self._client.answer_needs(needs, accept=accepted)
        return True

    def _say(self, sentence: str, colour: str) -> None:
        self.query_one("#new-say", Line).say(Text(one_line(sentence), colour))
