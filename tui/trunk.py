"""What all parts of the app stand on: the supervisor's events, and drawing what they tell."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual import work
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.css.query import NoMatches
from textual.screen import Screen

from supervisor.errors import DaemonUnavailable, TaskpassError, VersionMismatch
from supervisor.model import Answer, TaskState
from supervisor.protocol import wire
from tui import bell, joining, keys, outer, themes
from tui.dressed import Dressed
from tui.launching import FoundAgent
from tui.lines import View
from tui.screens.dialog import Dialog
from tui.screens.history import HistoryScreen
from tui.screens.main import MainScreen, RunScreen, WorkspaceScreen
from tui.settings import Settings
from tui.text import clip, one_line, task_state
from tui.world import World, is_gone

if TYPE_CHECKING:
    from rich.console import RenderableType

    from supervisor.client_setup import SetupClient

_DRAW_SECONDS = 0.05  # events are drawn together at this pace at most
_TICK_SECONDS = 0.5
_RETRY_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0)
_READ_SECONDS = 30.0  # for what has to be corrected in a file
_TELL_AFTER = 2  # failed tries
OURS = 125  # exit code of our own failures, as in env(1)


class Trunk(Dressed[int], inherit_bindings=False):
    """Follows the supervisor and keeps the main screen current. See `tui.app.TaskpassApp`."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []
    ESCAPE_TO_MINIMIZE = False
    CSS_PATH: ClassVar[list[str | Path]] = ["styles/app.tcss", "styles/dialogs.tcss"]  # type: ignore[assignment]

    def __init__(
        self,
        client: SetupClient,
        *,
        shape: Literal["run", "workspace"] = "workspace",
        task: str = "",
        clock: Callable[[], float] = time.time,
        agents: Callable[[], Sequence[FoundAgent]] = tuple,
        settings: Settings | None = None,
    ) -> None:
        # With signals on, the leader would be the terminal's SIGQUIT.
        os.environ.pop("TEXTUAL_ALLOW_SIGNALS", None)
        keys.install()
        super().__init__()
        self.client = client
        self.shape = shape
        self.clock = clock
        self.agents = agents  # looks for those on this machine
        self.world = World()
        self.farewell = ""  # a sentence for the terminal after the screen is gone
        self.focused_task = task
        self.own_task = task if shape == "run" else ""
        self.pairing_error: TaskpassError | None = None
        self._known = False  # the supervisor has said something
        self._connected = True
        self._drawing = False
        self._bell = bell.Bell(self._waiting, self.looked_at, self._sound, self.set_timer)
        self.main: MainScreen = (RunScreen if shape == "run" else WorkspaceScreen)(client, clock)
        self.settings = settings or Settings()
        self.dress(themes.suitable(self.settings.theme))

    def on_mount(self) -> None:
        self.push_screen(self.main)
        joining.ask(self)
        self.set_interval(_TICK_SECONDS, self.draw)
        self._follow()
        if self.settings.problem:
            told = one_line(self.settings.problem)
            self.notify(told, severity="error", markup=False, timeout=_READ_SECONDS)

    def on_joining_told(self, message: keys.JoiningTold) -> None:
        joining.answered(message.setting)

    # ── What the supervisor says ────────────────────────────────────────────────────────

    @work(group="follow", exclusive=True)
    async def _follow(self) -> None:
        """Read events for ever; reconnect when the supervisor is lost."""
        failures, told = 0, ""
        while True:
            try:
                await self.client.connect()
                await self._pair()
                async for event in self.client.events():
                    failures, told = 0, ""
                    self.take(event)
            except VersionMismatch as error:
                self.leave(OURS, str(error))
                return
            except TaskpassError as error:
                # That it is lost is on the screen; why it stays lost is said once.
                lost = isinstance(error, DaemonUnavailable) and failures < _TELL_AFTER
                if not lost and str(error) != told:
                    told = str(error)
                    self.say(told, bad=True)
            self._connected = False
            self._changed()
            await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
            failures += 1

    async def _pair(self) -> None:
        try:
            await self.client.pair()
            self.pairing_error = None
        except DaemonUnavailable:
            raise
        except TaskpassError as error:
            self.pairing_error = error

    def take(self, event: wire.Event) -> None:
        """Take in one thing that the supervisor says."""
        self._connected = True
        self.world.apply(event)
        match event:
            case wire.Snapshot():
                self._known = True
                self._bell.ring()
            case wire.ApprovalAsked(approval=approval):
                self._bell.ring()
                if self.shape == "run" and approval.task in self.world.family(self.own_task):
                    # A status line has no room for it.
                    wanted = approval.title.partition("\n")[0]
                    chord = self.settings.keys.chord("answer")
                    self.notify(
                        f"▲ wants {clip(wanted, 100)}  {chord} answers",
                        severity="warning",
                        markup=False,
                    )
            case wire.ApprovalAnswered(answer=Answer.EXPIRED):
                self.say("Nobody answered in time: the request is denied.", bad=True)
        own = self.world.tasks.get(self.own_task)
        if own is not None and own.ended:
            self.leave_ended(own.exit_code if own.exit_code is not None else OURS)
            return
        self._changed()

    def _waiting(self) -> list[str]:
        return [one for batch in self.view().pending for one in batch.ids]

    def looked_at(self) -> tuple[str, ...]:
        """The requests that are before the person's eyes now."""
        with suppress(NoMatches):  # not composed yet
            return self.main.dock.shown_ids if self.app_focus else ()
        return ()

    def _sound(self) -> None:
        self.bell()
        if self._driver is not None:
            words = bell.words(self.view().pending, self.world.tasks)
            self._driver.write(outer.sequence("taskpass", words, os.environ))
        if outer.surely_shown(os.environ):
            self.tell_noticed(self._waiting(), looked_at=False)

    @work(group="noticed")
    async def tell_noticed(self, ids: Sequence[str], *, looked_at: bool) -> None:
        """Have the supervisor tell nobody else of these; if it cannot be told, they hear twice."""
        with suppress(TaskpassError):
            await self.client.noticed(ids, looked_at=looked_at)

    def leave(self, code: int | None, farewell: str = "") -> None:
        self.farewell = farewell
        self.exit(code)

    def leave_ended(self, code: int) -> None:
        """The task of this run screen has ended; who sees only its exit code is told why."""
        own = self.world.tasks.get(self.own_task)
        revoked = own is not None and task_state(own.state) is TaskState.REVOKED
        words = "The task was revoked: its access and its processes are gone." if revoked else ""
        if own is not None and task_state(own.state) is TaskState.LOST:
            words = "The task's holder died: its access and its processes are gone."
        self.leave(code, words or (own.failure if own is not None else ""))

    def pop_screen(self) -> AwaitComplete:
        self._end_work(self.screen)
        return super().pop_screen()

    def exit(
        self, result: int | None = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        for screen in self.screen_stack:
            self._end_work(screen)
        super().exit(result, return_code, message)

    def _end_work(self, screen: Screen[Any]) -> None:
        """What a screen reads ends before it does: its widgets go first, and an answer that would
        be shown in one of them then would be a failure, which ends the app."""
        for worker in self.workers:
            if screen in worker.node.ancestors_with_self:
                worker.cancel()

    # ── What is drawn ───────────────────────────────────────────────────────────────────

    def view(self) -> View:
        """What the lines and panels are made from, now."""
        task = self.world.tasks.get(self.focused_task)
        if task is None and self.shape == "workspace":
            ordered = self.world.in_order()
            task = next((one for one in ordered if not is_gone(one)), next(iter(ordered), None))
            self.focused_task = task.id if task else ""
        only = self.world.family(self.own_task) if self.own_task else None
        shown = self.world.shown(task) if task else None
        return View(
            self.world,
            shown,
            self.clock(),
            self._connected,
            only,
            self._known,
            self.settings.keys,
        )

    def _changed(self) -> None:
        if not self._drawing:
            self._drawing = True
            self.set_timer(_DRAW_SECONDS, self.draw)

    def draw(self) -> None:
        """Bring everything on the screen up to what is known."""
        self._drawing = False
        if not self.main.is_mounted:
            return
        view = self.view()
        # While the app is being taken down, parts of its screens are gone already.
        with suppress(NoMatches):
            self.main.show(view)
            top = self.screen
            if isinstance(top, Dialog | HistoryScreen):
                top.follow(view)

    def say(self, sentence: str, *, bad: bool = False) -> None:
        """Tell the person in passing."""
        # Sentences may quote what an agent asked for.
        self.notify(one_line(sentence), severity="error" if bad else "information", markup=False)

    def to_main(self) -> None:
        """Close what lies above the main screen."""
        while self.screen is not self.main and len(self.screen_stack) > 1:
            self.pop_screen()

    def show_task(self, task: str) -> None:
        """Put the focus on a task."""
        self.focused_task = task
        self.draw()
        if not self.main.dock.has_focus:
            self.main.back_to_pane()
