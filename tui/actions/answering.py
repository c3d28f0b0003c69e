"""Answering approvals."""

from __future__ import annotations

from functools import cached_property

from textual import events, work

from supervisor.errors import NotFound, TaskpassError
from supervisor.model import Answer
from supervisor.protocol import wire
from tui.gate import TASK_MINUTES
from tui.screens.always import AlwaysScreen
from tui.screens.inbox import InboxScreen
from tui.trunk import Trunk
from tui.widgets.dock import ApprovalDock


class Answering(Trunk):
    """From the queue and the dock to the supervisor."""

    def action_answer(self) -> None:
        if self.pairing_error is not None:
            self.say(f"This screen may not answer: {self.pairing_error}", bad=True)
        if not self.main.dock.open(self.view()):
            self.say("No approval waits.")

    def on_click(self, event: events.Click) -> None:
        """The line that tells what waits is a button."""
        told = event.widget is not None and event.widget.id in ("attention", "status")
        if told and self.view().pending:
            self.action_answer()

    def action_inbox(self) -> None:
        self.push_screen(InboxScreen(self.view()), self._open)

    def _open(self, approval: str | None) -> None:
        # Meanwhile another screen may have answered it.
        if approval is not None and not self.main.dock.open(self.view(), approval):
            self.say("It waits no more.")

    def action_deny_first(self) -> None:
        pending = self.view().pending
        if not pending:
            self.say("No approval waits.")
            return
        self._answer(pending[0].ids, wire.AnswerApproval(approve=False), "denied")

    def on_approval_dock_answered(self, message: ApprovalDock.Answered) -> None:
        reply, request = message.reply, message.batch.first
        answer = wire.AnswerApproval(
            approve=reply.approve,
            scope=reply.scope,
            minutes=reply.minutes,
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
            self.say(str(error), bad=True)
            return
        if await self.push_screen_wait(AlwaysScreen(proposed)):
            always = wire.AnswerApproval(approve=True, scope="always")
            self._answer(batch.ids[:1], always, "approved for good")
            same = wire.AnswerApproval(approve=True, scope="task", minutes=TASK_MINUTES)
            self._answer(batch.ids[1:], same, "approved")

    def on_approval_dock_left(self) -> None:
        if self.screen is self.main:
            self.main.back_to_pane()

    def on_approval_dock_shown(self, message: ApprovalDock.Shown) -> None:
        if seen := self.looked_at():
            self.tell_noticed(seen, looked_at=True)

    def on_app_focus(self) -> None:
        self.main.dock.rearm()
        if seen := self.looked_at():
            self.tell_noticed(seen, looked_at=True)

    def take(self, event: wire.Event) -> None:
        if isinstance(event, wire.ApprovalAnswered):
            self._answered_by(event)
        super().take(event)

    def _answered_by(self, event: wire.ApprovalAnswered) -> None:
        """Say who has answered, unless that was done here."""
        request = self.world.approvals.get(event.id)
        if request is None or event.id in self._answered_here:
            return
        if self.own_task and request.task not in self.world.family(self.own_task):
            return
        if event.answer not in (Answer.APPROVED, Answer.DENIED):
            return
        title = request.title.partition("\n")[0][:80]
        sentence = f"{event.answer} by {event.by}, not on this screen: {title}"
        if event.id in self._on_its_way:
            self._on_its_way[event.id] = sentence  # said if ours turns out to be too late
        else:
            self.say(sentence)

    @cached_property
    def _answered_here(self) -> set[str]:
        """Ids of requests that this screen's answer was taken for."""
        return set()

    @cached_property
    def _on_its_way(self) -> dict[str, str]:
        """Ids of requests that an answer is being sent for, and who was heard to answer them."""
        return {}

    @work(group="answer")
    async def _answer(self, ids: tuple[str, ...], answer: wire.AnswerApproval, done: str) -> None:
        try:
            if self.pairing_error is not None:
                await self.client.pair()
                self.pairing_error = None
            for approval in ids:
                request = self.world.approvals.get(approval)
                if request is not None and await self._first(approval, answer):
                    self.say(f"{done}: {request.title.partition(chr(10))[0][:80]}")
        except TaskpassError as error:
            self.main.dock.failed()
            self.say(str(error), bad=True)
        self.draw()

    async def _first(self, approval: str, answer: wire.AnswerApproval) -> bool:
        """Answer; False when somebody else was first, which is said. Raises TaskpassError."""
        self._on_its_way[approval] = ""
        try:
            await self.client.answer(approval, answer)
        except NotFound:
            if not self._on_its_way[approval]:
                raise
            self.say(self._on_its_way[approval], bad=True)
            return False
        finally:
            del self._on_its_way[approval]
        self._answered_here.add(approval)
        self.world.approvals.pop(approval, None)
        return True
