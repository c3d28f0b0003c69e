"""The Textual app in its two shapes. A client of the supervisor that may come and go."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textual import events, work
from textual.app import App
from textual.binding import BindingType
from textual.css.query import NoMatches

from supervisor.errors import DaemonUnavailable, TaskpassError, VersionMismatch
from supervisor.model import Answer, TaskState
from supervisor.protocol import wire
from tui import keys, lines, palette
from tui.gate import TASK_MINUTES
from tui.keymap import BY_KEY, COMMANDS, LEADER_SHOWN, LEADERS, PANIC_SECONDS
from tui.lines import View
from tui.screens.always import AlwaysScreen
from tui.screens.changes import ChangesScreen
from tui.screens.dialog import Dialog, HelpPage, IdentityPage
from tui.screens.grants import GrantsDialog
from tui.screens.history import HistoryScreen
from tui.screens.main import MainScreen, RunScreen, WorkspaceScreen
from tui.screens.new_task import NewTaskDialog
from tui.text import clip, one_line, plural, program, task_state
from tui.widgets.dock import ApprovalDock
from tui.widgets.panes import Panes
from tui.widgets.side import Side
from tui.world import World, is_gone

if TYPE_CHECKING:
    from supervisor.client import AsyncClient
    from tui.widgets.terminal import TerminalPane

_DRAW_SECONDS = 0.05  # events are drawn together at this pace at most
_TICK_SECONDS = 0.5
_BELL_SECONDS = 5.0  # one bell for a burst of requests
_RETRY_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0)
_TELL_AFTER = 2  # failed tries
_HOLDER_GONE_SECONDS = 3.0
_OURS = 125  # exit code of our own failures, as in env(1)


class TaskpassApp(App[int], inherit_bindings=False):
    """`shape="run"`: one agent fills the terminal; `return_value` is its exit code, and None
    when the person left while it goes on. `shape="workspace"`: all tasks.
    """

    TITLE = "taskpass"
    CSS_PATH: ClassVar[list[str | Path]] = ["styles/app.tcss", "styles/dialogs.tcss"]  # type: ignore[assignment]
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []
    ESCAPE_TO_MINIMIZE = False

    def __init__(
        self,
        client: AsyncClient,
        *,
        shape: Literal["run", "workspace"] = "workspace",
        task: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        # With signals on, the leader would be the terminal's SIGQUIT.
        os.environ.pop("TEXTUAL_ALLOW_SIGNALS", None)
        keys.install()
        super().__init__()
        self.client = client
        self.shape = shape
        self.clock = clock
        self.world = World()
        self.farewell = ""  # a sentence for the terminal after the screen is gone
        self.last_screen: tuple[str, ...] = ()  # what the agent of a run screen left, as text
        self._focused_task = task
        self._own_task = task if shape == "run" else ""
        self._known = False  # the supervisor has said something
        self._connected = True
        self._pairing_error: TaskpassError | None = None
        self._leading = False
        self._panic_until = 0.0
        self._drawing = False
        self._rang = float("-inf")
        self._ring_again = False
        self.main: MainScreen = (RunScreen if shape == "run" else WorkspaceScreen)(client, clock)
        self.register_theme(palette.THEME)
        self.theme = palette.THEME.name

    def on_mount(self) -> None:
        self.push_screen(self.main)
        self.set_interval(_TICK_SECONDS, self._draw)
        self._follow()

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
                    self._take(event)
            except VersionMismatch as error:
                self._leave(_OURS, str(error))
                return
            except TaskpassError as error:
                # That it is lost is on the screen; why it stays lost is said once.
                lost = isinstance(error, DaemonUnavailable) and failures < _TELL_AFTER
                if not lost and str(error) != told:
                    told = str(error)
                    self._say(told, bad=True)
            self._connected = False
            self._changed()
            await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
            failures += 1

    async def _pair(self) -> None:
        try:
            await self.client.pair()
            self._pairing_error = None
        except DaemonUnavailable:
            raise
        except TaskpassError as error:
            self._pairing_error = error

    def _take(self, event: wire.Event) -> None:
        self._connected = True
        self.world.apply(event)
        match event:
            case wire.Snapshot():
                self._known = True
                self._ring()
            case wire.ApprovalAsked(approval=approval):
                self._ring()
                if self.shape == "run" and approval.task in self.world.family(self._own_task):
                    # A status line has no room for it.
                    wanted = approval.title.partition("\n")[0]
                    self.notify(
                        f"▲ wants {clip(wanted, 100)}  {LEADER_SHOWN} a answers",
                        severity="warning",
                        markup=False,
                    )
            case wire.ApprovalAnswered(answer=Answer.EXPIRED):
                self._say("Nobody answered in time: the request is denied.", bad=True)
        own = self.world.tasks.get(self._own_task)
        if own is not None and own.ended:
            self._leave_ended(own.exit_code if own.exit_code is not None else _OURS)
            return
        self._changed()

    def _leave(self, code: int | None, farewell: str = "") -> None:
        self.farewell = farewell
        self.exit(code)

    def _leave_ended(self, code: int) -> None:
        """The task of this run screen has ended; who sees only its exit code is told why."""
        own = self.world.tasks.get(self._own_task)
        revoked = own is not None and task_state(own.state) is TaskState.REVOKED
        words = "The task was revoked: its access and its processes are gone." if revoked else ""
        if own is not None and task_state(own.state) is TaskState.LOST:
            words = "The task's holder died: its access and its processes are gone."
        self._leave(code, words or (own.failure if own is not None else ""))

    def _ring(self) -> None:
        """Tell the person through the outer terminal; a burst of requests rings twice at most:
        at its beginning, and for what else has come when it is over.
        """
        if not self.view().pending:
            return
        now = time.monotonic()
        if now - self._rang >= _BELL_SECONDS:
            self._rang = now
            self.bell()
            self._notify_outside()
        elif not self._ring_again:
            self._ring_again = True
            self.set_timer(self._rang + _BELL_SECONDS - now, self._rest_of_burst)

    def _rest_of_burst(self) -> None:
        self._ring_again = False
        self._ring()

    def _notify_outside(self) -> None:
        """OSC 9: a notification of the desktop, by the terminals that know it."""
        first, *more = self.view().pending
        task = self.world.tasks.get(first.first.task)
        who = (task.purpose or program(task.agent)) if task else "a task"
        wanted = first.first.title.partition("\n")[0]
        words = f"taskpass: {who} wants {wanted}" if not more else (
            f"taskpass: {1 + len(more)} approvals wait, first {who}: {wanted}"
        )  # fmt: skip
        if self._driver is not None and os.environ.get("TERM") != "linux":
            # Made safe like all text of an agent: nothing in it can end the sequence.
            self._driver.write(f"\x1b]9;{clip(words, 160)}\x07")

    # ── What is drawn ───────────────────────────────────────────────────────────────────

    def view(self) -> View:
        """What the lines and panels are made from, now."""
        task = self.world.tasks.get(self._focused_task)
        if task is None and self.shape == "workspace":
            ordered = self.world.in_order()
            task = next((one for one in ordered if not is_gone(one)), next(iter(ordered), None))
            self._focused_task = task.id if task else ""
        only = self.world.family(self._own_task) if self._own_task else None
        shown = self.world.shown(task) if task else None
        return View(self.world, shown, self.clock(), self._connected, only, self._known)

    def _changed(self) -> None:
        if not self._drawing:
            self._drawing = True
            self.set_timer(_DRAW_SECONDS, self._draw)

    def _draw(self) -> None:
        self._drawing = False
        if not self.main.is_mounted:
            return
        view = self.view()
        # While the app is being taken down, parts of its screens are gone already.
        with suppress(NoMatches):
            self._show(view)

    def _show(self, view: View) -> None:
        self.main.show(view)
        top = self.screen
        if isinstance(top, Dialog | HistoryScreen):
            top.follow(view)

    def _say(self, sentence: str, *, bad: bool = False) -> None:
        # Sentences may quote what an agent asked for.
        self.notify(one_line(sentence), severity="error" if bad else "information", markup=False)

    # ── The leader ──────────────────────────────────────────────────────────────────────

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and not event.is_forwarded:
            if not self.app_focus:
                # The terminal had lost the focus and did not say that it is back.
                self.main.dock.rearm()
            if await self._lead(event.key):
                return
        await super().on_event(event)

    async def _lead(self, key: str) -> bool:
        """Whether a key is the leader, or follows it, and has been dealt with here.

        Decided before any widget sees the key, so that a chord typed in one burst never ends
        half in a pane.
        """
        if not self._leading:
            if key not in LEADERS:
                return False
            self._leading = True
            self._show_leader_keys()
            return True
        panicking = time.monotonic() < self._panic_until
        self._stop_leading()
        if panicking and key == "X":
            self._revoke_all()
        elif key in LEADERS:
            self.main.panes.press("ctrl+backslash")
        elif key.isdecimal():
            self._show_number(int(key))
        elif key in BY_KEY:
            await self.run_action(BY_KEY[key].name)
        return True

    def _show_leader_keys(self) -> None:
        self._to_main()
        self.main.show_keys(lines.which_key(self.size.width))

    def _stop_leading(self) -> None:
        self._leading = False
        self._panic_until = 0.0
        self.main.show_keys(None)

    def _to_main(self) -> None:
        """Close what lies above the main screen."""
        while self.screen is not self.main and len(self.screen_stack) > 1:
            self.pop_screen()

    def on_app_focus(self) -> None:
        self.main.dock.rearm()

    # ── Commands ────────────────────────────────────────────────────────────────────────

    def action_answer(self) -> None:
        if self._pairing_error is not None:
            self._say(f"This screen may not answer: {self._pairing_error}", bad=True)
        if not self.main.dock.open(self.view()):
            self._say("No approval waits.")

    def action_deny_first(self) -> None:
        pending = self.view().pending
        if not pending:
            self._say("No approval waits.")
            return
        self._answer(pending[0].ids, wire.AnswerApproval(approve=False), "denied")

    def action_next_task(self) -> None:
        ordered = self.world.in_order()
        if ordered and self.shape == "workspace":
            ids = [task.id for task in ordered]
            at = ids.index(self._focused_task) if self._focused_task in ids else -1
            self._show_task(ids[(at + 1) % len(ids)])

    def action_zoom(self) -> None:
        if isinstance(self.main, WorkspaceScreen):
            self.main.toggle_zoom()
            self._draw()

    def action_grants(self) -> None:
        self.push_screen(GrantsDialog(self.view()))

    def action_history(self) -> None:
        self.push_screen(HistoryScreen(self.client, self.view()))

    @work(group="changes", exclusive=True)
    async def action_changes(self) -> None:
        """Show what a task left in its overlay: the focused one's, else the oldest."""
        task = self.view().task
        try:
            sets = [each for each in await self.client.changes() if not each.running]
            if not sets:
                self._say("There are no changes to review.")
                return
            chosen = next((s for s in sets if task is not None and s.task == task.id), sets[0])
            found = await self.client.change_set(chosen.task, diff=True)
            self._say(await self._review(found))
        except TaskpassError as error:
            self._say(str(error), bad=True)

    async def _review(self, found: wire.ChangeSetView) -> str:
        """Let the person decide; what came of it, in words."""
        decided = await self.push_screen_wait(ChangesScreen(found))
        if decided is None:
            return "The changes wait."
        if decided == "drop":
            await self.client.drop_changes(found.task)
            return "The changes are dropped."
        safe = tuple(c.path for c in found.changes if not c.risk and not c.conflict)
        if decided == "safe" and not safe:
            return "Every change wants a second look: apply them all, or by name."
        wanted = (
            wire.ApplyChanges(paths=safe) if decided == "safe" else wire.ApplyChanges(risky=True)
        )
        done = await self.client.apply_changes(found.task, wanted)
        left = f", {done.left} left" if done.left else ""
        return f"{plural(done.applied, 'change')} applied{left}."

    def action_search(self) -> None:
        self.push_screen(HistoryScreen(self.client, self.view(), searching=True))

    def action_new_task(self) -> None:
        if self.shape == "run":
            self._say("Start another task from the workspace: run `taskpass` in a new terminal.")
            return
        view = self.view()
        cwd = view.task.cwd if view.task else str(Path.cwd())
        size = self.main.panes.content_size
        dialog = NewTaskDialog(self.client, cwd, max(20, size.width), max(5, size.height))
        self.push_screen(dialog, self._started)

    def _started(self, started: wire.Started | None) -> None:
        if started is not None:
            self.world.tasks.setdefault(started.task.id, started.task)
            self._show_task(started.task.id)

    def action_freeze(self) -> None:
        task = self.view().task
        if task is None:
            self._say("There is no task to freeze.")
        elif is_gone(task):
            self._say(f"Task {task.number} is {task.state}: there is nothing to freeze.")
        else:
            self._freeze(task)

    def action_revoke(self) -> None:
        task = self.view().task
        if task is None:
            self._say("There is no task to revoke.")
        else:
            self._revoke(task)

    def action_panic(self) -> None:
        """Freeze everything, and listen for a second X."""
        self._leading = True
        self._panic_until = time.monotonic() + PANIC_SECONDS
        self.main.show_keys(lines.panic_keys(self.size.width))
        self.set_timer(PANIC_SECONDS, self._calm)
        self._freeze_all()

    def _calm(self) -> None:
        if self._panic_until and time.monotonic() >= self._panic_until:
            self._stop_leading()

    def action_identity(self) -> None:
        task = self.view().task
        if task is not None:
            self.push_screen(IdentityPage(task))

    def action_palette(self) -> None:
        self.search_commands(
            [
                (command.title, self._runner(command.name), command.help)
                for command in COMMANDS
                if command.name != "palette"
            ],
            placeholder="Find a command…",
        )

    def _runner(self, name: str) -> Callable[[], object]:
        return lambda: self.run_action(name)

    def action_help(self) -> None:
        self.push_screen(HelpPage())

    def action_detach(self) -> None:
        running = sum(1 for task in self.world.tasks.values() if not is_gone(task))
        goes_on = "goes on" if running == 1 else "go on"
        self._leave(
            None, f"{plural(running, 'task')} {goes_on}. `taskpass` returns." if running else ""
        )

    # ── What is asked of the supervisor ─────────────────────────────────────────────────

    @work(group="answer")
    async def _answer(self, ids: tuple[str, ...], answer: wire.AnswerApproval, done: str) -> None:
        try:
            if self._pairing_error is not None:
                await self.client.pair()
                self._pairing_error = None
            for approval in ids:
                request = self.world.approvals.get(approval)
                await self.client.answer(approval, answer)
                self.world.approvals.pop(approval, None)
                if request is not None:
                    self._say(f"{done}: {request.title.partition(chr(10))[0][:80]}")
        except TaskpassError as error:
            self.main.dock.failed()
            self._say(str(error), bad=True)
        self._draw()

    @work(group="freeze")
    async def _freeze(self, task: wire.TaskView) -> None:
        thaw = task_state(task.state) is TaskState.FROZEN
        try:
            if thaw:
                await self.client.thaw_task(task.id)
            else:
                await self.client.freeze_task(task.id)
        except TaskpassError as error:
            self._say(str(error), bad=True)
        else:
            self._say(f"Task {task.number} " + ("goes on." if thaw else "is frozen."))

    @work(group="freeze")
    async def _freeze_all(self) -> None:
        try:
            await self.client.freeze_all()
        except TaskpassError as error:
            self._say(str(error), bad=True)
        else:
            self._say("Every task is frozen.")

    @work(group="revoke")
    async def _revoke(self, task: wire.TaskView) -> None:
        await self._revoking(f"task {task.number}", self.client.revoke_task(task.id))

    @work(group="revoke")
    async def _revoke_all(self) -> None:
        await self._revoking("every task", self.client.revoke_all())

    @work(group="revoke")
    async def _revoke_grant(self, grant: str, credential: str) -> None:
        await self._revoking(credential, self.client.revoke_grant(grant))

    async def _revoking(self, what: str, asked: Awaitable[wire.RevokedView]) -> None:
        """Say that it goes on, and then in its place what it came to."""
        self._say(f"revoking {what}…")
        try:
            outcome = _revoked(await asked)
        except TaskpassError as error:
            self.clear_notifications()
            self._say(str(error), bad=True)
        else:
            self.clear_notifications()
            self._say(outcome)

    # ── Messages of the parts ───────────────────────────────────────────────────────────

    def on_approval_dock_answered(self, message: ApprovalDock.Answered) -> None:
        reply, request = message.reply, message.batch.first
        answer = wire.AnswerApproval(
            approve=reply.approve,
            scope=reply.scope,
            minutes=TASK_MINUTES,
            # The gate lets an approval through only after the code was typed.
            code=request.code if reply.approve else "",
            note=message.note,
            freeze=reply.freeze,
        )
        done = "approved" if reply.approve else "denied"
        self._answer(message.batch.ids, answer, done)

    @work(group="always")
    async def on_approval_dock_always_wanted(self, message: ApprovalDock.AlwaysWanted) -> None:
        """Show what would be kept; nothing is answered before the person has seen it."""
        batch = message.batch
        try:
            proposed = await self.client.always(batch.first.id)
        except TaskpassError as error:
            self._say(str(error), bad=True)
            return
        if await self.push_screen_wait(AlwaysScreen(proposed)):
            always = wire.AnswerApproval(approve=True, scope="always")
            self._answer(batch.ids[:1], always, "approved for good")
            same = wire.AnswerApproval(approve=True, scope="task", minutes=TASK_MINUTES)
            self._answer(batch.ids[1:], same, "approved")

    def on_approval_dock_left(self) -> None:
        if self.screen is self.main:
            self.main.back_to_pane()

    def on_grants_dialog_revoke(self, message: GrantsDialog.Revoke) -> None:
        self._revoke_grant(message.grant, message.credential)

    def on_side_chosen(self, message: Side.Chosen) -> None:
        self._show_task(message.task)

    def on_panes_entered(self, message: Panes.Entered) -> None:
        if self.shape == "workspace":
            self._focused_task = message.task
            self._draw()

    def on_terminal_pane_ended(self, message: TerminalPane.Ended) -> None:
        """A pane has nothing more to show: in the run shape that is the end."""
        if not self._own_task:
            return
        rows = (message.pane.render_line(y).text for y in range(message.pane.size.height))
        # It goes to the person's own terminal: no control character of a pane does.
        self.last_screen = tuple("".join(filter(str.isprintable, row)).rstrip() for row in rows)
        if message.code is not None:
            self._leave_ended(message.code)
        else:
            # The holder is gone without a word. The supervisor knows more, unless it is gone too.
            self.set_timer(_HOLDER_GONE_SECONDS, self._holder_gone)

    def _holder_gone(self) -> None:
        self._leave(_OURS, "The task's holder is gone without the agent's exit code.")

    def on_panes_failed(self, message: Panes.Failed) -> None:
        self._say(str(message.error), bad=True)

    # ── Tasks ───────────────────────────────────────────────────────────────────────────

    def _show_number(self, number: int) -> None:
        task = self.world.numbered(number)
        if task is None:
            self._say(f"There is no task {number}.")
        elif self.shape == "workspace":
            self._show_task(task.id)

    def _show_task(self, task: str) -> None:
        self._focused_task = task
        self._draw()
        if not self.main.dock.has_focus:
            self.main.back_to_pane()


def _revoked(view: wire.RevokedView) -> str:
    sentence = f"revoked: {plural(view.leases_dead, 'lease')} dead in {view.took_ms:.0f} ms"
    if view.leases_unconfirmed:
        sentence += f", {view.leases_unconfirmed} unconfirmed"
    if view.connections_cut:
        sentence += f", {plural(view.connections_cut, 'connection')} cut"
    return sentence
